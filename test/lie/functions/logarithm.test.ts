import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exp } from "../../../src/lie/functions/exponential.js";
import { log } from "../../../src/lie/functions/logarithm.js";
import { dense } from "../../../src/lie/generators/generator.js";
import { throwsCode } from "../../support/throws.js";
import { taylorExp } from "../naive.js";
import { difference, randomMatrix } from "../random.js";
import { rotation2, rotation3, skew3 } from "../rotations.js";
import { assertTrue, casesOf } from "./expLogCases.js";

const test = suite("lie/logarithm");

function closeTo(A: Matrix, B: Matrix, tolerance: number): void {
  const got = difference(A, B);
  assert.ok(got <= tolerance, `differs by ${got}, allowed are ${tolerance}`);
}

test("rotations of the plane and of space, up to angles of 3.1", () => {
  for (const angle of [0, 1e-9, 0.3, Math.PI / 10, -1, 2, 3, -3, 3.1]) {
    closeTo(log(rotation2(angle)), skew3([0, 0, angle]).subMatrix(0, 1, 0, 1), 1e-13);
    for (const axis of [
      [1, 0, 0],
      [2 / 3, -1 / 3, 2 / 3],
    ]) {
      closeTo(log(rotation3(axis, angle)), Matrix.mul(skew3(axis), angle), 1e-13);
    }
  }
});

test("I, multiples of I and diagonals", () => {
  assert.equal(log(Matrix.eye(3)).to2DArray(), Matrix.zeros(3, 3).to2DArray());
  for (const scale of [1e-200, 0.5, 1e200]) closeTo(log(Matrix.eye(3).mul(scale)), Matrix.eye(3).mul(Math.log(scale)), 1e-14);
  const values = [1e-6, 0.1, 1, 1 + 1e-6, 20, 1e5];
  closeTo(log(Matrix.diag(values)), Matrix.diag(values.map(Math.log)), 1e-13);
});

for (const c of casesOf("log")) test(`log against 300 digits: ${c.name}`, () => assertTrue(log(c.matrix), c));

test("diagonals and blocks over 300 orders of magnitude", () => {
  const values = [1e-200, 1e-9, 1, 1 + 1e-9, 1e100];
  closeTo(log(Matrix.diag(values)), Matrix.diag(values.map(Math.log)), 1e-15);
  const L = log(new Matrix([[1e-200, -1e-200, 0], [1e-200, 1e-200, 0], [0, 0, 1e100]])); // biome-ignore format: a matrix
  const [size, angle] = [Math.log(Math.SQRT2 * 1e-200), Math.PI / 4];
  closeTo(L, new Matrix([[size, -angle, 0], [angle, size, 0], [0, 0, Math.log(1e100)]]), 1e-15); // biome-ignore format: a matrix
});

test("Pascal's triangle of binomials: entries 1, 2, 3, ... below the diagonal", () => {
  const d = 7;
  const [pascal, expected] = [Matrix.zeros(d, d), Matrix.zeros(d, d)];
  for (let mu = 0; mu < d; mu++) {
    pascal.set(mu, 0, 1);
    for (let nu = 1; nu <= mu; nu++) pascal.set(mu, nu, pascal.get(mu - 1, nu - 1) + pascal.get(mu - 1, nu));
    if (mu > 0) expected.set(mu, mu - 1, mu);
  }
  closeTo(log(pascal), expected, 1e-12);
});

/** (1 - a) I + a S on a ring of p places: a shift by `a` of a place in linear interpolation. */
function ringShift(p: number, a: number): Matrix {
  const R = Matrix.eye(p).mul(1 - a);
  for (let nu = 0; nu < p; nu++) R.set((nu + 1) % p, nu, R.get((nu + 1) % p, nu) + a);
  return R;
}

test("a shift in linear interpolation: logarithms of its Fourier coefficients, up to half a place", () => {
  const p = 9;
  for (const a of [0.1, 0.3, 0.45]) {
    const L = Matrix.zeros(p, p);
    for (let k = 0; k < p; k++) {
      const omega = (2 * Math.PI * k) / p;
      const [re, im] = [1 - a + a * Math.cos(omega), -a * Math.sin(omega)];
      const [modulus, phase] = [Math.log(Math.hypot(re, im)), Math.atan2(im, re)];
      for (let mu = 0; mu < p; mu++) {
        for (let nu = 0; nu < p; nu++) {
          const angle = omega * (mu - nu);
          L.set(mu, nu, L.get(mu, nu) + (modulus * Math.cos(angle) - phase * Math.sin(angle)) / p);
        }
      }
    }
    closeTo(log(ringShift(p, a)), L, 1e-13);
  }
  for (const a of [0.5, 0.6]) throwsCode(() => log(ringShift(8, a)), "ERR_LCONV_ARGUMENT", "no real principal logarithm", "smaller step"); // 1 - 2a <= 0
});

