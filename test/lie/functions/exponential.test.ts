import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exp, expApply } from "../../../src/lie/functions/exponential.js";
import { dense, type Generator, lowRank, scaled, sparse, toDense } from "../../../src/lie/generators/generator.js";
import { throwsCode } from "../../support/throws.js";
import { taylorExp } from "../naive.js";
import { difference, randomMatrix } from "../random.js";
import { rotation2, rotation3, skew3 } from "../rotations.js";
import { assertTrue, casesOf } from "./expLogCases.js";

const test = suite("lie/exponential");

function closeTo(A: Matrix, B: Matrix, tolerance: number): void {
  const got = difference(A, B);
  assert.ok(got <= tolerance, `differs by ${got}, allowed are ${tolerance}`);
}

/** All entries of `A` as a sparse generator. */
function sparseOf(A: Matrix): Generator {
  const places = Array.from({ length: A.rows * A.columns }, (_, k) => k);
  return sparse(
    A.rows,
    places.map((k) => Math.floor(k / A.columns)),
    places.map((k) => k % A.columns),
    A.to1DArray(),
  );
}

const matrixOf = (d: number, largest: number) =>
  fc
    .array(fc.double({ min: -largest, max: largest, noNaN: true }), { minLength: d * d, maxLength: d * d })
    .map((a) => Matrix.from1DArray(d, d, a));
/** A square matrix with |A|_1 <= d * largest. */
const anyMatrix = (largest: number) => fc.integer({ min: 1, max: 5 }).chain((d) => matrixOf(d, largest));

for (const size of [1e-3, 0.012, 0.2, 0.9, 2, 5, 9]) {
  test(`exp is its Taylor series at |L|_1 = ${size}, in every form`, () => {
    for (const d of [1, 2, 3, 7]) {
      const A = randomMatrix(d, d, d);
      const L = Matrix.mul(A, size / Math.max(...columnSums(A)));
      const expected = taylorExp(L, 1);
      for (const g of [dense(L), sparseOf(L), lowRank(L, Matrix.eye(d))]) {
        closeTo(exp(g), expected, 1e-14 * Math.max(1, size));
        closeTo(expApply(g, Matrix.eye(d)), expected, 1e-14 * Math.max(1, size));
      }
    }
  });
}

for (const c of casesOf("exp")) {
  test(`exp against 300 digits: ${c.name}`, () => {
    for (const g of [dense(c.matrix), sparseOf(c.matrix)]) {
      assertTrue(exp(g), c);
      const action = () => expApply(g, Matrix.eye(c.matrix.rows));
      if (LONG.includes(c.name)) throwsCode(action, "ERR_LCONV_ARGUMENT", "Taylor steps", "exp where d is small");
      else assertTrue(action(), c);
    }
  });
}

/** Cases with norms of 1e6 that only cancellation in their powers makes small, which expApply does not see. */
const LONG = ["of square zero, norm 1000000.0", "conjugated, condition 1000000.0"];

test("the ends of float64: nilpotent matrices of norm 1e300, and entries of 1e-320", () => {
  for (const value of [1e160, -1e300, 1e-320]) {
    const L = Matrix.zeros(3, 3).set(0, 2, value);
    for (const E of [exp(dense(L)), expApply(sparseOf(L), Matrix.eye(3))])
      assert.equal(E.to2DArray(), Matrix.add(Matrix.eye(3), L).to2DArray());
  }
});

test("low rank with badly scaled factors: t U V = [[0, 1e-8], [1e8, 0]]", () => {
  const expected = [
    [Math.cosh(1), 1e-8 * Math.sinh(1)],
    [1e8 * Math.sinh(1), Math.cosh(1)],
  ];
  const swap = lowRank(Matrix.diag([1e-8, 1e8]), new Matrix([[0, 1], [1, 0]])); // biome-ignore format: a matrix
  for (const E of [exp(swap), expApply(swap, Matrix.eye(2))])
    expected.forEach((row, i) => {
      row.forEach((value, j) => {
        assert.ok(Math.abs(E.get(i, j) / value - 1) < 1e-14, `entry (${i}, ${j}) is ${E.get(i, j)}, not ${value}`);
      });
    });
});

