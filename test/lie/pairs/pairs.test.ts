import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { principalAngles } from "../../../src/lie/generators/canonical.js";
import { apply, toDense } from "../../../src/lie/generators/generator.js";
import { translation } from "../../../src/lie/generators/grids.js";
import { so } from "../../../src/lie/generators/groups.js";
import { generatorsFromPairs, type PairsResult } from "../../../src/lie/pairs/pairs.js";
import { throwsCode } from "../../support/throws.js";
import { difference, randomMatrix } from "../random.js";
import { angles, basisOf, farthest, moved, rotations, within } from "./movedPairs.js";

const test = suite("lie/pairs");

const meanProducts = ({ epsilon }: PairsResult): Matrix => epsilon.mmul(epsilon.transpose()).mul(1 / epsilon.columns);

/** |y - exp(epsilon L) x| / |y - x| with exponentials of the test's own. */
const leftOver = (found: PairsResult, X: Matrix, Y: Matrix): number =>
  Matrix.sub(Y, moved(basisOf(found).dense(), found.epsilon, X)).norm() / Matrix.sub(Y, X).norm();

test("pairs that are all moved by the same t: L up to the factor t, of any kind", () => {
  const X = randomMatrix(5, 120, 1);
  for (const L of [rotations(5, [1, 2]), randomMatrix(5, 5, 2).mul(0.4), Matrix.eye(5)]) {
    const found = generatorsFromPairs(X, moved([L], Matrix.ones(1, 120).mul(0.3), X));
    assert.ok(farthest(found, [L]) < 1e-6, `angle ${farthest(found, [L])}`);
    assert.ok(found.residual < 1e-6);
    // The mean of epsilon^2 is 1, so the generator is 0.3 L, or -0.3 L.
    assert.ok(Math.abs(toDense(basisOf(found).generators[0]).norm() - 0.3 * L.norm()) < 1e-6);
    assert.equal([found.directions, found.notes], [5, []]);
  }
});

test("pairs that are moved by unknown t: L and every t, up to a common factor", () => {
  const [X, t] = [randomMatrix(6, 100, 3), within(0.5, 1, 100, 4)];
  for (const L of [rotations(6, [1, 0.5]), randomMatrix(6, 6, 5).mul(0.4)]) {
    const Y = moved([L], t, X);
    const found = generatorsFromPairs(X, Y);
    assert.ok(farthest(found, [L]) < 1e-5, `angle ${farthest(found, [L])}`);
    assert.ok(found.residual < 1e-5 && Math.abs(found.residual - leftOver(found, X, Y)) < 1e-8);
    assert.ok(Math.abs(meanProducts(found).get(0, 0) - 1) < 1e-9);
    const factor = found.epsilon.get(0, 0) / t.get(0, 0);
    assert.ok(difference(Matrix.mul(t, factor), found.epsilon) < 1e-4);
    assert.ok(difference(Matrix.mul(toDense(basisOf(found).generators[0]), factor), L) < 1e-4);
  }
});

test("movements up to a third of a period", () => {
  const X = randomMatrix(4, 80, 5);
  const L = rotations(4, [1, 0.5]);
  for (const t of [1, 2]) assert.ok(farthest(generatorsFromPairs(X, moved([L], within(t, 1, 80, 6), X)), [L]) < 1e-5);
});

test("movements beyond half a period: the residual is that of the pairs, and not above 1", () => {
  const X = randomMatrix(2, 50, 2);
  for (const t of [2.8, 3.1, 4]) {
    const Y = moved([rotations(2, [1])], Matrix.ones(1, 50).mul(t), X);
    const found = generatorsFromPairs(X, Y);
    assert.ok(found.residual <= 1 && Math.abs(found.residual - leftOver(found, X, Y)) < 1e-3, `${found.residual}`);
  }
});

test("known t: L with its scale", () => {
  const [X, t, L] = [randomMatrix(5, 150, 6), within(0.6, 1, 150, 7), randomMatrix(5, 5, 8).mul(0.5)];
  const found = generatorsFromPairs(X, moved([L], t, X), { t: Float64Array.from(t.to1DArray()) });
  assert.ok(difference(toDense(basisOf(found).generators[0]), L) < 1e-6);
  assert.equal(found.epsilon.to2DArray(), t.to2DArray());
});

