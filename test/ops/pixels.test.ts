// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pixels } from "../../src/ops/pixels.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/pixels");

/** Bytes in words of four, filled up. */
function packed(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

everyDevice(test, "bytes and floats are scaled alike, to half of a unit in the last place of 1", (device) => {
  for (const [n, scale] of [
    [1, 255],
    [3, 255],
    [4, 16],
    [257, 255],
    [70_001, 254],
  ] as const) {
    scope(() => {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 2654435761) >>> 24);
      const ofBytes = pixels(tensor(packed(bytes), { device }), [n], scale).dataSync();
      const ofFloats = pixels(tensor(Float32Array.from(bytes), { device }), [n], scale).dataSync();
      bytes.forEach((byte, i) => {
        assert.ok(Math.abs(ofBytes[i] - (byte / scale - 0.5)) <= 2 ** -24, `${n}, ${scale}: byte ${byte} gives ${ofBytes[i]}`);
      });
      assert.equal([...ofFloats], [...ofBytes]);
    });
  }
});

everyDevice(test, "without a scale pixels stay what they are, in the shape that is asked for", (device) => {
  scope(() => {
    const y = pixels(tensor(packed(Uint8Array.of(0, 1, 127, 128, 255, 7)), { device }), [1, 2, 3]);
    assert.equal(y.toArray(), [
      [
        [0, 1, 127],
        [128, 255, 7],
      ],
    ]);
    assert.equal([...pixels(tensor(Float32Array.of(-1.5, 3e10), { device }), [2, 1]).dataSync()], [-1.5, Math.fround(3e10)]);
  });
});

test("sizes that do not fit are errors", () => {
  scope(() => {
    throwsCode(() => pixels(zeros([2], { dtype: "int32" }), [9]), "ERR_LCONV_SHAPE", "9 bytes for [9] need 3 elements of int32, got [2]");
    throwsCode(() => pixels(zeros([2]), [3]), "ERR_LCONV_SHAPE", "need 3 elements of float32");
  });
});

test.run();