const columnSums = (A: Matrix): number[] => Matrix.abs(A).sum("column");

test("exp is the Taylor series for any small matrix (fast-check)", () => {
  fc.assert(
    fc.property(anyMatrix(1), (L) => {
      closeTo(exp(dense(L)), taylorExp(L, 1), 1e-13);
      closeTo(expApply(sparseOf(L), Matrix.eye(L.rows)), taylorExp(L, 1), 1e-13);
    }),
  );
});

test("rotations of the plane, up to 160 turns", () => {
  const L = dense([
    [0, -1],
    [1, 0],
  ]);
  for (const t of [0, 1e-9, 0.3, 3, -Math.PI, 50, -1000]) {
    closeTo(exp(L, t), rotation2(t), 2e-13);
    closeTo(expApply(L, Matrix.eye(2), t), rotation2(t), 2e-13);
  }
});

test("rotations of space are Rodrigues' formula", () => {
  for (const axis of [
    [1, 0, 0],
    [0.6, 0, 0.8],
    [2 / 3, -1 / 3, 2 / 3],
  ]) {
    for (const angle of [0.1, 2, -3, 20]) closeTo(exp(dense(skew3(axis)), angle), rotation3(axis, angle), 1e-13);
  }
});

test("nilpotent shifts: t^k / k!, and binomials", () => {
  const d = 8;
  const [shift, counting] = [Matrix.zeros(d, d), Matrix.zeros(d, d)];
  for (let nu = 0; nu + 1 < d; nu++) {
    shift.set(nu + 1, nu, 1);
    counting.set(nu + 1, nu, nu + 1);
  }
  const t = 1.5;
  const [powers, pascal] = [Matrix.zeros(d, d), Matrix.zeros(d, d)];
  for (let mu = 0; mu < d; mu++) {
    for (let nu = 0; nu <= mu; nu++) {
      powers.set(mu, nu, t ** (mu - nu) / factorial(mu - nu));
      pascal.set(mu, nu, (t ** (mu - nu) * factorial(mu)) / (factorial(nu) * factorial(mu - nu)));
    }
  }
  for (const form of [dense, sparseOf]) {
    closeTo(exp(form(shift), t), powers, 1e-15);
    closeTo(expApply(form(shift), Matrix.eye(d), t), powers, 1e-15);
    closeTo(exp(form(counting), t), pascal, 1e-14);
  }
});

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

test("diagonal and zero matrices", () => {
  const values = [-700, -30, 0, 1e-8, 2, 30];
  const L = dense(Matrix.diag(values));
  for (const E of [exp(L), expApply(L, Matrix.eye(6))]) {
    values.forEach((value, nu) => {
      assert.ok(Math.abs(E.get(nu, nu) / Math.exp(value) - 1) < 2e-12, `${E.get(nu, nu)} at ${value}`);
    });
  }
  for (const zero of [dense(Matrix.zeros(3, 3)), sparse(3, [], [], []), lowRank(Matrix.zeros(3, 1), Matrix.zeros(1, 3))]) {
    assert.equal(exp(zero).to2DArray(), Matrix.eye(3).to2DArray());
    assert.equal(expApply(zero, Matrix.eye(3), 7).to2DArray(), Matrix.eye(3).to2DArray());
  }
});

test("a strong decay keeps its relative accuracy in expApply", () => {
  const L = Matrix.diag([-40, -41, -39]);
  L.set(0, 1, 1);
  const expected = Matrix.diag([Math.exp(-40), Math.exp(-41), Math.exp(-39)]);
  expected.set(0, 1, Math.exp(-40) - Math.exp(-41)); // (e^a - e^b) / (a - b) for a = -40, b = -41
  closeTo(expApply(dense(L), Matrix.eye(3)).mul(Math.exp(40)), expected.mul(Math.exp(40)), 1e-13);
});

