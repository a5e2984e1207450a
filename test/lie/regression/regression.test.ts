import fc from "fast-check";
import { Matrix, solve } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Basis, denseBasis } from "../../../src/lie/generators/basis.js";
import { principalAngles } from "../../../src/lie/generators/canonical.js";
import { combination, toDense } from "../../../src/lie/generators/generator.js";
import { type RegressionOptions, type RegressionSymmetries, regressionSymmetries } from "../../../src/lie/regression/regression.js";
import { throwsCode } from "../../support/throws.js";
import { nullSpace, taylorExp } from "../naive.js";
import { difference, randomMatrix } from "../random.js";

const test = suite("lie/regression");

/** (L, L_c) as one block-diagonal matrix, so that spans of pairs can be compared as spans of matrices. */
function block(L: Matrix, L_c: Matrix): Matrix {
  const size = L.rows + L_c.rows;
  return Matrix.zeros(size, size).setSubMatrix(L, 0, 0).setSubMatrix(L_c, L.rows, L.rows);
}
const pairBasis = (found: RegressionSymmetries): Basis => denseBasis(found.pairs().map(({ L, L_c }) => block(toDense(L), L_c)));

/** The pairs by a null space of everything at once. */
function naivePairs(H: Matrix, C: Matrix, labels: "free" | "fixed"): Matrix[] {
  const [d, c] = [H.rows, C.rows];
  const conditions = (L: Matrix, L_c: Matrix) => [
    Matrix.add(L.mmul(H), H.mmul(L.transpose())),
    Matrix.add(L_c.mmul(C), C.mmul(L.transpose())),
  ];
  if (labels === "fixed") return nullSpace([[d, d]], ([L]) => conditions(L, Matrix.zeros(c, c))).map(([L]) => block(L, Matrix.zeros(c, c)));
  const shapes = [
    [d, d],
    [c, c],
  ] as const;
  return nullSpace(shapes, ([L, L_c]) => conditions(L, L_c)).map(([L, L_c]) => block(L, L_c));
}

interface Problem {
  d: number;
  c: number;
  /** Rank of the true regression. */
  k: number;
  noise: number;
  seed: number;
}
/** X [d, n] correlated and off centre, Y = R X + noise [c, n] with R of rank k. */
function makeProblem({ d, c, k, noise, seed }: Problem, n = 60): { X: Matrix; Y: Matrix; R: Matrix } {
  const X = randomMatrix(d, d, seed)
    .mmul(randomMatrix(d, n, seed + 1))
    .add(1);
  const R = k > 0 ? randomMatrix(c, k, seed + 2).mmul(randomMatrix(k, d, seed + 3)) : Matrix.zeros(c, d);
  return { X, Y: R.mmul(X).add(randomMatrix(c, n, seed + 4).mul(noise)), R };
}

test("dimension and span are those of the null space, for all ranks, with free and fixed labels", () => {
  for (const [d, c, k, noise] of [
    [2, 1, 1, 0],
    [3, 2, 2, 0.5],
    [4, 1, 1, 0],
    [4, 3, 2, 0],
    [5, 3, 3, 0],
    [5, 3, 1, 0],
    [3, 3, 3, 0.1],
    [2, 3, 2, 0],
    [4, 2, 0, 0],
  ]) {
    for (const options of [{}, { labels: "fixed" }, { center: false }] as RegressionOptions[]) {
      const { X, Y } = makeProblem({ d, c, k, noise, seed: 10 * d + c });
      const found = regressionSymmetries(X, Y, options);
      const naive = naivePairs(found.covariance.H, found.cross.C, options.labels ?? "free");
      const what = `d ${d}, c ${c}, k ${k}, ${JSON.stringify(options)}`;
      assert.is(found.rank, k, what);
      assert.is(naive.length, found.dimension, what);
      assert.is(found.pairs().length, found.dimension, what);
      if (found.dimension === 0) continue;
      const angles = principalAngles(pairBasis(found), denseBasis(naive));
      assert.is(angles.length, found.dimension);
      assert.ok(Math.max(...angles) < 1e-6, `${what}: ${angles}`);
    }
  }
});

