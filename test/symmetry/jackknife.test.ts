import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox, streams } from "../../src/engine/random.js";
import { upperBound } from "../../src/symmetry/jackknife.js";

const test = suite("lie/jackknife");

test("the bound of a ratio of skewed sums covers it about as often as it says", () => {
  for (const N of [8, 20, 100]) {
    let covered = 0;
    const draws = 400;
    for (let draw = 0; draw < draws; draw++) {
      const u = new Philox(draw, streams.user).uniform(2 * N);
      const lists = [u.slice(0, N), u.slice(N)].map((list) => list.map((value) => -Math.log(1 - value))); // exponential, mean 1
      const bound = upperBound(lists, ([a, b]) => Math.sqrt((9 * a) / b));
      if (bound >= 3) covered++;
    }
    assert.ok(covered / draws > 0.92 && covered / draws < 0.98, `${N} samples: ${covered} of ${draws}`);
  }
  assert.is(
    upperBound([new Float64Array(7).fill(1)], ([sum]) => sum),
    Number.POSITIVE_INFINITY,
  );
  assert.is(
    upperBound([new Float64Array(9)], ([sum]) => sum),
    0,
  );
  const one = Float64Array.from({ length: 9 }, (_, n) => (n === 4 ? 1 : 0));
  assert.is(
    upperBound([one], ([sum]) => sum),
    Number.POSITIVE_INFINITY,
  );
});

test.run();
