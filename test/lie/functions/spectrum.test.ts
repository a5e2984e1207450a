import { inverse, Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox, streams } from "../../../src/engine/random.js";
import type { Eigenvalue } from "../../../src/lie/functions/eigenvalues.js";
import { spectrum } from "../../../src/lie/functions/spectrum.js";
import { dense, lowRank } from "../../../src/lie/generators/generator.js";
import { affine, affineNames, shifts } from "../../../src/lie/generators/grids.js";
import { so } from "../../../src/lie/generators/groups.js";

const test = suite("lie/spectrum");

function assertNear(found: readonly Eigenvalue[], expected: readonly (readonly [re: number, im: number])[], tolerance: number): void {
  assert.is(found.length, expected.length);
  found.forEach(({ re, im }, k) => {
    assert.ok(Math.hypot(re - expected[k][0], im - expected[k][1]) <= tolerance, `eigenvalue ${k}: ${re} + ${im} i, not ${expected[k]}`);
  });
}

test("closed forms: rotations, a circle of shifts, a nilpotent and a triangular matrix, zero", () => {
  assertNear(spectrum(so(2).generators[0]), [[0, 1], [0, -1]], 1e-14); // biome-ignore format: two pairs
  assertNear(spectrum(dense([[0, 1, 0], [-1, 0, 1], [0, -1, 0]])), [[0, Math.SQRT2], [0, -Math.SQRT2], [0, 0]], 1e-14); // biome-ignore format: a matrix
  const [circle] = shifts([8], [[1]], { boundary: "circular" }).generators;
  const roots = spectrum(circle).map(({ re, im }) => [re, im]);
  for (const [re, im] of roots) {
    const turns = (8 * Math.atan2(im, re)) / (2 * Math.PI);
    assert.ok(Math.abs(Math.hypot(re, im) - 1) < 1e-12 && Math.abs(turns - Math.round(turns)) < 1e-10, `${re} + ${im} i`);
  }
  assertNear(spectrum(dense([[0, 1], [0, 0]])), [[0, 0], [0, 0]], 1e-7); // biome-ignore format: a matrix, ill-conditioned
  assertNear(spectrum(dense([[1, 5, 6], [0, -3, 7], [0, 0, 2]])), [[-3, 0], [2, 0], [1, 0]], 1e-12); // biome-ignore format: a matrix
  assertNear(spectrum(dense([[0, 0], [0, 0]])), [[0, 0], [0, 0]], 0); // biome-ignore format: a matrix
});

test("flows on images end, and turn only: the eigenvalues of an antisymmetric matrix are imaginary", () => {
  for (const n of [5, 7, 9]) {
    for (const name of affineNames) {
      const [L] = affine(n, n, { only: [name] }).generators;
      assert.is(spectrum(L).length, n * n, name);
    }
    const [L] = affine(n, n, { only: ["translate-y"] }).generators;
    for (const { re } of spectrum(L)) assert.ok(Math.abs(re) < 1e-10, String(re));
  }
});

test("random matrices: sums of powers are traces of powers, and a change of basis leaves them", () => {
  const random = new Philox(3, streams.user);
  for (const n of [1, 2, 3, 7, 30, 60]) {
    const A = Matrix.from1DArray(n, n, random.normal(n * n));
    const found = spectrum(dense(A));
    const power = (k: number): number =>
      found.reduce((sum, { re, im }) => sum + Math.hypot(re, im) ** k * Math.cos(k * Math.atan2(im, re)), 0);
    let product = Matrix.eye(n);
    for (let k = 1; k <= 4; k++) {
      product = product.mmul(A);
      assert.ok(
        Math.abs(power(k) - product.trace()) <= 1e-11 * n * A.norm() ** k,
        `n ${n}, power ${k}: ${power(k)}, not ${product.trace()}`,
      );
    }
    const P = Matrix.from1DArray(n, n, random.normal(n * n));
    assertNear(spectrum(dense(P.mmul(A).mmul(inverse(P)))), found.map(({ re, im }) => [re, im] as const), 1e-7); // biome-ignore format: one call
  }
});

test("low rank: the eigenvalues of V U are those of U V that are not 0", () => {
  const U = new Matrix([[1, 0], [2, 1], [0, 3], [1, 1]]); // biome-ignore format: a matrix
  const V = new Matrix([[0, 1, 0, 2], [-1, 0, 1, 0]]); // biome-ignore format: a matrix
  const found = spectrum(lowRank(U, V));
  const all = spectrum(dense(U.mmul(V))).slice(0, 2);
  assertNear(found, all.map(({ re, im }) => [re, im] as const), 1e-12); // biome-ignore format: one call
});

test.run();