test("two commuting generators: their span, by orthonormal epsilon", () => {
  const truth = [rotations(6, [1, 1, 1]), rotations(6, [1, -1])];
  const [X, t] = [randomMatrix(6, 100, 2), within(0.3, 2, 100, 3)];
  const Y = moved(truth, t, X);
  const found = generatorsFromPairs(X, Y, { n_L: 2 });
  assert.is(basisOf(found).n_L, 2);
  assert.ok(farthest(found, truth) < 1e-4, `angles ${angles(found, truth)}`);
  assert.ok(difference(meanProducts(found), Matrix.eye(2)) < 1e-9);
  assert.ok(Math.abs(found.residual - leftOver(found, X, Y)) < 1e-8);
  const single = generatorsFromPairs(X, Y);
  assert.ok(single.residual > 0.2, "one generator is not enough");
});

test("noise moves the result by about as much", () => {
  const [X, t, L] = [randomMatrix(5, 400, 9), within(0.5, 1, 400, 10), rotations(5, [1, 0.7])];
  const clean = moved([L], t, X);
  const found = [0.01, 0.04].map((level) => generatorsFromPairs(X, Matrix.add(clean, randomMatrix(5, 400, 11).mul(level))));
  const [less, more] = found.map((result) => farthest(result, [L]));
  assert.ok(less < 0.01 && more < 0.04 && less < more, `${less}, ${more}`);
  const share = (level: number): number => (level * Math.sqrt(5 * 400)) / Matrix.sub(clean, X).norm();
  assert.ok(found[0].residual > 0.7 * share(0.01) && found[0].residual < 1.1 * share(0.01));
});

test("signals shifted by unknown amounts: the translation", () => {
  const d = 15;
  const [truth] = translation(d).dense();
  const waves = new Matrix(
    Array.from({ length: d }, (_, mu) =>
      [1, 2, 3, 4].flatMap((p) => [Math.cos((2 * Math.PI * p * mu) / d), Math.sin((2 * Math.PI * p * mu) / d)]),
    ),
  );
  const X = waves.mmul(randomMatrix(8, 100, 12));
  const Y = moved([truth], within(1, 1, 100, 13), X);
  const found = generatorsFromPairs(X, Y);
  assert.is(found.directions, 8);
  assert.is(basisOf(found).generators[0].form, "lowRank");
  assert.ok(principalAngles(basisOf(found), translation(d), { data: X })[0] < 1e-4);
});

/** Points of the plane with a third coordinate that is always `one`. */
const homogeneous = (one: number, seed: number): Matrix =>
  new Matrix([...randomMatrix(2, 60, seed).to2DArray(), new Array<number>(60).fill(one)]);

test("rotation beside a large constant position, which most of the variance is in", () => {
  const L = rotations(3, [1]);
  for (const one of [1, 10, 100]) {
    const X = homogeneous(one, 14);
    const found = generatorsFromPairs(X, moved([L], within(0.5, 1, 60, 15), X), { variance: 1 });
    assert.ok(found.residual < 1e-3 && farthest(found, [L]) < 1e-3, `residual ${found.residual} at ${one}`);
  }
});

test("where the constant position is all that the directions hold, nothing moves there, and that is said", () => {
  const half = randomMatrix(2, 30, 22).to2DArray();
  const plane = half.map((row) => [...row, ...row.map((value) => -value)]); // x and -x: exactly uncorrelated with the constant
  const X = new Matrix([...plane, new Array<number>(60).fill(100)]);
  const L = rotations(3, [1]);
  const Y = moved([L], Matrix.ones(1, 60).mul(0.3), X);
  const all = generatorsFromPairs(X, Y, { variance: 1 });
  assert.ok(all.residual < 0.01 && farthest(all, [L]) < 0.01, `angle ${farthest(all, [L])}, residual ${all.residual}`);
  throwsCode(() => generatorsFromPairs(X, Y, { variance: 0.99 }), "ERR_LCONV_ARGUMENT", "1 principal direction", "variance 0.99");
});

test("translation in homogeneous coordinates: its direction, which is all that unknown t determine", () => {
  for (const one of [1, 10]) {
    for (const seed of [14, 16, 20]) {
      const X = homogeneous(one, seed);
      const L = Matrix.zeros(3, 3)
        .set(0, 2, 0.3 / one)
        .set(1, 2, -0.3 / one);
      const found = generatorsFromPairs(X, moved([L], randomMatrix(1, 60, seed + 1), X), { variance: 1 });
      assert.ok(found.residual < 1e-5, `residual ${found.residual} at ${one}`);
      const image = apply(basisOf(found).generators[0], X); // of any w v^T along w = (1, -1, 0)
      assert.ok(new Matrix([[1, 1, 0], [0, 0, 1]]).mmul(image).norm() < 1e-4 * image.norm()); // biome-ignore format: one matrix
    }
  }
});

