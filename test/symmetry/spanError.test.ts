import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox, streams } from "../../src/engine/random.js";
import { angleBound, largestAngle, sharedError } from "../../src/symmetry/spanError.js";

const test = suite("symmetry/spanError");

test("the largest principal angle, also where its cosine rounds to 1", () => {
  const [a, b] = [1e-9, 0.3].map((angle) => Matrix.columnVector([Math.cos(angle), Math.sin(angle), 0]));
  const first = Matrix.columnVector([1, 0, 0]);
  assert.ok(Math.abs(largestAngle(first, a) / 1e-9 - 1) < 1e-6);
  assert.ok(Math.abs(largestAngle(first, b) - 0.3) < 1e-12);
});

test("shared errors: residuals against noise over the directions of the span alone, .7 at least, 1 where nothing differs", () => {
  assert.is(sharedError([0.02, 0.02, 9], [0.01, 0.01, 1e-9], 2), 2);
  assert.is(sharedError([0.001], [0.01], 1), 0.7);
  assert.is(sharedError([0, 0], [0, 0], 2), 1);
});

test("the bound grows with what functions share, and needs three of them", () => {
  const angles = [0.01, 0.012, 0.009, 0.011, 0.01];
  assert.ok(Math.abs(angleBound(angles, 2) / angleBound(angles, 1) - 2) < 1e-12);
  assert.ok(Number.isNaN(angleBound([0.01, 0.01], 1)));
  assert.is(angleBound([1, 1, 1], 10), Math.PI / 2);
});

test("fits with an error of their own each and one in common: with its share the bound covers the truth, without it does not", () => {
  const [K, p, count] = [5, 12, 400];
  const random = new Philox(3, streams.user);
  const covered = { with: 0, without: 0 };
  for (let run = 0; run < 100; run++) {
    const common = random.normal(p);
    const own = Array.from({ length: K }, () => random.normal(p));
    const [size, shared] = [0.01, 0.03];
    const mean = common.map((c, k) => shared * c + (size * own.reduce((sum, e) => sum + e[k], 0)) / K);
    const norm = (v: ArrayLike<number>): number => Math.sqrt(Array.from(v).reduce((sum, x) => sum + x * x, 0));
    const differences = own.map((e) => norm(e.map((x, k) => shared * common[k] + size * x - mean[k])));
    const residual = norm(mean) / Math.sqrt(count); // as a residual sees an error: averaged over samples
    const noise = Math.sqrt(differences.reduce((sum, x) => sum + x * x, 0) / (K - 1) / count);
    const truth = norm(mean);
    if (truth <= angleBound(differences, sharedError([residual], [noise], 1))) covered.with++;
    if (truth <= angleBound(differences, 1)) covered.without++;
  }
  assert.ok(covered.with >= 95, `${covered.with} of 100`);
  assert.ok(covered.without <= 20, `${covered.without} of 100`);
});

test.run();
