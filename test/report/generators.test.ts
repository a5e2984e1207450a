import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blockAverage, generatorNorms, type LowRankGenerators } from "../../src/report/generators.js";

const test = suite("report/generators");

const close = (actual: number, expected: number, what: string): void =>
  assert.ok(Math.abs(actual - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${what}: ${actual} is not ${expected}`);

/** Values without structure, the same at every run. */
const values = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 2);

const layer: LowRankGenerators = {
  name: "0",
  count: 3,
  d: 13,
  rank: 4,
  U: values(3 * 13 * 4, 1),
  V: values(3 * 4 * 13, 2),
  W: values(4 * 2 * 5, 3),
};

const matrix = (data: Float32Array, rows: number, cols: number, i: number): Matrix =>
  Matrix.from1DArray(rows, cols, [...data.subarray(i * rows * cols, (i + 1) * rows * cols)]);

const dense = (i: number): Matrix => matrix(layer.U, 13, 4, i - 1).mmul(matrix(layer.V, 4, 13, i - 1));

const denseLayer = { name: "0", count: 3, d: 13, W: layer.W, L: Float32Array.from([1, 2, 3].flatMap((i) => dense(i).to1DArray())) };

test("norms from Gram matrices equal those of the dense product", () => {
  for (const { i, L, W, product } of generatorNorms(layer)) {
    close(L, i === 0 ? Math.sqrt(13) : dense(i).norm("frobenius"), `|L_${i}|`);
    close(W, matrix(layer.W, 2, 5, i).norm("frobenius"), `|W^${i}|`);
    close(product, L * W, "product");
  }
});

test("the strongest product comes first, NaN last", () => {
  const products = generatorNorms(layer).map(({ product }) => product);
  assert.equal(
    products,
    [...products].sort((a, b) => b - a),
  );
  const broken = { ...layer, W: Float32Array.from(layer.W, (w, k) => (k === 12 ? Number.NaN : w)) };
  assert.is(generatorNorms(broken).at(-1)?.i, 1);
});

test("block averages equal those of the dense product, in either order of the pixels", () => {
  const permutation = Int32Array.from({ length: 13 }, (_, mu) => (5 * mu + 3) % 13);
  for (const order of [undefined, permutation]) {
    for (const edge of [13, 5, 1]) {
      for (const i of [1, 3]) {
        const L = Matrix.zeros(13, 13);
        for (let mu = 0; mu < 13; mu++)
          for (let nu = 0; nu < 13; nu++) L.set(order ? order[mu] : mu, order ? order[nu] : nu, dense(i).get(mu, nu));
        const { values: averaged, side, block } = blockAverage(layer, i, edge, order);
        assert.ok(side <= edge);
        for (let a = 0; a < side; a++) {
          for (let b = 0; b < side; b++) {
            const end = (k: number): number => Math.min(13, (k + 1) * block) - 1;
            close(averaged[a * side + b], L.subMatrix(a * block, end(a), b * block, end(b)).mean(), `edge ${edge}, block ${a}, ${b}`);
          }
        }
        const fromDense = blockAverage(denseLayer, i, edge, order).values;
        assert.ok(averaged.every((value, k) => Math.abs(value - fromDense[k]) < 1e-5));
      }
    }
  }
});

test("arrays that do not fit are an error", () => {
  for (const wrong of [{ U: new Float32Array(5) }, { V: new Float32Array(5) }, { W: new Float32Array(5) }, { W: new Float32Array(0) }]) {
    assert.throws(
      () => generatorNorms({ ...layer, ...wrong }),
      (error: { code: string; message: string }) => error.code === "ERR_LCONV_SHAPE" && /layer "0"/.test(error.message),
    );
  }
  assert.throws(() => generatorNorms({ ...denseLayer, L: new Float32Array(4) }), /L of layer "0" must be \[n_L, d, d\]/);
});

test.run();