test("dimensions: k (k - 1) / 2 rotations, (d - k)(d - k - 1) / 2 invariances, c (c - k) of labels alone", () => {
  const { X, Y } = makeProblem({ d: 6, c: 4, k: 3, noise: 0, seed: 3 });
  assert.equal(regressionSymmetries(X, Y).dimensions, { rotation: 3, invariance: 3, labels: 4 });
  assert.equal(regressionSymmetries(X, Y, { labels: "fixed" }).dimensions, { rotation: 0, invariance: 3, labels: 0 });
  assert.is(regressionSymmetries(X, Y).unsupervised.dimension, 15);
});

test("the regression R = Y X^T (X X^T)^-1 obeys L_c R = R L, and every pair keeps H and Y X^T", () => {
  fc.assert(
    fc.property(
      fc.record({
        d: fc.integer({ min: 2, max: 6 }),
        c: fc.integer({ min: 1, max: 4 }),
        noise: fc.constantFrom(0, 0.3),
        seed: fc.nat(1000),
      }),
      fc.boolean(),
      ({ d, c, noise, seed }, center) => {
        const { X, Y } = makeProblem({ d, c, k: Math.min(d, c), noise, seed });
        const found = regressionSymmetries(X, Y, { center });
        const { H } = found.covariance;
        const R = solve(H, found.cross.C.transpose()).transpose();
        assert.ok(difference(found.regression(), R) < 1e-8);
        for (const { L, L_c } of found.pairs()) {
          const M = toDense(L);
          assert.ok(Matrix.sub(L_c.mmul(R), R.mmul(M)).norm() < 1e-8 * R.norm() * (L_c.norm() + M.norm()));
          const residuals = found.residuals(L, L_c);
          assert.ok(residuals.covariance < 1e-8 && residuals.cross < 1e-8);
        }
      },
    ),
    { numRuns: 40, seed: 1 },
  );
});

test("the finite transformation: u H u^T = H and u_c Y X^T u^T = Y X^T to 1e-5, u_c R = R u; the labels of invariances stay", () => {
  const { X, Y } = makeProblem({ d: 6, c: 3, k: 3, noise: 0.2, seed: 8 });
  const found = regressionSymmetries(X, Y);
  const { H } = found.covariance;
  const { C } = found.cross;
  const R = found.regression();
  for (const { kind, L, L_c } of found.pairs()) {
    const [u, u_c] = [taylorExp(toDense(L), 1.3), taylorExp(L_c, 1.3)];
    assert.ok(Matrix.sub(u.mmul(H).mmul(u.transpose()), H).norm() < 1e-5 * H.norm());
    assert.ok(Matrix.sub(u_c.mmul(C).mmul(u.transpose()), C).norm() < 1e-5 * C.norm());
    assert.ok(Matrix.sub(u_c.mmul(R), R.mmul(u)).norm() < 1e-5 * R.norm());
    assert.ok(difference(u, Matrix.eye(6)) > 0.1);
    assert.is(difference(u_c, Matrix.eye(3)) > 1e-3, kind === "rotation");
  }
});

test("L_c keeps the covariance of the fitted labels, R H R^T", () => {
  const { X, Y } = makeProblem({ d: 5, c: 3, k: 2, noise: 0, seed: 2 });
  const found = regressionSymmetries(X, Y);
  const R = found.regression();
  const fitted = R.mmul(found.covariance.H).mmul(R.transpose());
  for (const { L_c } of found.pairs()) {
    const S = L_c.mmul(fitted);
    assert.ok(Matrix.add(S, S.transpose()).norm() < 1e-9 * fitted.norm());
  }
});

test("pair, apply, antisymmetric and pairs agree", () => {
  for (const options of [{}, { labels: "fixed" }, { ridge: 0.1 }] as RegressionOptions[]) {
    const { X, Y } = makeProblem({ d: 6, c: 3, k: 3, noise: 0, seed: 6 });
    const found = regressionSymmetries(X, Y, options);
    const listed = found.pairs().filter(({ kind }) => kind !== "labels");
    const c = randomMatrix(1, listed.length, 9).getRow(0);
    const A = found.antisymmetric(c);
    assert.ok(difference(found.restrict(A), A) < 1e-12, "it is restricted already");
    const { L, L_c } = found.pair(A);
    const generators = listed.map((pair) => pair.L);
    assert.ok(difference(L.L, toDense(combination(generators, c))) < 1e-8);
    const sum = Matrix.zeros(3, 3);
    for (const [k, pair] of listed.entries()) sum.add(pair.L_c.clone().mul(c[k]));
    assert.ok(difference(L_c, sum) < 1e-8);
    const points = randomMatrix(6, 4, 2);
    assert.ok(difference(found.apply(A, points), L.L.mmul(points)) < 1e-8);
    assert.is(found.basis().n_L, listed.length);
  }
});

