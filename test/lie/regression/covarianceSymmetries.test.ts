import fc from "fast-check";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denseBasis } from "../../../src/lie/generators/basis.js";
import { principalAngles } from "../../../src/lie/generators/canonical.js";
import { combination, inner, norm, toDense } from "../../../src/lie/generators/generator.js";
import { type CovarianceSymmetries, covarianceSymmetries } from "../../../src/lie/regression/covarianceSymmetries.js";
import { throwsCode } from "../../support/throws.js";
import { nullSpace, taylorExp } from "../naive.js";
import { difference, randomMatrix } from "../random.js";

const test = suite("lie/covarianceSymmetries");

const lie = (L: Matrix, H: Matrix): Matrix => Matrix.add(L.mmul(H), H.mmul(L.transpose()));
/** X [d, n] whose rows are correlated. */
const correlated = (d: number, n: number, seed: number): Matrix => randomMatrix(d, d, seed).mmul(randomMatrix(d, n, seed + 1));
const allOnes = (algebra: CovarianceSymmetries): Matrix => algebra.antisymmetric(new Float64Array(algebra.dimension).fill(1));
/** Solutions of L H + H L^T = 0 by a null space of d^2 x d^2. */
const naiveAlgebra = (H: Matrix): Matrix[] => nullSpace([[H.rows, H.rows]], ([L]) => [lie(L, H)]).map(([L]) => L);

test("the algebra is the null space of L -> L H + H L^T", () => {
  for (let d = 2; d <= 5; d++) {
    const found = covarianceSymmetries(correlated(d, 40, d), { center: d % 2 === 0 });
    const naive = naiveAlgebra(found.covariance.H);
    assert.is(found.dimension, (d * (d - 1)) / 2);
    assert.is(naive.length, found.dimension);
    assert.is(found.unseenDimension, 0);
    const angles = principalAngles(found.basis(), denseBasis(naive));
    assert.is(angles.length, found.dimension);
    assert.ok(Math.max(...angles) < 1e-6, `angles ${angles}`);
  }
});

test("of a singular H without ridge: range and unseen part together are the null space", () => {
  const d = 5;
  const found = covarianceSymmetries(randomMatrix(d, 3, 1).mmul(randomMatrix(3, 40, 2)), { ridge: 0 });
  const { H, range } = found.covariance;
  assert.is(found.rank, 3);
  assert.is(found.dimension, 3);
  assert.is(found.unseenDimension, 10);
  const naive = naiveAlgebra(H);
  assert.is(naive.length, 13);
  assert.ok(Math.max(...principalAngles(found.basis(), denseBasis(naive))) < 1e-6);
  const Q = range as Matrix;
  const unseen = Matrix.sub(Matrix.eye(d), Q.mmul(Q.transpose())); // every L = M (I - P) keeps H
  const any = randomMatrix(d, d, 3).mmul(unseen);
  assert.ok(lie(any, H).norm() < 1e-10);
  assert.ok(found.contains(Matrix.add(any, toDense(found.basis().generators[0]))));
});

test("exp(t L) keeps H to 1e-5, for well and badly conditioned data", () => {
  for (const [stretch, t] of [
    [1, 1],
    [1, 3],
    [1e3, 0.5],
  ]) {
    const found = covarianceSymmetries(randomMatrix(6, 200, 5).mulRow(0, stretch));
    const { H } = found.covariance;
    const u = taylorExp(toDense(found.generator(allOnes(found))), t);
    assert.ok(difference(u, Matrix.eye(6)) > 0.1, "u moves");
    assert.ok(Matrix.sub(u.mmul(H).mmul(u.transpose()), H).norm() < 1e-5 * H.norm());
  }
});

