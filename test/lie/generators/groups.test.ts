import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { toDense } from "../../../src/lie/generators/generator.js";
import { affineAlgebra, allOnes, gl, graphFlow, heisenberg, scaling, se2, sl, so, so13 } from "../../../src/lie/generators/groups.js";
import { throwsCode } from "../../support/throws.js";
import { difference } from "../random.js";

const test = suite("lie/groups");
const commutator = (A: Matrix, B: Matrix): Matrix => Matrix.sub(A.mmul(B), B.mmul(A));

test("so(n): antisymmetric, n (n - 1) / 2 of them", () => {
  for (const n of [2, 3, 6]) {
    assert.is(so(n).n_L, (n * (n - 1)) / 2);
    for (const L of so(n).dense()) assert.ok(difference(L.transpose(), Matrix.mul(L, -1)) === 0);
  }
});

test("sl(n) has trace 0, gl(n) is one-hot", () => {
  assert.is(sl(4).n_L, 15);
  for (const L of sl(4).dense()) assert.is(L.trace(), 0);
  gl(3)
    .dense()
    .forEach((L, k) => {
      assert.is(L.get(Math.floor(k / 3), k % 3), 1);
      assert.is(L.sum(), 1);
    });
});

test("gl(64) is 4,096 generators of one entry each, none of them stored dense", () => {
  const { generators, n_L } = gl(64);
  assert.is(n_L, 4096);
  assert.ok(generators.every((g) => g.form === "sparse" && g.values.length === 1));
});

test("se(2), Heisenberg and aff(1) obey their commutators", () => {
  const [R, X, Y] = se2().dense();
  assert.is(difference(commutator(R, X), Y), 0);
  assert.is(difference(commutator(R, Y), Matrix.mul(X, -1)), 0);
  assert.is(difference(commutator(X, Y), Matrix.zeros(3, 3)), 0);
  const [A, B, C] = heisenberg().dense();
  assert.is(difference(commutator(A, B), C), 0);
  const [E, T] = affineAlgebra(1).dense();
  assert.is(difference(commutator(E, T), T), 0);
});

test("so(1, 3) keeps the Minkowski metric: L^T eta + eta L = 0", () => {
  const eta = Matrix.diag([-1, 1, 1, 1]);
  for (const L of so13().dense()) assert.is(difference(Matrix.add(L.transpose().mmul(eta), eta.mmul(L)), Matrix.zeros(4, 4)), 0);
});

test("scaling and the all-ones generator", () => {
  assert.is(difference(scaling(3).dense()[0], Matrix.eye(3)), 0);
  const ones = allOnes(5);
  assert.is(ones.generators[0].form, "lowRank");
  assert.is(difference(ones.dense()[0], Matrix.ones(5, 5)), 0);
});

// a path 0 - 1 - 2, the second edge of weight 2
const edges = [
  [0, 1, 1],
  [1, 0, 1],
  [1, 2, 2],
  [2, 1, 2],
] as const;

test("graph flows lambda (A - I) with each normalisation, by hand", () => {
  const A = new Matrix([
    [0, 1, 0],
    [1, 0, 2],
    [0, 2, 0],
  ]);
  const flow = (normalized: Matrix, lambda: number): Matrix => Matrix.mul(Matrix.sub(normalized, Matrix.eye(3)), lambda);
  const L = (options: Parameters<typeof graphFlow>[2]): Matrix => toDense(graphFlow(3, edges, options).generators[0]);
  assert.ok(difference(L({ normalization: "none", lambda: 0.5 }), flow(A, 0.5)) < 1e-15);
  assert.ok(difference(L({ normalization: "randomWalk" }), flow(Matrix.diag([1, 1 / 3, 1 / 2]).mmul(A), 1)) < 1e-15);
  const half = Matrix.diag([1, 1 / Math.sqrt(3), 1 / Math.sqrt(2)]);
  assert.ok(difference(L({}), flow(half.mmul(A).mmul(half), 1)) < 1e-15);
  const looped = Matrix.add(A, Matrix.eye(3));
  const halfLooped = Matrix.diag([2, 4, 3].map((degree) => 1 / Math.sqrt(degree)));
  assert.ok(difference(L({ selfLoops: true }), flow(halfLooped.mmul(looped).mmul(halfLooped), 1)) < 1e-15);
});

test("misuse", () => {
  for (const make of [so, sl]) throwsCode(() => make(1), "ERR_LCONV_ARGUMENT", "from 2");
  throwsCode(() => graphFlow(4, edges), "ERR_LCONV_ARGUMENT", "node 3", "selfLoops");
  throwsCode(() => graphFlow(3, edges, { normalization: "symetric" as never }), "ERR_LCONV_ARGUMENT", "symetric");
  throwsCode(() => graphFlow(3, edges, { lamda: 1 } as never), "ERR_LCONV_OPTION", 'did you mean "lambda"?');
  throwsCode(() => graphFlow(2, edges), "ERR_LCONV_ARGUMENT", "place 2");
});

test.run();
