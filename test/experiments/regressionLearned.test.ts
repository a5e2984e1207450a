import { suite } from "uvu";
import * as assert from "uvu/assert";
import { regressionLearned } from "../../src/experiments/regression/learned.js";
import { rejectsCode } from "../support/throws.js";

const test = suite("experiments/regressionLearned");

const small = { d: 6, n_L: 2, samples: 64, seeds: 3, steps: 1500 };

test("rotation: the sum is found in every seed, near the algebra by what the finite angle leaves; the generators are not", async () => {
  const angle = 0.3;
  const found = await regressionLearned({ ...small, problem: "rotation", angle });
  assert.equal(found.dimensions, { covariance: 15, symmetry: 3 });
  assert.is(found.seeds.length, 3);
  for (const { loss, sum, learned, random } of found.seeds) {
    assert.ok(loss < 1e-8, `loss ${loss}`);
    // exp(angle J) has symmetric parts cos(angle f_k), f_k in [0.5, 1], which spread by at most half of their range, beside sin(angle f_k).
    const bound = (Math.cos(0.5 * angle) - Math.cos(angle)) / 2 / Math.sin(0.5 * angle);
    assert.ok(sum && sum.symmetry.distance < bound, `${sum?.symmetry.distance} against ${bound}`);
    assert.ok(sum && sum.covariance.distance <= sum.symmetry.distance + 1e-9, "the symmetries of the problem keep H");
    for (const { covariance, symmetry } of [learned, random]) assert.equal([covariance.angles.length, symmetry.angles.length], [2, 2]);
  }
  const { learned, sum } = found.summary;
  assert.ok(sum && sum.covariance.mean < 0.2 && learned.covariance.mean > 0.4, "one generator by itself is not determined");
});

test("random generators are where chance puts them", async () => {
  const { summary, chance } = await regressionLearned({ ...small, steps: 2, seeds: 6, problem: "labels" });
  assert.ok(Math.abs(summary.random.covariance.mean - chance.covariance) < 0.1);
  assert.ok(Math.abs(summary.random.symmetry.mean - chance.symmetry) < 0.1);
  assert.ok(Math.abs(summary.initial.covariance.mean - chance.covariance) < 0.1);
});

test("labels, with low-rank generators: the loss vanishes, and dimensions are those of Theorem 1", async () => {
  const found = await regressionLearned({ ...small, problem: "labels", rank: 3 });
  assert.equal(found.dimensions, { covariance: 15, symmetry: 1 + 6 }); // k = 2 of d = 6
  for (const seed of found.seeds) {
    assert.ok(seed.loss < 1e-6, `loss ${seed.loss}`);
    assert.is(seed.sum, undefined);
  }
  assert.is(found.summary.sum, undefined);
  assert.ok(found.nearer.symmetry <= 3);
});

test("the same options give the same result", async () => {
  const once = () => regressionLearned({ ...small, seeds: 1, steps: 50 });
  assert.equal(await once(), await once());
});

test("misuse, and abort", async () => {
  await rejectsCode(regressionLearned({ problems: "labels" } as object), "ERR_LCONV_OPTION", "problem");
  await rejectsCode(regressionLearned({ problem: "label" } as object), "ERR_LCONV_ARGUMENT", "label");
  await rejectsCode(regressionLearned({ d: 3 }), "ERR_LCONV_ARGUMENT", "d must be");
  await rejectsCode(regressionLearned({ samples: 5 }), "ERR_LCONV_ARGUMENT", "samples");
  await rejectsCode(regressionLearned({ rank: 9 }), "ERR_LCONV_ARGUMENT", "d_h");
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await regressionLearned({ signal: stop.signal }).then(
    () => assert.unreachable("it was aborted"),
    (error) => assert.is(error.message, "enough"),
  );
});

test.run();
