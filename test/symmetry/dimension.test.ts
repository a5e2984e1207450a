import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dimensionByGap, dimensionByNoise } from "../../src/symmetry/dimension.js";

const test = suite("lie/dimension");

test("by noise: residuals that it explains count, those far beyond do not, and between is undecided", () => {
  const [residuals, noise] = [
    [0.1, 0.12, 0.9, 1.1],
    [0.11, 0.1, 0.1, 0.1],
  ];
  assert.equal([dimensionByNoise(residuals, noise, 0.2).dimension, dimensionByNoise(residuals, noise, 0.2).undecided], [2, 0]);
  const gray = dimensionByNoise([0.03, 0.15, 1], [0.03, 0.067, 0.1], 0.2); // 5 times its noise in square
  assert.equal([gray.dimension, gray.undecided], [1, 1]);
  assert.match(gray.notes[0], /undecided: 1 more direction may be.*0\.15 with a noise of 0\.067/);
  const noisy = dimensionByNoise([0.4, 0.5], [0.4, 0.4], 0.2); // too much noise for anything
  assert.equal([noisy.dimension, noisy.undecided], [0, 2]);
  const none = dimensionByNoise([0.3, 0.5], [0.01, 0.01], 0.2);
  assert.equal([none.dimension, none.undecided], [0, 0]);
  assert.match(none.notes[0], "no symmetry with a residual up to 0.2: the nearest direction has 0.30");
});

test("by noise: what is below .05 counts whatever the noise, and is said to be approximate; a larger one that is seen does not", () => {
  const small = dimensionByNoise([0.04, 1], [0.004, 0.01], 0.2);
  assert.equal([small.dimension, small.undecided], [1, 0]);
  assert.match(small.notes[0], /approximate: the residual 0\.040/);
  assert.equal(dimensionByNoise([0.1, 1], [0.01, 0.01], 0.2).dimension, 0);
});

test("by the gap: those before the widest, if it is three times as wide", () => {
  assert.equal(dimensionByGap([1e-6, 1e-6, 0.5], 0.2), { dimension: 2, undecided: 0, notes: [] });
  assert.is(dimensionByGap([1e-6, 0.1, 0.15, 0.9], 0.2).dimension, 1);
  const side = dimensionByGap([0.15, 0.19, 0.25], 0.2);
  assert.equal([side.dimension, side.undecided], [0, 2]);
  assert.match(side.notes[0], "undecided: no clear gap: the residuals 0.19 and 0.25 stand side by side");
  assert.match(dimensionByGap([0.1, 0.1], 0.2).notes[0], "none to compare with");
  assert.match(dimensionByGap([0.5], 0.2).notes[0], "nearest direction has 0.50");
});

test.run();
