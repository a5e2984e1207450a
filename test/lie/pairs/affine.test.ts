import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denseBasis } from "../../../src/lie/generators/basis.js";
import { generatorsFromPairs, type PairsOptions } from "../../../src/lie/pairs/pairs.js";
import { uniform } from "../../support/reference.js";
import { throwsCode } from "../../support/throws.js";
import { farthest, moved, within } from "./movedPairs.js";

// Pairs under x -> A x + c: generators act on (x, 1).

const test = suite("lie/pairs affine");

const [SHIFT_X, SHIFT_Y] = [0, 1].map((row) => unit(3, row, 2));
/** About the point (a, b). */
const turn = (a: number, b: number): Matrix =>
  new Matrix([
    [0, -1, b],
    [1, 0, -a],
    [0, 0, 0],
  ]);

function unit(d: number, row: number, column: number): Matrix {
  return Matrix.zeros(d, d).set(row, column, 1);
}

/** m points a sample about `center`, moved by exp(sum_i t_i L_i), |t_i| <= reach; noise on y. */
function pairs(L: readonly Matrix[], { N = 60, m = 3, reach = 0.6, noise = 0, seed = 1, center = [0, 0] } = {}): [Matrix, Matrix] {
  const X = within(1, center.length, N * m, seed);
  for (const [row, value] of center.entries())
    X.setRow(
      row,
      X.getRow(row).map((x) => x + value),
    );
  const ones = Matrix.ones(1, N * m);
  const homogeneous = new Matrix([...X.to2DArray(), ones.getRow(0)]);
  const Y = moved(L, within(reach, L.length, N, seed + 1), homogeneous, m).subMatrix(0, center.length - 1, 0, N * m - 1);
  const next = uniform(seed + 2);
  for (let row = 0; row < Y.rows; row++)
    for (let n = 0; n < Y.columns; n++) {
      const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      Y.set(row, n, Y.get(row, n) + noise * normal);
    }
  return [X, Y];
}

const fit = (L: readonly Matrix[], shape: Parameters<typeof pairs>[1], options: PairsOptions) => {
  const [X, Y] = pairs(L, shape);
  return generatorsFromPairs(X, Y, { affine: true, channels: shape?.m ?? 3, ...options });
};

test("se(2), translations and a rotation about a point off the origin are found exactly, and their number too", () => {
  for (const L of [[turn(3, -2)], [SHIFT_X, SHIFT_Y], [SHIFT_X, SHIFT_Y, turn(0, 0)]]) {
    const found = fit(L, { center: [3, -2] }, { n_L: "auto" });
    assert.is(found.n_L, L.length);
    assert.is(found.determined, true);
    assert.ok(farthest(found, L) < 1e-6, `${farthest(found, L)}`);
    for (const g of found.basis?.generators ?? []) assert.equal("L" in g && (g.L as Matrix).getRow(2), [0, 0, 0]);
  }
});

test("linear maps alone do not explain a rotation about a point off the origin", () => {
  const [X, Y] = pairs([turn(3, -2)], { center: [3, -2] });
  const linear = generatorsFromPairs(X, Y, { channels: 3 });
  assert.ok(linear.residual > 0.2, `${linear.residual}`);
});

test("with noise the bound covers the angle in white coordinates, and one more generator is not counted", () => {
  const L = [SHIFT_X, SHIFT_Y, turn(0, 0)];
  let covered = 0;
  for (let seed = 10; seed < 20; seed++) {
    const found = fit(L, { N: 200, noise: 0.02, seed }, { n_L: seed < 12 ? "auto" : 3 });
    assert.is(found.n_L, 3);
    assert.is(found.determined, true, `seed ${seed}: ${found.notes.join("; ")}`);
    const { basis, inputs } = found.white!;
    const inWhite = denseBasis(L.map((g) => toWhite(g, inputs)));
    const angle = farthest(
      { ...found, basis: inWhite },
      basis.generators.map((g) => ("L" in g ? (g.L as Matrix) : Matrix.zeros(3, 3))),
    );
    if (angle <= (found.bound as number)) covered++;
  }
  assert.ok(covered >= 7, `${covered} of 10`);
});

/** L of (x, 1) as it acts on (x', 1), x' = to (x - mean). */
function toWhite(L: Matrix, { to, from, mean }: { to: Matrix; from: Matrix; mean: Float64Array }): Matrix {
  const A = L.subMatrix(0, 1, 0, 1);
  const t = L.subMatrix(0, 1, 2, 2);
  const white = Matrix.zeros(3, 3);
  white.setSubMatrix(to.mmul(A).mmul(from), 0, 0);
  white.setSubMatrix(to.mmul(A.mmul(Matrix.columnVector(mean)).add(t)), 0, 2);
  return white;
}

test("units and the origin do not matter", () => {
  const L = [SHIFT_X, SHIFT_Y, turn(0, 0)];
  const [X, Y] = pairs(L, { N: 200, noise: 0.02, seed: 5 });
  const change = (x: Matrix): Matrix => new Matrix([x.getRow(0).map((v) => 1e-3 * v + 7), x.getRow(1).map((v) => 500 * v - 2e4)]);
  const [plain, changed] = [
    generatorsFromPairs(X, Y, { affine: true, channels: 3, n_L: 3 }),
    generatorsFromPairs(change(X), change(Y), { affine: true, channels: 3, n_L: 3 }),
  ];
  assert.is(changed.determined, true);
  assert.ok(Math.abs((changed.bound as number) / (plain.bound as number) - 1) < 1e-3);
});

test("single points do not determine two translations, nor se(2)", () => {
  assert.is(fit([SHIFT_X, SHIFT_Y], { m: 1, N: 400 }, { n_L: 2 }).determined, false);
  assert.is.not(fit([SHIFT_X, SHIFT_Y, turn(0, 0)], { m: 1, N: 400, noise: 0.01 }, { n_L: 2 }).determined, true);
});

test("noise shows no generator", () => {
  for (let seed = 0; seed < 8; seed++) {
    const [X] = pairs([SHIFT_X], { N: 200, seed: 40 + seed });
    const [Y] = pairs([SHIFT_X], { N: 200, seed: 70 + seed });
    assert.is.not(generatorsFromPairs(X, Y, { affine: true, channels: 3 }).determined, true);
  }
});

test("bad input", () => {
  const [X, Y] = pairs([SHIFT_X], {});
  throwsCode(() => generatorsFromPairs(X, Y, { affine: true, channels: 3, variance: 0.9 }), "ERR_LCONV_ARGUMENT", "variance");
  throwsCode(() => generatorsFromPairs(X, Y, { affine: 1 as unknown as boolean, channels: 3 }), "ERR_LCONV_OPTION", "affine");
  throwsCode(() => generatorsFromPairs(X, Y, { affine: true, channels: 3, n_L: 7 }), "ERR_LCONV_ARGUMENT", "n_L");
  const wide = within(1, 16, 900, 3);
  throwsCode(() => generatorsFromPairs(wide, within(1, 16, 900, 4), { affine: true }), "ERR_LCONV_ARGUMENT", "at most 15");
});

test.run();
