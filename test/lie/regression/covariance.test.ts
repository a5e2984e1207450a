import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { covariance, crossCovariance } from "../../../src/lie/regression/covariance.js";
import { throwsCode } from "../../support/throws.js";
import { difference, randomMatrix } from "../random.js";

const test = suite("lie/covariance");

/** cov(a, b) by its defining sum, 1 / n. */
function naive(a: number[], b: number[], center: boolean): number {
  const mean = (row: number[]) => (center ? row.reduce((sum, value) => sum + value, 0) / row.length : 0);
  return a.reduce((sum, value, k) => sum + (value - mean(a)) * (b[k] - mean(b)), 0) / a.length;
}
const naiveMatrix = (A: Matrix, B: Matrix, center: boolean): Matrix =>
  new Matrix(A.to2DArray().map((a) => B.to2DArray().map((b) => naive(a, b, center))));

/** X with mean 3 in every row. */
const shifted = (d: number, n: number, seed: number): Matrix => randomMatrix(d, n, seed).add(3);

test("H and C are the defining sums, centred or not", () => {
  const [X, Y] = [shifted(4, 30, 1), shifted(2, 30, 2)];
  for (const center of [true, false]) {
    const found = covariance(X, { center });
    const cross = crossCovariance(X, Y, center);
    assert.ok(difference(found.H, naiveMatrix(X, X, center)) < 1e-12);
    assert.ok(difference(cross.C, naiveMatrix(Y, X, center)) < 1e-12);
    assert.ok(Math.abs(cross.variance - naiveMatrix(Y, Y, center).trace()) < 1e-12);
    assert.is(
      found.mean.every((value) => (center ? Math.abs(value - 3) < 1 : value === 0)),
      true,
    );
    assert.is(
      cross.mean.every((value) => (center ? Math.abs(value - 3) < 1 : value === 0)),
      true,
    );
  }
  assert.is(covariance(X).centered, true);
  assert.equal(covariance(X.to2DArray()).H.to2DArray(), covariance(X).H.to2DArray(), "lists of rows are taken too");
});

test("the samples are left as they are", () => {
  const X = shifted(3, 10, 1);
  const before = X.to2DArray();
  covariance(X);
  crossCovariance(X, X, true);
  assert.equal(X.to2DArray(), before);
});

test("root^2 = H + ridge I, root inverseRoot = I, eigenvalues descend and sum to the trace", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), fc.constantFrom(0, 1e-3, 2), fc.nat(1000), (d, ridge, seed) => {
      const found = covariance(randomMatrix(d, 20, seed), { ridge });
      const kept = Matrix.add(found.H, Matrix.eye(d).mul(ridge));
      assert.ok(difference(found.root.mmul(found.root), kept) < 1e-10);
      assert.ok(difference(found.root.mmul(found.inverseRoot), Matrix.eye(d)) < 1e-10);
      assert.ok(Math.abs(found.eigenvalues.reduce((sum, value) => sum + value, 0) - found.H.trace()) < 1e-10);
      assert.ok(found.eigenvalues.every((value, k) => k === 0 || value <= found.eigenvalues[k - 1]));
      assert.is(found.effectiveRank, d);
      assert.is(found.range, undefined);
      assert.is(found.ridge, ridge);
      assert.is(found.notes.length, ridge > 0 ? 1 : 0);
    }),
    { numRuns: 40, seed: 4 },
  );
});

test("condition is the ratio of the extreme eigenvalues", () => {
  const X = randomMatrix(2, 4000, 1).mulRow(0, 100);
  assert.ok(Math.abs(covariance(X).condition / 1e4 - 1) < 0.2);
});

test("a singular H gets a small ridge, and the notes say so", () => {
  const X = randomMatrix(5, 3, 9).mmul(randomMatrix(3, 40, 10)); // rank 3
  const found = covariance(X);
  assert.is(found.effectiveRank, 3);
  assert.is(found.condition, Number.POSITIVE_INFINITY);
  assert.ok(Math.abs(found.ridge / ((1e-8 * found.H.trace()) / 5) - 1) < 1e-12);
  assert.match(found.notes.join("; "), /rank 3 of 5: a ridge of .* was added.*ridge: 0 finds those/);
  assert.ok(difference(found.root.mmul(found.inverseRoot), Matrix.eye(5)) < 1e-9);
});