test("project gives the nearest L with a partner; distance is the sine to it", () => {
  const { X, Y } = makeProblem({ d: 6, c: 2, k: 2, noise: 0.1, seed: 4 });
  const found = regressionSymmetries(X, Y);
  const L = randomMatrix(6, 6, 5);
  const near = found.project(L);
  assert.ok(found.residuals(near.L, near.L_c).covariance < 1e-9);
  assert.ok(found.residuals(near.L, near.L_c).cross < 1e-9);
  assert.ok(found.distance(near.L) < 1e-9);
  assert.ok(difference(found.project(near.L).L.L, near.L.L) < 1e-9);
  const { whitened } = found.unsupervised;
  const W = (M: Matrix): Matrix => whitened.call(found.unsupervised, M);
  assert.ok(Math.abs(found.distance(L) - W(Matrix.sub(L, near.L.L)).norm() / W(L).norm()) < 1e-9);
  // among all L of the basis, none is nearer
  for (const g of found.basis().generators) {
    const other = Matrix.add(near.L.L, toDense(g).mul(1e-3));
    assert.ok(W(Matrix.sub(L, other)).norm() > W(Matrix.sub(L, near.L.L)).norm());
  }
});

test("a singular H: with the automatic ridge the pairs keep H + ridge I and Y X^T, with ridge 0 those of the data", () => {
  const X = randomMatrix(5, 3, 1).mmul(randomMatrix(3, 50, 2));
  const Y = randomMatrix(2, 5, 3).mmul(X);
  const ridged = regressionSymmetries(X, Y);
  assert.equal(ridged.dimensions, { rotation: 1, invariance: 3, labels: 0 });
  assert.match(ridged.notes.join("; "), /rank 3 of 5: a ridge/);
  const exact = regressionSymmetries(X, Y, { ridge: 0 });
  assert.equal(exact.dimensions, { rotation: 1, invariance: 0, labels: 0 });
  for (const found of [ridged, exact]) {
    const { covariance, cross } = found.exactness();
    assert.ok(covariance < 1e-8 && cross < 1e-8);
  }
  const { H } = exact.covariance;
  const naive = naivePairs(H, exact.cross.C, "free");
  assert.is(naive.length, exact.dimension + exact.unsupervised.unseenDimension);
  assert.ok(Math.max(...principalAngles(pairBasis(exact), denseBasis(naive))) < 1e-6);
});

test("Y that does not depend on X, and constant Y: every L is an invariance, and it is said", () => {
  const { X } = makeProblem({ d: 4, c: 1, k: 1, noise: 0, seed: 1 });
  const found = regressionSymmetries(X, [new Array(60).fill(0.1)]);
  assert.equal(found.dimensions, { rotation: 0, invariance: 6, labels: 1 });
  assert.match(found.notes.join("; "), /Y does not depend on X/);
});

test("noise of the labels: a rank that it makes up is doubted, and the tolerance that the note names takes it away", () => {
  const n = 2000;
  const { X, Y } = makeProblem({ d: 6, c: 3, k: 1, noise: 0.1, seed: 12 }, n);
  const found = regressionSymmetries(X, Y);
  assert.is(found.rank, 3, "to float64 the rank is full");
  const note = found.notes.find((text) => text.includes("within the noise"));
  assert.match(note ?? "", /2 of 3 singular values/);
  const tolerance = Number(/a tolerance of (\S+)/.exec(note ?? "")?.[1]);
  const kept = regressionSymmetries(X, Y, { tolerance });
  assert.is(kept.rank, 1);
  assert.equal(kept.dimensions, { rotation: 0, invariance: 10, labels: 6 });
  // s (sqrt d + sqrt c) / sqrt n for noise of 0.1
  assert.ok(Math.abs(found.noise / ((0.1 * (Math.sqrt(6) + Math.sqrt(3))) / Math.sqrt(n)) - 1) < 0.1);
  const exact = makeProblem({ d: 6, c: 3, k: 3, noise: 0, seed: 12 });
  assert.is(regressionSymmetries(exact.X, exact.Y).noise, 0);
  assert.equal(regressionSymmetries(exact.X, exact.Y).notes, []);
});

