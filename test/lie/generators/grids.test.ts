import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expApply } from "../../../src/lie/functions/exponential.js";
import { apply, toDense } from "../../../src/lie/generators/generator.js";
import {
  type AffineName,
  affine,
  affineNames,
  derivative,
  fractionalShift,
  kernelOffsets,
  shifts,
  translation,
} from "../../../src/lie/generators/grids.js";
import { throwsCode } from "../../support/throws.js";
import { blobs, difference } from "../random.js";

const test = suite("lie/grids");

test("a shift moves values by its offset, in 1, 2 and 3 dimensions, with zeros or around the edge", () => {
  for (const [shape, s] of [
    [[7], [2]],
    [
      [3, 5],
      [-1, 2],
    ],
    [
      [2, 3, 4],
      [1, -1, 3],
    ],
  ] as const) {
    for (const boundary of ["zero", "circular"] as const) {
      const d = shape.reduce((product, n) => product * n, 1);
      const [L] = shifts(shape, [s], { boundary }).generators;
      const h = Matrix.columnVector(Array.from({ length: d }, (_, k) => k + 1));
      const moved = apply(L, h).to1DArray();
      const place = (at: readonly number[]): number => at.reduce((index, x, axis) => index * shape[axis] + x, 0);
      const each = (axis: number, at: number[]): void => {
        if (axis < shape.length) {
          for (let x = 0; x < shape[axis]; x++) each(axis + 1, [...at, x]);
          return;
        }
        const from = at.map((x, k) => x - s[k]);
        const inside = from.every((x, k) => x >= 0 && x < shape[k]);
        const around = from.map((x, k) => (x + shape[k]) % shape[k]);
        assert.is(moved[place(at)], inside ? place(from) + 1 : boundary === "circular" ? place(around) + 1 : 0);
      };
      each(0, []);
    }
  }
});

test("offsets of a kernel: the middle stays, the first weight of a convolution looks back", () => {
  assert.equal(kernelOffsets([3]), [[1], [0], [-1]]);
  assert.equal(kernelOffsets([2]), [[1], [0]]);
  assert.equal(kernelOffsets([3, 3])[4], [0, 0]);
  assert.equal(kernelOffsets([3, 3])[0], [1, 1]);
});

test("a band-limited derivative is exact on band-limited functions, a shift moves them by any amount", () => {
  for (const n of [20, 21]) {
    const frequency = (2 * Math.PI * 3) / n;
    const wave = (phase: number): Matrix => Matrix.columnVector(Array.from({ length: n }, (_, x) => Math.sin(frequency * x + phase)));
    assert.ok(difference(derivative(n).mmul(wave(0.3)), Matrix.mul(wave(0.3 + Math.PI / 2), frequency)) < 1e-12);
    assert.ok(difference(fractionalShift(n, 1.37).mmul(wave(0.3)), wave(0.3 - 1.37 * frequency)) < 1e-12);
  }
  assert.ok(
    difference(fractionalShift(21, 4), toDense(shifts([21], [[4]], { boundary: "circular" }).generators[0])) < 1e-12,
    "odd n: no frequency is lost",
  );
});

test("-L is the derivative of the shift at 0", () => {
  const t = 1e-5;
  const difference2 = Matrix.sub(fractionalShift(20, t), fractionalShift(20, -t)).mul(1 / (2 * t));
  assert.ok(difference(toDense(translation(20).generators[0]), difference2) < 1e-8);
});

test("the finite difference is central", () => {
  assert.equal(derivative(3, "finite-difference").to2DArray(), [
    [0, 0.5, 0],
    [-0.5, 0, 0.5],
    [0, -0.5, 0],
  ]);
});

test("exp(t L) of the six affine generators moves a smooth image by the map that t leads to, in closed form", () => {
  const [p, q, t] = [24, 24, 0.2];
  const center = [10, 13] as const;
  const bump = (row: number, column: number): number => Math.exp(-((row - 11) ** 2 + (column - 12.5) ** 2) / 8);
  const image = (value: (row: number, column: number) => number): Matrix =>
    Matrix.columnVector(Array.from({ length: p * q }, (_, k) => value(Math.floor(k / q), k % q)));
  /** Where the value at a position comes from. */
  const back: Record<AffineName, (x: number, y: number) => [number, number]> = {
    "translate-x": (x, y) => [x - t, y],
    "translate-y": (x, y) => [x, y - t],
    rotate: (x, y) => [x * Math.cos(t) + y * Math.sin(t), y * Math.cos(t) - x * Math.sin(t)],
    scale: (x, y) => [x * Math.exp(-t), y * Math.exp(-t)],
    stretch: (x, y) => [x * Math.exp(-t), y * Math.exp(t)],
    shear: (x, y) => [x * Math.cosh(t) - y * Math.sinh(t), y * Math.cosh(t) - x * Math.sinh(t)],
  };
  for (const [kind, tolerance] of [
    ["band-limited", 1e-5],
    ["finite-difference", 0.05],
  ] as const) {
    const basis = affine(p, q, { kind, center });
    assert.equal(basis.names, affineNames);
    basis.generators.forEach((g, i) => {
      const moved = image((row, column) => {
        const [x, y] = back[affineNames[i]](column - center[1], row - center[0]);
        return bump(y + center[0], x + center[1]);
      });
      const error = difference(expApply(g, image(bump), t), moved);
      assert.ok(error < tolerance, `${kind} ${basis.names[i]}: ${error}`);
    });
  }
});

test("rotation and scaling leave the centre where it is", () => {
  const data = blobs(9, 3);
  const { generators } = affine(9, 9, { only: ["rotate", "scale"], center: [4, 4] });
  for (const g of generators) {
    const moved = apply(g, data);
    for (let n = 0; n < 3; n++) assert.ok(Math.abs(moved.get(4 * 9 + 4, n)) < 1e-12);
  }
});

test("misuse", () => {
  throwsCode(() => shifts([4, 4], [[1]]), "ERR_LCONV_ARGUMENT", "2 integers");
  throwsCode(() => shifts([4], [[0.5]]), "ERR_LCONV_ARGUMENT", "fractionalShift");
  throwsCode(() => shifts([4], [[1]], { boundary: "wrap" as never }), "ERR_LCONV_ARGUMENT", '"wrap"');
  throwsCode(() => shifts([], [[]]), "ERR_LCONV_ARGUMENT", "at least one axis");
  throwsCode(() => affine(8, 8, { kind: "exact" as never }), "ERR_LCONV_ARGUMENT", '"exact"');
  throwsCode(() => affine(8, 8, { only: ["rotat" as never] }), "ERR_LCONV_ARGUMENT", "rotat");
  throwsCode(() => affine(8, 8, { centre: [1, 1] } as never), "ERR_LCONV_OPTION", 'did you mean "center"?');
  throwsCode(() => affine(8, 8, { period: [4, 8] }), "ERR_LCONV_ARGUMENT", "period");
  throwsCode(() => fractionalShift(4, Number.NaN), "ERR_LCONV_ARGUMENT", "NaN");
});

test.run();
