import { suite } from "uvu";
import * as assert from "uvu/assert";
import { duplicateKey, longKey } from "../../src/io/json.js";
import { decodeSafetensors } from "../../src/io/safetensors.js";
import { fails } from "./helpers.js";

const test = suite("io/json");

test("finds a key that one object has twice, however it is written", () => {
  assert.is(duplicateKey(`{"a": 1, "b": {"a": 2}, "c": ["a", {"a": "a"}]}`), undefined);
  assert.is(duplicateKey(`{"a": 1, "b": {"c": 0, "c" : 1}}`), "c");
  assert.is(duplicateKey(`{"a": 1, "\\u0061": 2}`), "a");
  assert.is(duplicateKey(`{"\\"\\\\": 1, "\\"\\\\": 2}`), `"\\`);
});

test("finds a long key, also in what is no JSON", () => {
  const long = "k".repeat(4097);
  assert.is(longKey(`{"a": "${long}", "b": "\\"${long}"}`), undefined);
  assert.is(longKey(`{"a": 1, "${long}" : 2}`), long);
  assert.is(longKey(`"${long}`), undefined);
  assert.is(longKey(`{"${long}\\"`), undefined);
  assert.is(longKey(`nothing`), undefined);
});

test("names that V8 cannot tell apart by a hash are refused before they are parsed", () => {
  const header = JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${"n".repeat(20_000)}${100 + i}`, 0])));
  const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(header)]);
  bytes.writeBigUInt64LE(BigInt(header.length));
  return fails(() => decodeSafetensors(bytes, "m"), "ERR_LCONV_FORMAT", /^m: the name "n+….* has 20003 characters, too many$/);
});

test.run();
