// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { LconvError } from "../../src/errors.js";
import { fansOf, type Initializer, WeightSource } from "../../src/nn/init.js";
import { throwsCode } from "../support/throws.js";

const test = suite("nn/init");

const draw = (shape: number[], initializer: Initializer, seed = 0): Float32Array => {
  const t = new WeightSource(device(), seed).parameter(shape, initializer);
  const values = t.dataSync() as Float32Array;
  t.dispose();
  return values;
};
const std = (values: Float32Array): number => Math.sqrt(values.reduce((s, x) => s + x * x, 0) / values.length);

test("fans are Keras's: leading sizes multiply both", () => {
  assert.equal(fansOf([8, 784, 16]), { fanIn: 8 * 784, fanOut: 8 * 16 });
  assert.equal(fansOf([50, 10]), { fanIn: 50, fanOut: 10 });
});

test("glorotNormal: the authors' std .0177 for U and V at d 784, h 16, n 8, cut at 2 sigma of the wider normal", () => {
  const values = draw([8, 784, 16], "glorotNormal");
  const wanted = Math.sqrt(2 / (8 * (784 + 16)));
  assert.ok(Math.abs(std(values) / wanted - 1) < 0.01, `${std(values)} against ${wanted}`);
  assert.ok(Math.max(...values.map(Math.abs)) <= (2 * wanted) / 0.8796 + 1e-9);
  assert.ok(Math.max(...values.map(Math.abs)) > (1.9 * wanted) / 0.8796);
});

test("the other normals and uniforms have the spread they name", () => {
  assert.ok(Math.abs(std(draw([400, 300], "heNormal")) / Math.sqrt(2 / 400) - 1) < 0.01);
  assert.ok(Math.abs(std(draw([400, 300], "normal")) / Math.sqrt(1 / 400) - 1) < 0.01);
  const uniform = draw([400, 300], "glorotUniform");
  const limit = Math.sqrt(6 / 700);
  assert.ok(Math.abs(std(uniform) / (limit / Math.sqrt(3)) - 1) < 0.01 && uniform.every((x) => Math.abs(x) <= limit));
  assert.ok(draw([4, 4], "zeros").every((x) => x === 0));
});

test("orthogonal: each matrix of a stack has orthonormal rows or columns", () => {
  for (const [rows, cols] of [
    [6, 4],
    [4, 6],
  ]) {
    const values = draw([3, rows, cols], "orthogonal");
    for (let k = 0; k < 3; k++) {
      const at = (i: number, j: number): number => values[(k * rows + i) * cols + j];
      const n = Math.min(rows, cols);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let dot = 0;
          for (let l = 0; l < Math.max(rows, cols); l++) dot += rows >= cols ? at(l, i) * at(l, j) : at(i, l) * at(j, l);
          assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-5);
        }
      }
    }
  }
});

test("weights that no memory holds are an error before they are drawn", () => {
  for (const kind of ["glorotNormal", "glorotUniform", "orthogonal", "zeros"] as const)
    for (const shape of [
      [144, 51_380_224],
      [2 ** 31, 2 ** 31],
    ])
      throwsCode(
        () => new WeightSource(device(), 0).parameter(shape, kind),
        "ERR_LCONV_OOM",
        `[${shape.join(", ")}]`,
        "GB",
        "smaller network",
      );
});

test("an unknown initializer is refused with the nearest known one", () => {
  assert.throws(
    () => draw([2, 2], "glorotnormal2" as Initializer),
    (error: unknown) => error instanceof LconvError && /glorotNormal/.test(error.message),
  );
});

test.run();