test("variance: what is hardly seen is left alone where less than all is asked for", () => {
  const [L, t] = [rotations(6, [1, 0.8, 0.6]), within(0.4, 1, 100, 16)];
  const X = Matrix.diag([1, 1, 1, 1, 1e-3, 1e-3]).mmul(randomMatrix(6, 100, 17));
  const Y = moved([L], t, X);
  const [most, all] = [generatorsFromPairs(X, Y, { variance: 0.9999 }), generatorsFromPairs(X, Y)];
  assert.equal([most.directions, all.directions], [4, 6]);
  assert.equal([basisOf(most).generators[0].form, basisOf(all).generators[0].form], ["lowRank", "dense"]);
  assert.ok(farthest(all, [L]) < 1e-3);
  assert.ok(farthest(most, [rotations(6, [1, 0.8])]) < 1e-3);
  const unseen = new Matrix([0, 0, 0, 0, 1, 1].map((value) => [value]));
  assert.ok(apply(basisOf(most).generators[0], unseen).norm() < 1e-3 && apply(basisOf(all).generators[0], unseen).norm() > 0.05);
});

test("more rounds make it better", () => {
  const [X, Y] = [randomMatrix(5, 60, 18), randomMatrix(5, 60, 19)];
  const [few, many] = [1, 24].map((rounds) => generatorsFromPairs(X, Y, { rounds, variance: 0.5 }).residual);
  assert.ok(few - many > 0.05, `${few}, ${many}`);
});

test("pairs that belong to nothing are said to be explained little; the same input gives the same result", () => {
  const [X, Y] = [randomMatrix(5, 60, 18), randomMatrix(5, 60, 19)];
  const found = generatorsFromPairs(X, Y, { rounds: 20 });
  assert.ok(found.residual > 0.5 && found.residual <= 1, `${found.residual}`);
  assert.match(found.notes.join(), "explain little");
  assert.equal(generatorsFromPairs(X, Y, { rounds: 20 }).epsilon, found.epsilon);
});

test("misuse", () => {
  const X = randomMatrix(3, 40, 20);
  const Y = moved([so(3).dense()[0]], within(0.5, 1, 40, 21), X);
  throwsCode(() => generatorsFromPairs(X, Y.subMatrix(0, 2, 0, 38)), "ERR_LCONV_SHAPE", "[3, 40]", "[3, 39]");
  throwsCode(() => generatorsFromPairs(X, X), "ERR_LCONV_ARGUMENT", "the same");
  throwsCode(() => generatorsFromPairs(X, Matrix.zeros(3, 40).fill(Number.NaN)), "ERR_LCONV_ARGUMENT", "not finite");
  throwsCode(() => generatorsFromPairs(X.clone().set(1, 1, Number.POSITIVE_INFINITY), Y), "ERR_LCONV_ARGUMENT", "not finite");
  throwsCode(() => generatorsFromPairs(new Matrix(3, 0), new Matrix(3, 0)), "ERR_LCONV_ARGUMENT", "0 pairs");
  const few = (A: Matrix): Matrix => A.subMatrix(0, 2, 0, 4);
  throwsCode(() => generatorsFromPairs(few(X), few(Y), { n_L: 2 }), "ERR_LCONV_ARGUMENT", "5 pairs", "at least 14");
  throwsCode(() => generatorsFromPairs(X, Y, { nL: 2 } as object), "ERR_LCONV_OPTION", "n_L");
  const bad: [object, string][] = [
    [{ n_L: 0 }, "n_L"],
    [{ n_L: 10 }, "n_L"],
    [{ rounds: 0 }, "rounds"],
    [{ variance: 0 }, "variance"],
    [{ variance: 1.1 }, "variance"],
    [{ t: [1, 2] }, "40 pairs"],
    [{ t: new Array(40).fill(1), n_L: 2 }, "one generator"],
    [{ t: new Array(40).fill(0) }, "zero for all"],
    [{ t: new Array(40).fill(Number.NaN) }, "finite"],
  ];
  for (const [options, text] of bad) throwsCode(() => generatorsFromPairs(X, Y, options), "ERR_LCONV_ARGUMENT", text);
});

test.run();
