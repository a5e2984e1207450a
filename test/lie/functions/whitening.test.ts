import { inverse, Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { generatorFrom, generatorIn, restricted, whitened, whitening } from "../../../src/lie/functions/whitening.js";
import { difference, randomMatrix } from "../random.js";

const test = suite("lie/whitening");

const moments = (x: Float64Array, r: number): Matrix => {
  const X = Matrix.from1DArray(x.length / r, r, [...x]);
  return X.transpose().mmul(X).div(X.rows);
};

test("x' has the second moment I, about the mean or about zero, in any units", () => {
  const X = randomMatrix(300, 3, 1).to2DArray().map(([a, b, c]) => [1e6 * a + 3e6, 1e-5 * (a + 0.1 * b), c]); // biome-ignore format: one line
  for (const center of [false, true]) {
    const W = whitening(X.flat(), 3, center);
    const x = whitened(W, X.flat());
    assert.ok(difference(moments(x, 3), Matrix.eye(3)) < 1e-9);
    assert.ok(difference(W.to.mmul(W.from), Matrix.eye(3)) < 1e-9);
    const back = W.from.mmul(Matrix.columnVector(x.subarray(0, 3))).to1DArray(); // x = mean + from x'
    back.forEach((value, mu) => void assert.ok(Math.abs(value + W.mean[mu] - X[0][mu]) < 1e-9 * Math.max(1, Math.abs(X[0][mu]))));
  }
});

test("what does not vary is left out, and what depends on others", () => {
  const X = randomMatrix(200, 2, 2).to2DArray().map(([a, b]) => [a, 7, b, a - 2 * b]); // biome-ignore format: one line
  assert.is(whitening(X.flat(), 4, true).to.rows, 2);
  assert.is(whitening(X.flat(), 4, false).to.rows, 3, "a constant is a direction about zero");
  assert.is(whitening(new Float64Array(20), 4, false).to.rows, 0);
});

test("a generator there and back, linear and affine, and on fewer directions", () => {
  const X = randomMatrix(200, 3, 3).to1DArray();
  for (const affine of [false, true]) {
    const W = whitening(X, 3, affine);
    const size = affine ? 4 : 3;
    const L = randomMatrix(size, size, 4);
    if (affine) for (let k = 0; k < 4; k++) L.set(3, k, 0);
    assert.ok(difference(generatorFrom(W, generatorIn(W, L, affine), affine), L) < 1e-9);
    if (!affine) assert.ok(difference(generatorIn(W, L, false), W.to.mmul(L).mmul(inverse(W.to))) < 1e-9);
  }
  const fewer = restricted(whitening(X, 3, false), Matrix.eye(3).subMatrixColumn([0, 2]));
  assert.equal([fewer.to.rows, fewer.from.columns], [2, 2]);
  assert.ok(difference(fewer.to.mmul(fewer.from), Matrix.eye(2)) < 1e-9);
});

test.run();
