import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { so } from "../../../src/lie/generators/groups.js";
import { generatorsFromPairs } from "../../../src/lie/pairs/pairs.js";
import { throwsCode } from "../../support/throws.js";
import { randomMatrix } from "../random.js";
import { farthest, moved, rotations, within } from "./movedPairs.js";

// What noise, unrelated pairs and long ways must not be taken for.

const test = suite("lie/pairs/shown");

test("x with noise for y determines no generator", () => {
  for (let seed = 0; seed < 8; seed++) {
    const X = randomMatrix(2, 100, 2 * seed);
    const found = generatorsFromPairs(X, Matrix.add(X, randomMatrix(2, 100, 2 * seed + 1).mul(0.1)));
    assert.equal([found.determined, found.basis, found.bound], [false, undefined, undefined], `seed ${seed}`);
    assert.match(found.notes[0], "not determined");
  }
});

test("noise with known t determines no generator, and few noisy pairs are said to be no test", () => {
  const X = randomMatrix(4, 100, 1);
  const noisy = generatorsFromPairs(X, Matrix.add(X, randomMatrix(4, 100, 2).mul(0.1)), { t: within(1, 1, 100, 3).to1DArray() });
  assert.equal([noisy.determined, noisy.basis], [false, undefined]);
  const few = [0, 1, 2, 3, 4].map((seed) => {
    const x = randomMatrix(2, 5, 10 + seed);
    return generatorsFromPairs(x, Matrix.add(x, randomMatrix(2, 5, 20 + seed).mul(0.3)));
  });
  for (const found of few) assert.is(found.determined, false, `${found.residual}`);
});

test("a number a sample is always explained by one generator, and shows none", () => {
  const x = within(1, 1, 50, 1).add(2);
  const found = generatorsFromPairs(x, Matrix.mul(x, 1.3).add(within(0.1, 1, 50, 2)));
  assert.equal([found.determined, found.basis], [false, undefined]);
  assert.match(found.notes[0], "a sample is 1 number");
});

test("unrelated pairs, and such with much in common, determine nothing, however many generators are asked for", () => {
  for (const [n_L, channels, r] of [
    [1, 1, 2],
    ["auto", 3, 2],
  ] as const) {
    const [X, other] = [randomMatrix(r, 60 * channels, 5), randomMatrix(r, 60 * channels, 6)];
    for (const share of [0, 0.7]) {
      const Y = Matrix.mul(X, share).add(Matrix.mul(other, Math.sqrt(1 - share ** 2)));
      assert.is(generatorsFromPairs(X, Y, { n_L, channels }).determined, false, `${n_L}, ${share}`);
    }
  }
});

test("noise that is a third of the movement leaves a rotation determined", () => {
  const [X, L] = [randomMatrix(2, 150, 7), rotations(2, [1])];
  const found = generatorsFromPairs(X, moved([L], randomMatrix(1, 150, 8).mul(0.5), X).add(randomMatrix(2, 150, 9).mul(0.2)));
  assert.is(found.determined, true, `${found.notes}`);
  assert.ok(found.residual > 0.2 && farthest(found, [L]) < 0.15, `${found.residual}, ${farthest(found, [L])}`);
});

test("all samples turned by the same angle below half a period: the rotation, and no sample goes around more than once", () => {
  const L = rotations(2, [1]);
  for (const angle of [2.5, 2.8, 3])
    for (const seed of [1, 2]) {
      const X = randomMatrix(2, 60, seed);
      const found = generatorsFromPairs(X, moved([L], Matrix.ones(1, 60).mul(angle), X));
      assert.is(found.determined, true, `${angle}: ${found.notes}`);
      assert.ok(found.residual < 1e-9 && farthest(found, [L]) < 1e-6, `${angle}: ${found.residual}`);
      assert.ok(Math.abs(Math.abs((found.basis?.dense()[0].get(0, 1) as number) * found.epsilon.get(0, 0)) - angle) < 1e-6);
    }
});

test("of samples that are moved too far nothing is claimed, and that is the reason", () => {
  const [L, X] = [rotations(4, [1, 2]), randomMatrix(4, 80, 3)];
  const notes: string[] = [];
  for (const seed of [4, 5, 6, 7]) {
    const found = generatorsFromPairs(X, moved([L], randomMatrix(1, 80, seed), X));
    assert.ok(found.determined === false || farthest(found, [L]) < 1e-6, `seed ${seed}: angle ${farthest(found, [L])}`);
    notes.push(...found.notes);
  }
  assert.match(notes.join(), "moved too far");
});

test("values whose squares overflow are refused", () => {
  const X = randomMatrix(2, 20, 1).mul(1e200);
  throwsCode(() => generatorsFromPairs(X, Matrix.mul(X, 1.5)), "ERR_LCONV_ARGUMENT", "X[0, 0]", "divide x and y");
});

// Long before the change: 60 s of one core.
test("so(3) by two vectors a sample with noise: three generators, in a few seconds", () => {
  const L = so(3).dense();
  const [X, t] = [randomMatrix(3, 800, 1), within(0.6, 3, 400, 2)];
  const Y = moved(L, t, X, 2);
  Y.add(randomMatrix(3, 800, 3).mul(0.03));
  const before = process.cpuUsage().user;
  const found = generatorsFromPairs(X, Y, { n_L: "auto", channels: 2 });
  const seconds = (process.cpuUsage().user - before) / 1e6;
  assert.equal([found.n_L, found.determined], [3, true], `${found.notes}`);
  assert.ok(farthest(found, L) < 0.05 && seconds < 25, `${farthest(found, L)}, ${seconds} s`);
});

/** Noise of `size` in the second coordinate alone, [2, columns]. */
const second = (columns: number, size: number, seed: number): Matrix =>
  new Matrix([new Array<number>(columns).fill(0), randomMatrix(1, columns, seed).mul(size).getRow(0)]);

test("noise of one axis, or of a narrow one, shows no second generator, whether it is counted or asked for", () => {
  const turn = rotations(2, [1]);
  const shear = Matrix.zeros(2, 2).set(1, 0, 1);
  for (let seed = 0; seed < 4; seed++) {
    const t = within(0.5, 1, 100, 3 * seed);
    const X = within(1, 2, 300, 3 * seed + 1);
    const Y = moved([turn], t, X, 3).add(second(300, 0.05, 3 * seed + 2));
    const one = generatorsFromPairs(X, Y, { channels: 3, n_L: "auto" });
    assert.ok(one.n_L === 1 || one.determined === false, `seed ${seed}: ${one.n_L}, ${one.notes}`);
    assert.is(generatorsFromPairs(X, Y, { channels: 3, n_L: 2 }).determined, false, `seed ${seed}`);
    const narrow = new Matrix([X.getRow(0), X.getRow(1).map((x) => 0.2 * x)]);
    const sheared = moved([shear], Matrix.mul(t, 0.6), narrow, 3).add(randomMatrix(2, 300, 50 + seed).mul(0.03));
    const found = generatorsFromPairs(narrow, sheared, { channels: 3, n_L: "auto" });
    assert.ok(found.n_L === 1 || found.determined === false, `seed ${seed}: ${found.n_L}, ${found.notes}`);
    const still = generatorsFromPairs(X, Matrix.add(X, second(300, 0.2, 80 + seed)), { channels: 2, n_L: 2 });
    assert.is(still.determined, false, `seed ${seed}: ${still.notes}`);
  }
});

test.run();