test("too few samples: said, ridged, and the noise is not made up", () => {
  const found = regressionSymmetries(randomMatrix(6, 5, 1), randomMatrix(2, 5, 2));
  assert.ok(Number.isNaN(found.noise));
  assert.match(found.notes.join("; "), /5 samples for 6 dimensions.*ridge.*any Y would be fitted/);
});

test("units do not matter: rescaled inputs and labels give the same dimensions and the conjugated L", () => {
  const { X, Y } = makeProblem({ d: 4, c: 2, k: 2, noise: 0, seed: 5 });
  const M = randomMatrix(4, 4, 77);
  const [found, other] = [regressionSymmetries(X, Y), regressionSymmetries(M.mmul(X), Y.clone().mul(1e4))];
  assert.equal(other.dimensions, found.dimensions);
  const inverseM = solve(M, Matrix.eye(4));
  for (const { L } of found.pairs()) assert.ok(other.distance(M.mmul(toDense(L)).mmul(inverseM)) < 1e-8);
});

test("misuse", () => {
  const { X, Y } = makeProblem({ d: 4, c: 2, k: 2, noise: 0, seed: 5 });
  throwsCode(() => regressionSymmetries(X, Y, { label: "free" } as object), "ERR_LCONV_OPTION", 'did you mean "labels"');
  throwsCode(() => regressionSymmetries(X, Y, { labels: "none" } as object), "ERR_LCONV_ARGUMENT", "none");
  throwsCode(() => regressionSymmetries(X, Y, { tolerance: 1 }), "ERR_LCONV_ARGUMENT", "tolerance");
  throwsCode(() => regressionSymmetries(X, randomMatrix(2, 10, 1)), "ERR_LCONV_SHAPE", "[4, 60]", "[2, 10]");
  throwsCode(() => regressionSymmetries(X, Y.clone().set(1, 3, Number.NaN)), "ERR_LCONV_ARGUMENT", "Y[1, 3] is NaN");
  const found = regressionSymmetries(X, Y);
  throwsCode(() => found.antisymmetric([1]), "ERR_LCONV_SHAPE", "1 + 1 coefficients, got 1");
  throwsCode(() => found.residuals(Matrix.eye(4), Matrix.eye(3)), "ERR_LCONV_SHAPE", "[2, 2]", "[3, 3]");
  throwsCode(() => found.pair(Matrix.eye(3)), "ERR_LCONV_SHAPE", "[4, 4]");
  const one = regressionSymmetries(randomMatrix(1, 9, 1), randomMatrix(1, 9, 2));
  assert.is(one.dimension, 0);
  throwsCode(() => one.basis(), "ERR_LCONV_ARGUMENT", "there is no basis");
});

test("d = 200: a basis is refused by its size, the operator form keeps H and Y X^T", () => {
  const [d, c, n] = [200, 10, 600];
  const X = randomMatrix(d, n, 1);
  const found = regressionSymmetries(X, randomMatrix(c, d, 2).mmul(X));
  assert.equal(found.dimensions, { rotation: 45, invariance: 17955, labels: 0 });
  throwsCode(() => found.pairs(), "ERR_LCONV_ARGUMENT", "18000 dense 200 x 200", "apply");
  const A = found.antisymmetric(randomMatrix(1, 18000, 3).getRow(0));
  const { L, L_c } = found.pair(A);
  const residuals = found.residuals(L, L_c);
  assert.ok(residuals.covariance < 1e-10 && residuals.cross < 1e-10);
  assert.ok(difference(found.apply(A, X.subMatrixColumn([0, 1])), L.L.mmul(X.subMatrixColumn([0, 1]))) < 1e-9);
});

test.run();
