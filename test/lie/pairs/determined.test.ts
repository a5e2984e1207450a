import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denseBasis } from "../../../src/lie/generators/basis.js";
import { principalAngles } from "../../../src/lie/generators/canonical.js";
import { so } from "../../../src/lie/generators/groups.js";
import { generatorsFromPairs, type PairsOptions, type PairsResult } from "../../../src/lie/pairs/pairs.js";
import { throwsCode } from "../../support/throws.js";
import { difference, randomMatrix } from "../random.js";
import { basisOf, farthest, moved, rotations, within } from "./movedPairs.js";

const test = suite("lie/pairsDetermined");

/** A matrix unit */
const unit = (d: number, row: number, column: number): Matrix => Matrix.zeros(d, d).set(row, column, 1);
const turnAndScale = [rotations(2, [1]), Matrix.eye(2)];
const translations = [unit(3, 0, 2), unit(3, 1, 2)];
/** Points (u, v, 1) */
const homogeneous = (N: number, seed: number): Matrix =>
  new Matrix([...randomMatrix(2, N, seed).to2DArray(), new Array<number>(N).fill(1)]);

/** Looks for L in pairs that it moves by t of standard deviation .5, with noise in y where it is given. */
function look(L: readonly Matrix[], X: Matrix, options: PairsOptions = {}, { seed = 2, noise = 0 } = {}): PairsResult {
  const m = options.channels ?? 1;
  const Y = moved(L, randomMatrix(L.length, X.columns / m, seed).mul(0.5), X, m);
  if (noise > 0) Y.add(randomMatrix(X.rows, X.columns, seed + 1000).mul(noise));
  return generatorsFromPairs(X, Y, { n_L: L.length, ...options });
}

const undetermined = (found: PairsResult, K: number): void => {
  assert.equal([found.determined, found.freeDirections, found.basis, found.bound], [false, K, undefined, undefined]);
  assert.match(found.notes[0], `not determined: ${K} free direction`);
  assert.ok(found.residual < 1e-6 && found.oneOfMany, `${found.residual}`);
};

/** 1e-6 is what an arc cosine has of an angle of 0. */
const determined = (found: PairsResult, L: readonly Matrix[]): void => {
  assert.equal([found.determined, found.freeDirections, found.oneOfMany], [true, 0, undefined], `${found.notes}`);
  assert.ok(
    found.residual < 1e-9 && farthest(found, L) < 1e-5 && (found.bound as number) < 1e-8,
    `${found.residual}, ${farthest(found, L)}`,
  );
};

test("single points shifted in two directions: 18 entries, 6 seen, 4 of a change of basis; three points a sample determine them", () => {
  undetermined(look(translations, homogeneous(100, 1)), 8);
  determined(look(translations, homogeneous(300, 1), { channels: 3 }), translations);
});

test("single points of the plane turned and scaled: nothing but the change of basis; two points a sample determine it", () => {
  undetermined(look(turnAndScale, randomMatrix(2, 100, 1)), 4);
  determined(look(turnAndScale, randomMatrix(2, 200, 1), { channels: 2 }), turnAndScale);
});

test("shears of single points: explained in 20 seeds, one direction free, with noise, too; of two points, determined", () => {
  for (let seed = 0; seed < 20; seed++) {
    const found = look([unit(2, 1, 0).mul(2)], randomMatrix(2, 100, seed), {}, { seed: seed + 50 });
    undetermined(found, 1);
    determined(look([unit(2, 1, 0)], randomMatrix(2, 60, seed), { channels: 2 }, { seed: seed + 50 }), [unit(2, 1, 0)]);
  }
  for (const noise of [0.01, 0.1]) assert.equal(look([unit(2, 1, 0)], randomMatrix(2, 100, 3), {}, { noise }).freeDirections, 1);
});

test("nilpotent generators of rank 2", () => {
  const L = Matrix.add(unit(3, 0, 1), unit(3, 1, 2));
  for (let seed = 0; seed < 6; seed++) determined(look([L], randomMatrix(3, 60, seed), {}, { seed: seed + 100 }), [L]);
});

test("one rotation of R^4, asked for two: only one is shown", () => {
  const found = look([rotations(4, [1, 0.5])], randomMatrix(4, 80, 1), { n_L: 2 });
  assert.equal([found.determined, found.basis], [false, undefined]);
  assert.ok(found.freeDirections > 0);
  assert.match(found.notes.join(), "do not show 2 generators");
});

test("so(3) by vectors of which two or three share a rotation, and not by single ones", () => {
  const truth = so(3).dense();
  for (const m of [2, 3]) determined(look(truth, randomMatrix(3, 60 * m, 1), { channels: m }), truth);
  const single = look(truth, randomMatrix(3, 60, 1));
  assert.equal([single.determined, single.basis], [false, undefined]);
});