test("with an automatic ridge exp(t L) keeps H + ridge I to 1e-5, and not H: residualOfData says it", () => {
  const found = covarianceSymmetries(randomMatrix(5, 3, 1).mmul(randomMatrix(3, 40, 2)));
  assert.is(found.dimension, 10);
  const L = toDense(found.generator(allOnes(found)));
  const kept = found.kept();
  const u = taylorExp(L, 0.3);
  assert.ok(Matrix.sub(u.mmul(kept).mmul(u.transpose()), kept).norm() < 1e-5 * kept.norm());
  const { residual, residualOfData } = found.exactness();
  assert.ok(residual < 1e-9);
  assert.ok(residualOfData > 0.1, "it mixes the range with null directions");
  const { H } = found.covariance;
  assert.ok(Matrix.sub(u.mmul(H).mmul(u.transpose()), H).norm() > 0.1 * H.norm());
  const exact = covarianceSymmetries(randomMatrix(5, 3, 1).mmul(randomMatrix(3, 40, 2)), { ridge: 0 }).exactness();
  assert.ok(exact.residualOfData < 1e-10 && exact.leak < 1e-10);
});

test("generator, apply, basis and coefficients agree", () => {
  for (const options of [{}, { ridge: 0 }]) {
    const found = covarianceSymmetries(randomMatrix(5, 4, 1).mmul(randomMatrix(4, 40, 2)), options);
    const c = randomMatrix(1, found.dimension, 6).getRow(0);
    const A = found.antisymmetric(c);
    const L = toDense(found.generator(A));
    assert.ok(difference(L, toDense(combination(found.basis().generators, c))) < 1e-8);
    const X = randomMatrix(5, 3, 8);
    assert.ok(difference(found.apply(A, X), L.mmul(X)) < 1e-8);
    for (const g of found.basis().generators) assert.is(g.form === "lowRank" && g.U.columns, 2);
  }
});

test("what contains, defect and project say: in the algebra, near it, far from it", () => {
  const found = covarianceSymmetries(correlated(6, 100, 3));
  const L = toDense(found.generator(allOnes(found)));
  assert.ok(found.contains(L));
  assert.ok(difference(found.project(L).L, L) < 1e-9);
  const { residual, residualOfData, distance, leak } = found.defect(L);
  assert.ok(Math.max(residual, residualOfData, distance) < 1e-12);
  assert.is(leak, 0);
  assert.not(found.contains(Matrix.eye(6)), "scaling keeps no covariance");
  assert.ok(Math.abs(found.defect(Matrix.eye(6)).distance - 1) < 1e-12, "and is orthogonal to the algebra");
  assert.ok(Math.abs(found.defect(Matrix.eye(6)).residual - 2) < 1e-12);
  const noise = randomMatrix(6, 6, 4).mul(1e-3);
  assert.not(found.contains(Matrix.add(L, noise)));
  assert.ok(found.contains(Matrix.add(L, noise), 1e-1));
  assert.ok(found.contains(Matrix.zeros(6, 6)));
});

test("project is idempotent, lands in the algebra and leaves a rest orthogonal to it in the whitened metric", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 7 }), fc.nat(1000), (d, seed) => {
      const found = covarianceSymmetries(correlated(d, 60, seed));
      const L = randomMatrix(d, d, seed + 7);
      const nearest = found.project(L);
      assert.ok(found.contains(nearest, 1e-7));
      assert.ok(difference(found.project(nearest).L, nearest.L) < 1e-7);
      const rest = found.whitened(Matrix.sub(L, nearest.L));
      for (const g of found.basis().generators) {
        const W = found.whitened(g);
        const cosine = inner({ form: "dense", d, L: rest }, { form: "dense", d, L: W }) / (rest.norm() * W.norm());
        assert.ok(Math.abs(cosine) < 1e-7);
      }
    }),
    { numRuns: 30, seed: 2 },
  );
});

test("a random L is 0.7 away: the sine falls where the dimensions put it", () => {
  const found = covarianceSymmetries(randomMatrix(8, 4000, 1)); // H near I
  const distances = Array.from({ length: 50 }, (_, k) => found.defect(randomMatrix(8, 8, 100 + k)).distance);
  const mean = distances.reduce((sum, value) => sum + value, 0) / 50;
  assert.ok(Math.abs(mean - Math.sqrt(36 / 64)) < 0.02); // 36 of 64 dimensions are symmetric
});

