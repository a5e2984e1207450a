import type { Row } from "../../src/experiments/symbench/score.js";
import { allTruths } from "../../src/experiments/symbench/truths.js";

/** A row of a truth at 3,000 samples without noise, of a system that says nothing but what is given. */
export function rowOf(name: string, given: Partial<Row>): Row {
  const { category, generators, algebra } = allTruths.find((truth) => truth.name === name)!;
  return {
    ...{ samples: 3000, noise: 0, cond: 1, seed: 0, system: "lconv", truth: name, category },
    ...{ trueDimension: generators?.n_L ?? 0, trueAlgebra: algebra, dimension: null, algebra: null, alternatives: [] },
    ...{ angle: null, angleOnData: null, bound: null, residuals: [], residualNoise: null, change: null, r2: [], seconds: 1, notes: [] },
    ...given,
  };
}