test("exp((s + t) L) = exp(s L) exp(t L), exp(-L) exp(L) = I, det exp(L) = e^tr(L) (fast-check)", () => {
  fc.assert(
    fc.property(anyMatrix(1), fc.double({ min: -2, max: 2, noNaN: true }), fc.double({ min: -2, max: 2, noNaN: true }), (L, s, t) => {
      const g = dense(L);
      const bound = Math.exp(Math.max(...columnSums(L)) * (Math.abs(s) + Math.abs(t))); // of |exp(s L)| |exp(t L)|
      closeTo(exp(g, s + t), exp(g, s).mmul(exp(g, t)), 1e-13 * bound);
      closeTo(exp(g, -s).mmul(exp(g, s)), Matrix.eye(L.rows), 1e-13 * bound ** 2);
      closeTo(expApply(g, exp(g, t), s), exp(g, s + t), 1e-13 * bound);
      closeTo(exp(scaled(g, t)), exp(g, t), 1e-13 * bound);
    }),
  );
});

test("low rank is what its product gives (fast-check)", () => {
  const factors = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1000 }));
  fc.assert(
    fc.property(factors, fc.double({ min: -3, max: 3, noNaN: true }), ([d, d_h, seed], t) => {
      const g = lowRank(randomMatrix(d, d_h, seed).mul(0.3), randomMatrix(d_h, d, seed + 1));
      const expected = exp(dense(toDense(g)), t);
      closeTo(exp(g, t), expected, 1e-12);
      closeTo(expApply(g, Matrix.eye(d), t), expected, 1e-12);
    }),
  );
});

test("low rank with d_h = 1: I + t U V where V U = 0, and a projector in the limit of strong decay", () => {
  const u = new Matrix([[0.6], [0.8], [0]]);
  const across = new Matrix([[-8, 6, 5]]);
  const expected = Matrix.add(Matrix.eye(3), u.mmul(across).mul(2));
  closeTo(exp(lowRank(u, across), 2), expected, 1e-15);
  closeTo(expApply(lowRank(u, across), Matrix.eye(3), 2), expected, 1e-15);
  const projector = Matrix.sub(Matrix.eye(3), u.mmul(u.transpose()));
  closeTo(exp(lowRank(u, u.transpose()), -1e6), projector, 1e-9);
});

test("expApply acts on every column by itself", () => {
  const g = sparseOf(randomMatrix(6, 6, 3));
  const X = randomMatrix(6, 4, 5);
  const alone = X.clone();
  X.mulColumn(0, 1e30);
  X.mulColumn(2, 0);
  const Y = expApply(g, X, 1.3);
  for (const n of [1, 3]) assert.equal(Y.getColumn(n), expApply(g, alone, 1.3).getColumn(n));
  assert.equal(Y.getColumn(2), [0, 0, 0, 0, 0, 0]);
  assert.is(expApply(g, Matrix.zeros(6, 0)).columns, 0);
});

test("a flow on 16,384 positions: exp(t (S - I)) of one pixel has Poisson weights", () => {
  const d = 16384;
  const places = Int32Array.from({ length: d }, (_, nu) => nu);
  const next = places.map((nu) => (nu + 1) % d);
  const g = sparse(d, [...next, ...places], [...places, ...places], [...new Float64Array(d).fill(1), ...new Float64Array(d).fill(-1)]);
  const X = Matrix.zeros(d, 2);
  X.set(d - 3, 0, 1);
  X.set(100, 1, -2);
  for (const t of [0.5, 30]) {
    const Y = expApply(g, X, t);
    const expected = Matrix.zeros(d, 2);
    let weight = Math.exp(-t);
    for (let k = 0; k < 200; k++) {
      expected.set((d - 3 + k) % d, 0, weight);
      expected.set(100 + k, 1, -2 * weight);
      weight *= t / (k + 1);
    }
    closeTo(Y, expected, 1e-15);
  }
});