test("log exp L = L for small L (fast-check)", () => {
  const matrices = fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 0, max: 1000 }),
    fc.double({ min: 0, max: 2.5, noNaN: true }),
  );
  fc.assert(
    fc.property(matrices, ([d, seed, size]) => {
      const A = randomMatrix(d, d, seed);
      const L = Matrix.mul(A, size / A.norm());
      closeTo(log(taylorExp(L, 1)), L, 1e-12);
    }),
  );
});

test("exp log R = R, and log of the inverse is -log R (fast-check)", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 1000 }), (d, seed) => {
      const A = randomMatrix(d, d, seed);
      const R = Matrix.add(Matrix.eye(d), Matrix.mul(A, 0.9 / A.norm())); // its eigenvalues have positive real parts
      const L = log(R);
      closeTo(exp(dense(L)), R, 1e-13);
      closeTo(log(exp(dense(L), -1)), Matrix.mul(L, -1), 1e-12);
    }),
  );
});

test("a rotation flow of 7 x 7 images by pi / 10", () => {
  const p = 7;
  const L = Matrix.zeros(p * p, p * p); // central differences of y d/dx - x d/dy
  for (let y = 0; y < p; y++) {
    for (let x = 0; x < p; x++) {
      if (x > 0) L.set(y * p + x, y * p + x - 1, -(y - 3) / 2);
      if (x < p - 1) L.set(y * p + x, y * p + x + 1, (y - 3) / 2);
      if (y > 0) L.set(y * p + x, y * p - p + x, (x - 3) / 2);
      if (y < p - 1) L.set(y * p + x, y * p + p + x, -(x - 3) / 2);
    }
  }
  L.mul(Math.PI / 10);
  closeTo(log(exp(dense(L))), L, 1e-13);
});

/** Q A Q^T for the reflection Q = I - 2 v v^T / |v|^2 with v = (1, 2, 3, ...). */
function conjugated(A: Matrix): Matrix {
  const v = Matrix.columnVector(Array.from({ length: A.rows }, (_, k) => k + 1));
  const Q = Matrix.sub(Matrix.eye(A.rows), v.mmul(v.transpose()).mul(2 / v.dot(v)));
  return Q.mmul(A).mmul(Q);
}

test("matrices without a real principal logarithm are refused", () => {
  const none = {
    "one negative eigenvalue": Matrix.diag([-1, 1]),
    "another negative eigenvalue": new Matrix([
      [1, 5],
      [4, 1.7],
    ]),
    "a half turn": Matrix.eye(2).mul(-1),
    zero: Matrix.zeros(3, 3),
    nilpotent: new Matrix([
      [0, 1],
      [0, 0],
    ]),
    singular: Matrix.ones(2, 2),
    "of rank 3": randomMatrix(6, 3, 1).mmul(randomMatrix(3, 6, 2)),
    "a half turn in space": rotation3([2 / 3, -1 / 3, 2 / 3], Math.PI),
    "-1 twice, in one Jordan block": conjugated(new Matrix([[-1, 1, 0], [0, -1, 0], [0, 0, 2]])), // biome-ignore format: a matrix
    "-1e10 and 1e-10": conjugated(Matrix.diag([-1e10, 1e-10])),
    "1e-17 by rounding": conjugated(Matrix.diag([1, 1e-17, 2, 3])),
    "a projector": Matrix.sub(Matrix.eye(4), Matrix.ones(4, 4).div(4)),
  };
  for (const R of Object.values(none))
    throwsCode(() => log(R), "ERR_LCONV_ARGUMENT", "log: R", "no real principal logarithm", "smaller step");
  throwsCode(() => log(Matrix.diag([2, -0.5])), "ERR_LCONV_ARGUMENT", "expected no eigenvalue on the negative real axis or at 0, got -0.5");
});

test("misuse is refused", () => {
  throwsCode(
    () =>
      log(
        new Matrix([
          [1, Number.NaN],
          [0, 1],
        ]),
      ),
    "ERR_LCONV_ARGUMENT",
    "log: R",
    "(0, 1) is NaN",
  );
  throwsCode(() => log(Matrix.diag([1, Number.POSITIVE_INFINITY])), "ERR_LCONV_ARGUMENT", "log: R", "(1, 1) is Infinity");
  throwsCode(() => log(Matrix.ones(2, 3)), "ERR_LCONV_SHAPE", "2 x 3");
});

test("the matrix that was passed is left as it is", () => {
  const R = rotation2(1);
  log(R);
  assert.equal(R.to2DArray(), rotation2(1).to2DArray());
});

test("diagonal entries far apart", () => {
  const L = log(Matrix.diag([1e300, 1e-300]));
  for (const [at, sign] of [1, -1].entries()) assert.ok(Math.abs(L.get(at, at) - sign * 300 * Math.LN10) < 1e-10);
});

test.run();
