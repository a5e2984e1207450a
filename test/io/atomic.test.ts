import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AtomicFile, writeAtomic } from "../../src/io/atomic.js";
import { ioError, readBytes } from "../../src/io/files.js";
import { fails, temporaryFile, temporaryFolder } from "./helpers.js";

const test = suite("io/atomic");

test("writes text, bytes and parts, makes folders, leaves nothing else behind", () => {
  const folder = join(temporaryFolder(), "a", "b");
  writeAtomic(join(folder, "text"), "héllo");
  writeAtomic(join(folder, "bytes"), Uint8Array.of(1, 2, 3));
  writeAtomic(join(folder, "parts"), [Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]);
  assert.is(readFileSync(join(folder, "text"), "utf8"), "héllo");
  assert.equal(readBytes(join(folder, "bytes")), Uint8Array.of(1, 2, 3));
  assert.equal(readBytes(join(folder, "parts")), Uint8Array.of(1, 2, 3));
  assert.equal(readdirSync(folder).sort(), ["bytes", "parts", "text"]);
});

test("an aborted write keeps the old file", () => {
  const path = temporaryFile("kept", "old");
  const file = new AtomicFile(path);
  file.write(Buffer.from("new"));
  file.abort();
  assert.is(readFileSync(path, "utf8"), "old");
  assert.equal(readdirSync(join(path, "..")), ["kept"]);
  file.abort();
});

test("a part that fails half-way keeps the old file", async () => {
  const path = temporaryFile("kept", "old");
  const parts = function* (): Generator<Uint8Array> {
    yield Uint8Array.of(1);
    throw new Error("no more");
  };
  assert.throws(() => writeAtomic(path, parts()), "no more");
  assert.is(readFileSync(path, "utf8"), "old");
  assert.equal(readdirSync(join(path, "..")), ["kept"]);
});

test("says why it cannot write", async () => {
  const file = temporaryFile("file", "");
  await fails(() => writeAtomic(join(file, "below"), "x"), "ERR_LCONV_IO", /cannot write .*below: .*(ENOTDIR|EEXIST)/);
  const folder = temporaryFolder();
  mkdirSync(join(folder, "taken"));
  await fails(() => writeAtomic(join(folder, "taken"), "x"), "ERR_LCONV_IO", /cannot write .*taken: it is a folder/);
  assert.equal(readdirSync(folder), ["taken"]);
  if (process.getuid?.() === 0) return; // root may write anywhere
  chmodSync(folder, 0o500);
  await fails(() => writeAtomic(join(folder, "x"), "x"), "ERR_LCONV_IO", /permission denied.*EACCES/);
});

test("a full device is named as such", async () => {
  const error = ioError("write", "/somewhere", Object.assign(new Error("write"), { code: "ENOSPC" }));
  assert.is(error.code, "ERR_LCONV_IO");
  assert.match(error.message, /cannot write \/somewhere: no space left on the device; free some space.*ENOSPC/);
});

test("reading says what is wrong", async () => {
  const folder = temporaryFolder();
  await fails(() => readBytes(join(folder, "none")), "ERR_LCONV_IO", /cannot read .*none: no such file.*ENOENT/);
  await fails(() => readBytes(folder), "ERR_LCONV_IO", /is not a file|it is a folder/);
});

test.run();