test("ridge: 0 stays in the range of a singular H", () => {
  const factor = randomMatrix(5, 3, 9);
  const found = covariance(factor.mmul(randomMatrix(3, 40, 10)), { ridge: 0 });
  assert.is(found.ridge, 0);
  assert.is(found.range?.columns, 3);
  assert.ok(difference(found.root.mmul(found.root), found.H) < 1e-10);
  const P = found.root.mmul(found.inverseRoot);
  assert.ok(difference(P.mmul(factor), factor) < 1e-10, "the projection on the range");
  assert.ok(Math.abs(P.trace() - 3) < 1e-10);
  assert.match(found.notes.join("; "), /the ridge is 0.*10 dimensions that no sample sees/);
});

test("fewer samples than dimensions are said, and never pass for full rank", () => {
  const found = covariance(randomMatrix(6, 4, 1));
  assert.is(found.effectiveRank, 3, "the mean takes one of the four");
  assert.ok(found.ridge > 0);
  assert.match(found.notes[0], /4 samples for 6 dimensions/);
  assert.is(covariance(randomMatrix(6, 6, 1), { center: false }).notes.length, 0, "six samples without a mean are enough");
  assert.match(covariance(randomMatrix(6, 6, 1)).notes[0], /6 samples for 6 dimensions/);
});

test("constant rows are singular, whatever the rounding of their mean", () => {
  const X = randomMatrix(3, 7, 1);
  X.setRow(1, new Array(7).fill(0.1));
  const found = covariance(X);
  assert.is(found.effectiveRank, 2);
  assert.is(found.H.get(1, 1), 0);
  assert.match(found.notes.join("; "), /1 of 3 rows of X are constant \(first: row 1\)/);
});

test("a mean that dominates an uncentred H, and an H beyond float32, are said", () => {
  const X = Matrix.sub(randomMatrix(5, 100, 1).mul(5e-4), 0.5);
  assert.match(covariance(X, { center: false }).notes.join("; "), /the mean of X carries 100\.0 % of tr H/);
  assert.match(covariance(X, { center: false }).notes.join("; "), /condition of H is .*float32 is too coarse/);
  assert.equal(covariance(X).notes, []);
});

test("misuse", () => {
  const X = randomMatrix(3, 10, 1);
  const bad = X.clone().set(1, 2, Number.NaN);
  throwsCode(() => covariance(bad), "ERR_LCONV_ARGUMENT", "X[1, 2] is NaN");
  throwsCode(() => crossCovariance(X, bad, true), "ERR_LCONV_ARGUMENT", "Y[1, 2] is NaN");
  throwsCode(() => covariance(X.clone().set(0, 0, Number.POSITIVE_INFINITY)), "ERR_LCONV_ARGUMENT", "Infinity");
  throwsCode(() => crossCovariance(X, randomMatrix(2, 9, 1), true), "ERR_LCONV_SHAPE", "[3, 10]", "[2, 9]");
  throwsCode(() => covariance([[1, 2], [1]]), "ERR_LCONV_SHAPE", "equally long rows");
  throwsCode(() => covariance([]), "ERR_LCONV_SHAPE");
  throwsCode(() => covariance([[]]), "ERR_LCONV_SHAPE");
  throwsCode(() => covariance(Matrix.ones(3, 8).mul(0.1)), "ERR_LCONV_ARGUMENT", "X is constant", "nothing can be found");
  throwsCode(() => covariance(Matrix.zeros(3, 8), { center: false }), "ERR_LCONV_ARGUMENT", "X is zero");
  throwsCode(() => covariance(X, { ridge: -1 }), "ERR_LCONV_ARGUMENT", "-1");
  throwsCode(() => covariance(X, { ridge: Number.NaN }), "ERR_LCONV_ARGUMENT", "ridge");
  throwsCode(() => covariance(randomMatrix(5, 3, 1), { ridge: 1e-30 }), "ERR_LCONV_ARGUMENT", "rank 2 of 5", "take more than");
});

test.run();
