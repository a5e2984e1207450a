import { inverse, Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Basis, denseBasis } from "../../../src/lie/generators/basis.js";
import { balanced, canonical, cosines, principalAngles } from "../../../src/lie/generators/canonical.js";
import { combination, lowRank, toDense } from "../../../src/lie/generators/generator.js";
import { so } from "../../../src/lie/generators/groups.js";
import { throwsCode } from "../../support/throws.js";
import { difference, randomLowRank, randomMatrix } from "../random.js";

const test = suite("lie/canonical");
const mixed = (basis: Basis, C: Matrix): Basis => new Basis(C.to2DArray().map((row) => combination(basis.generators, row)));

test("orthonormal, ordered by |L_i| |W^i|, and the sum of L_i (x) W^i is kept", () => {
  const [basis, W] = [randomLowRank(3, 10, 2, 1), randomMatrix(3, 8, 20)];
  const found = canonical(basis, W);
  assert.ok(difference(found.basis.gram(), Matrix.eye(3)) < 1e-9);
  assert.ok(found.strengths.every((value, k) => k === 0 || value <= found.strengths[k - 1]));
  // W in the canonical basis is C^-T W; its rows have the strengths as norms.
  const transformed = inverse(found.coefficients.transpose()).mmul(W);
  found.strengths.forEach((value, k) => {
    assert.ok(Math.abs(Matrix.rowVector(transformed.getRow(k)).norm("frobenius") - value) < 1e-9);
  });
  const before = sumOf(basis, W);
  assert.ok(difference(sumOf(found.basis, transformed), before) < 1e-9);
});

/** sum_i vec(L_i) W^i */
function sumOf(basis: Basis, W: Matrix): Matrix {
  const rows = new Matrix(basis.dense().map((L) => L.to1DArray()));
  return rows.transpose().mmul(W);
}

test("the same for L -> C L, W -> C^-T W and for U -> U A, V -> A^-1 V", () => {
  const [basis, W] = [randomLowRank(3, 9, 2, 5), randomMatrix(3, 4, 6)];
  const [C, A] = [randomMatrix(3, 3, 7), randomMatrix(2, 2, 8)];
  const regauged = new Basis(basis.generators.map((g) => (g.form === "lowRank" ? lowRank(g.U.mmul(A), inverse(A).mmul(g.V)) : g)));
  const one = canonical(basis, W);
  const other = canonical(mixed(regauged, C), inverse(C.transpose()).mmul(W));
  one.basis.dense().forEach((L, k) => {
    assert.ok(difference(L, other.basis.dense()[k]) < 1e-7);
  });
  assert.ok(one.strengths.every((value, k) => Math.abs(value - other.strengths[k]) < 1e-9 * one.strengths[0]));
});

test("dependent generators give as many as there are dimensions; all zero is refused", () => {
  const [a, b] = [randomMatrix(5, 5, 1), randomMatrix(5, 5, 2)];
  assert.is(canonical(denseBasis([a, b, Matrix.add(a, b), Matrix.mul(a, -3)])).basis.n_L, 2);
  throwsCode(() => canonical(denseBasis([Matrix.zeros(3, 3)])), "ERR_LCONV_ARGUMENT", "zero");
});

test("balanced: the same product, U^T U = V V^T diagonal, no more columns than the rank", () => {
  const g = lowRank(
    randomMatrix(8, 3, 3),
    Matrix.zeros(3, 8)
      .add(0)
      .setSubMatrix(randomMatrix(2, 8, 4), 0, 0),
  );
  const found = balanced(g);
  assert.ok(found.form === "lowRank");
  if (found.form !== "lowRank") return;
  assert.is(found.U.columns, 2);
  assert.ok(difference(toDense(found), toDense(g)) < 1e-12);
  const [left, right] = [found.U.transpose().mmul(found.U), found.V.mmul(found.V.transpose())];
  assert.ok(difference(left, right) < 1e-12);
  assert.ok(difference(left, Matrix.diag(left.diagonal())) < 1e-12);
});

test("principal angles: 0 for a span in another basis, pi / 2 for orthogonal ones, the angle in between", () => {
  const basis = denseBasis([randomMatrix(4, 4, 1), randomMatrix(4, 4, 2)]);
  assert.ok(principalAngles(basis, mixed(basis, randomMatrix(2, 2, 3))).every((angle) => angle < 1e-6));
  const [R01, R02, R12] = so(3).dense();
  assert.ok(principalAngles(denseBasis([R01]), denseBasis([R12])).every((angle) => Math.abs(angle - Math.PI / 2) < 1e-12));
  const tilted = Matrix.add(Matrix.mul(R01, Math.cos(0.3)), Matrix.mul(R12, Math.sin(0.3)));
  const angles = principalAngles(denseBasis([R01, R02]), denseBasis([tilted, R02]));
  assert.ok(Math.abs(angles[0]) < 1e-6 && Math.abs(angles[1] - 0.3) < 1e-9, angles.join());
});

test("on data alone, generators that differ elsewhere are the same", () => {
  const L = randomMatrix(4, 4, 1);
  const X = Matrix.zeros(4, 5).setSubMatrix(randomMatrix(3, 5, 2), 0, 0); // the last position is always 0
  const other = L.clone();
  for (let mu = 0; mu < 4; mu++) other.set(mu, 3, 100);
  assert.ok(principalAngles(denseBasis([L]), denseBasis([other]))[0] > 1);
  assert.ok(principalAngles(denseBasis([L]), denseBasis([other]), { data: X })[0] < 1e-6);
  assert.ok(Math.abs(cosines(denseBasis([L]), denseBasis([other]), { data: X }).get(0, 0) - 1) < 1e-12);
});

test("plain cosines: corr = tr(A^T B) / (|A| |B|)", () => {
  const [A, B] = [randomMatrix(4, 4, 1), randomMatrix(4, 4, 2)];
  const by = A.transpose().mmul(B).trace() / (A.norm("frobenius") * B.norm("frobenius"));
  assert.ok(Math.abs(cosines(denseBasis([A]), denseBasis([B])).get(0, 0) - by) < 1e-12);
});

test("misuse", () => {
  throwsCode(() => canonical(so(3), randomMatrix(4, 2, 1)), "ERR_LCONV_SHAPE", "3 generators");
  throwsCode(() => principalAngles(so(3), so(4)), "ERR_LCONV_SHAPE", "3", "4");
});

test.run();