test("auto: as many as there are, with noise and without, and none where that cannot be told", () => {
  const auto = { n_L: "auto" } as const;
  const turn = [rotations(4, [1, 0.5])];
  const cases: [readonly Matrix[], Matrix, number][] = [
    [turn, randomMatrix(4, 80, 1), 1],
    [so(3).dense(), randomMatrix(3, 160, 1), 2],
    [turnAndScale, randomMatrix(2, 160, 1), 2],
  ];
  for (const [L, X, channels] of cases) {
    const found = look(L, X, { ...auto, channels });
    assert.is(found.n_L, L.length);
    determined(found, L);
  }
  const noisy = look(turnAndScale, randomMatrix(2, 160, 1), { ...auto, channels: 2 }, { noise: 0.03 });
  assert.equal([noisy.n_L, noisy.determined], [2, true], `${noisy.notes}`);
  const single = look(turnAndScale, randomMatrix(2, 100, 1), auto);
  assert.equal([single.n_L, single.basis, single.determined], [undefined, undefined, false]);
  assert.match(single.notes.join(), "no number of generators can be stated");
});

/** Of condition 10^digits */
function scaling(d: number, digits: number, seed: number): Matrix {
  const sizes = Array.from({ length: d }, (_, k) => 10 ** ((digits * k) / (d - 1)));
  return randomMatrix(d, d, seed).mul(0.2).add(Matrix.eye(d)).mmul(Matrix.diag(sizes));
}

test("units do not matter: pairs A x, A y give A L A^-1 and the same decisions", () => {
  for (const digits of [1, 3]) {
    const A = scaling(3, digits, 7);
    for (const L of [rotations(3, [1]), randomMatrix(3, 3, 4).mul(0.6), unit(3, 1, 0)]) {
      const [X, t] = [randomMatrix(3, 100, 5), within(0.8, 1, 100, 6)];
      const Y = moved([L], t, X).add(randomMatrix(3, 100, 8).mul(0.01));
      const [plain, conjugated] = [generatorsFromPairs(X, Y), generatorsFromPairs(A.mmul(X), A.mmul(Y))];
      assert.equal([conjugated.determined, conjugated.freeDirections], [plain.determined, plain.freeDirections]);
      if (!plain.basis) continue;
      const [a, b] = [plain, conjugated].map((found) => basisOf(found).dense()[0]);
      const [there, expected] = [b.mmul(A), A.mmul(a)];
      const sign = there.get(0, 0) * expected.get(0, 0) < 0 ? -1 : 1;
      assert.ok(difference(there.mul(sign / expected.max()), expected.div(expected.max())) < 1e-4);
    }
  }
});

test("the bound holds in 90 to 99 of 100 cases", () => {
  const L = rotations(2, [1]);
  let held = 0;
  const RUNS = 100;
  for (let run = 0; run < RUNS; run++) {
    const [X, t] = [randomMatrix(2, 60, 3 * run), within(0.8, 1, 60, 3 * run + 1)];
    const Y = moved([L], t, X).add(randomMatrix(2, 60, 3 * run + 2).mul(0.03));
    const { basis, bound } = generatorsFromPairs(X, Y);
    if (basis && principalAngles(basis, denseBasis([L]), { data: X })[0] < (bound as number)) held++;
  }
  assert.ok(held >= 90 && held <= 99, `${held} of ${RUNS}`);
});

test("copies, too few pairs, channels that do not divide, values that are not finite", () => {
  const [X, L] = [randomMatrix(3, 40, 20), rotations(3, [1])];
  const Y = moved([L], within(0.5, 1, 40, 21), X);
  const twice = (A: Matrix): Matrix => new Matrix(A.to2DArray().map((row) => [...row, ...row]));
  assert.match(generatorsFromPairs(twice(X), twice(Y)).notes.join(), "40 of 80 pairs are copies");
  const one = (A: Matrix): Matrix => new Matrix(A.to2DArray().map((row) => new Array<number>(40).fill(row[0])));
  throwsCode(() => generatorsFromPairs(one(X), one(Y)), "ERR_LCONV_ARGUMENT", "1 pairs cannot determine");
  throwsCode(() => generatorsFromPairs(X, Y, { channels: 7 }), "ERR_LCONV_SHAPE", "40 columns", "7 channels");
  throwsCode(() => generatorsFromPairs(X, Y, { channels: 0 }), "ERR_LCONV_ARGUMENT", "channels");
  throwsCode(() => generatorsFromPairs(X.clone().set(2, 5, Number.NaN), Y), "ERR_LCONV_ARGUMENT", "X[2, 5]", "not finite");
  throwsCode(() => generatorsFromPairs(X, Y, { n_L: "many" as "auto" }), "ERR_LCONV_ARGUMENT", "n_L");
  const flat = new Matrix([...X.to2DArray().slice(0, 2), new Array<number>(40).fill(0)]);
  throwsCode(() => generatorsFromPairs(flat, moved([L], within(0.5, 1, 40, 21), flat), { n_L: 5 }), "ERR_LCONV_ARGUMENT", "4 generators");
});

test.run();