test("low rank on 16,384 positions, without a matrix of that size", () => {
  const d = 16384;
  const u = new Matrix(Array.from({ length: d }, (_, nu) => [Math.sin(nu) / 100]));
  const X = new Matrix(Array.from({ length: d }, (_, nu) => [1 / (1 + nu)]));
  const square = u.transpose().mmul(u).get(0, 0); // L^k = square^(k - 1) L for L = u u^T
  const t = 0.02;
  const expected = Matrix.add(X, u.mmul(u.transpose().mmul(X)).mul(Math.expm1(t * square) / square));
  closeTo(expApply(lowRank(u, u.transpose()), X, t), expected, 1e-15);
});

test("misuse and overflow are refused", () => {
  const L = dense(Matrix.eye(2));
  for (const t of [Number.NaN, Number.POSITIVE_INFINITY]) {
    throwsCode(() => exp(L, t), "ERR_LCONV_ARGUMENT", "exp: t must be a finite number");
    throwsCode(() => expApply(L, Matrix.eye(2), t), "ERR_LCONV_ARGUMENT", "expApply: t must be a finite number");
  }
  throwsCode(() => expApply(L, Matrix.eye(3)), "ERR_LCONV_SHAPE", "2 positions", "3");
  throwsCode(() => expApply(L, new Matrix([[1], [Number.NaN]])), "ERR_LCONV_ARGUMENT", "expApply: X", "(1, 0) is NaN");
  const broken: Generator = { form: "dense", d: 1, L: new Matrix([[Number.NaN]]) };
  const brokenFactor: Generator = { form: "lowRank", d: 1, U: new Matrix([[Number.NaN]]), V: new Matrix([[1]]) };
  for (const g of [broken, brokenFactor]) {
    throwsCode(() => exp(g), "ERR_LCONV_ARGUMENT", "exp:", "NaN");
    throwsCode(() => expApply(g, Matrix.eye(1)), "ERR_LCONV_ARGUMENT", "expApply:", "NaN");
  }
  throwsCode(() => exp(L, 800), "ERR_LCONV_NONFINITE", "overflows", "the 1-norm of t L is 800", "smaller t");
  throwsCode(() => expApply(L, Matrix.eye(2), 800), "ERR_LCONV_NONFINITE", "overflows", "the 1-norm of t L is 800");
  throwsCode(() => exp(lowRank(Matrix.eye(2), Matrix.eye(2)), 800), "ERR_LCONV_NONFINITE", "the 1-norm of t V U is 800");
  throwsCode(() => exp(dense(Matrix.eye(2).mul(1e200)), 1e200), "ERR_LCONV_ARGUMENT", "the 1-norm of t L is Infinity");
  throwsCode(() => expApply(dense(Matrix.diag([1e6, -1e6])), Matrix.eye(2)), "ERR_LCONV_ARGUMENT", "Taylor steps", "1.00e+6");
});

test("exp of 16,384 positions says that the action alone will do", () => {
  throwsCode(() => exp(sparse(16384, [], [], [])), "ERR_LCONV_ARGUMENT", "16384 x 16384", "expApply");
  throwsCode(() => exp(lowRank(Matrix.ones(16384, 1), Matrix.ones(1, 16384))), "ERR_LCONV_ARGUMENT", "16384 x 16384", "expApply");
});

test("triangular matrices: results near the greatest number, and eigenvalues without what squaring loses", () => {
  const g = dense([[709, 1], [0, -709]]); // biome-ignore format: one matrix
  const expected = Math.exp(709);
  assert.ok(Math.abs(expApply(g, new Matrix([[1], [0]])).get(0, 0) / expected - 1) < 1e-12);
  assert.ok(Math.abs(exp(g).get(0, 0) / expected - 1) < 1e-15);
  assert.ok(Math.abs(exp(dense([[-700, 1], [0, -710]])).get(0, 0) / Math.exp(-700) - 1) < 1e-15); // biome-ignore format: one matrix
});

test.run();