test("an L that leaves the range of a singular H is told by leak", () => {
  const X = randomMatrix(3, 50, 1);
  X.setRow(2, new Array(50).fill(0));
  const found = covarianceSymmetries(X, { ridge: 0 });
  const turns = Matrix.zeros(3, 3).set(2, 0, 1); // from the range to the null direction
  assert.ok(Math.abs(found.defect(turns).leak - 1) < 1e-12);
  assert.not(found.contains(turns));
  assert.ok(found.contains(turns.transpose()), "from the null direction to the range: no sample sees it");
});

test("centring: the affine maps x -> m + exp(t L)(x - m) keep the H of the paper, with a row of ones", () => {
  const [d, n] = [4, 50];
  const X = correlated(d, n, 1).add(2);
  const found = covarianceSymmetries(X);
  const L = toDense(found.generator(allOnes(found)));
  const ones = Matrix.zeros(d + 1, n)
    .setSubMatrix(X, 0, 0)
    .setRow(d, new Array(n).fill(1));
  const affine = Matrix.zeros(d + 1, d + 1)
    .setSubMatrix(L, 0, 0)
    .setSubMatrix(L.mmul(Matrix.columnVector([...found.covariance.mean])).mul(-1), 0, d);
  const raw = ones.mmul(ones.transpose()).div(n);
  assert.ok(lie(affine, raw).norm() < 1e-10 * raw.norm());
  assert.ok(covarianceSymmetries(ones, { center: false }).contains(affine, 1e-8), "as a member of the larger algebra");
  assert.not(covarianceSymmetries(X, { center: false }).contains(L), "H of the raw rows is another matrix");
});

test("d = 1 and rank 1 have no generators", () => {
  const found = covarianceSymmetries(randomMatrix(1, 9, 1));
  assert.is(found.dimension, 0);
  assert.ok(norm(found.generator(found.antisymmetric([]))) === 0);
  throwsCode(() => found.basis(), "ERR_LCONV_ARGUMENT", "no generators");
});

test("misuse", () => {
  const found = covarianceSymmetries(randomMatrix(4, 30, 1));
  throwsCode(() => found.antisymmetric([1, 2]), "ERR_LCONV_SHAPE", "6 coefficients", "got 2");
  throwsCode(() => found.generator(Matrix.eye(4)), "ERR_LCONV_ARGUMENT", "antisymmetric");
  throwsCode(() => found.generator(Matrix.zeros(3, 3)), "ERR_LCONV_SHAPE", "[4, 4]");
  throwsCode(() => found.apply(Matrix.zeros(4, 4), Matrix.zeros(3, 2)), "ERR_LCONV_SHAPE", "4 rows", "[3, 2]");
  throwsCode(() => found.defect(Matrix.zeros(4, 3)), "ERR_LCONV_SHAPE", "[4, 3]");
  throwsCode(() => covarianceSymmetries(randomMatrix(2, 9, 1), { centre: true } as object), "ERR_LCONV_OPTION", 'did you mean "center"');
});

test("a basis that would not fit is refused by its size; the operator form works", () => {
  const found = covarianceSymmetries(randomMatrix(160, 400, 1));
  assert.is(found.dimension, 12720);
  throwsCode(() => found.basis(), "ERR_LCONV_ARGUMENT", "12720 dense 160 x 160", "apply");
  const A = allOnes(found);
  const x = randomMatrix(160, 1, 2);
  const y = found.apply(A, x);
  const Hx = found.covariance.inverseRoot.mmul(found.covariance.inverseRoot).mmul(x); // x^T H^-1 L x = 0: L turns on the ellipsoid
  assert.ok(Math.abs(Hx.transpose().mmul(y).get(0, 0)) < 1e-9 * Hx.norm() * y.norm());
});

test.run();
