import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { native } from "../../src/engine/native.js";

const test = suite("native/smoke");

test("info tells version, instruction set and GEMM", () => {
  const { version, isa, oneDNN, gemmNote } = native().info();
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.match(isa, /^(baseline|avx2|avx512|avx512_bf16)$/);
  assert.ok(oneDNN !== undefined || gemmNote !== undefined, "without oneDNN a note says why");
});

test("a device allocates, writes, reads and frees", () => {
  const device = native().openDevice("cpu", 1, 0);
  const buffer = device.alloc(16, 0);
  const back = new Float32Array(4);
  device.write(buffer, Float32Array.of(1, -2, 3.5, 0));
  device.read(buffer, back, 0);
  assert.equal([...back], [1, -2, 3.5, 0]);
  assert.is(device.memory().bytes >= 16, true);
  device.free(buffer);
  assert.is(device.memory().tensors, 0);
  device.dispose();
});

test("every error code of the engine is one of ErrorCode", () => {
  const source = readFileSync(new URL("../../src/errors.ts", import.meta.url), "utf8"); // a type: it is not there at run time
  const known = [...source.matchAll(/^ {2}\| "(ERR_LCONV_\w+)"/gm)].map(([, code]) => code);
  const { errorCodes } = native();
  assert.ok(errorCodes.includes("ERR_LCONV_OOM"));
  assert.is(new Set(errorCodes).size, errorCodes.length);
  assert.equal(
    errorCodes.filter((code) => !known.includes(code)),
    [],
  );
});

test.run();
