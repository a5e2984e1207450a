import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox } from "../../../src/engine/random.js";
import { truths } from "../../../src/experiments/symbench/truths.js";
import { denseBasis } from "../../../src/lie/generators/basis.js";
import { identify } from "../../../src/lie/identify/identify.js";

// Whatever noise and uncertainty it is given, a name is a name, and nothing is thrown.

const test = suite("lie/identify, any input");

test("spans near algebras and far from them, with any uncertainty", () => {
  const random = new Philox(11, 3);
  for (const { name, generators } of truths) {
    if (!generators || generators.n_L > 8) continue;
    for (let run = 0; run < 3; run++) {
      const [size, given] = random.uniform(2);
      const noise = 10 ** (-6 * size);
      const L = generators.dense().map((A) => {
        const E = Matrix.from1DArray(A.rows, A.rows, random.normal(A.rows ** 2));
        return Matrix.div(A, A.norm()).add(E.mul(noise / E.norm()));
      });
      const uncertainty = Math.min(0.9, 10 ** (-4 * given));
      for (const options of [{}, { uncertainty }]) {
        const { name: said, facts, alternatives } = identify(denseBasis(L), options);
        assert.ok(said.length > 0 && facts.length > 0 && !alternatives.includes(said), `${name}, noise ${noise}, ${uncertainty}`);
      }
    }
  }
});

test.run();
