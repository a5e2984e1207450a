import { oneOf } from "../../errors.js";
import type { Setting } from "./problem.js";
import type { Truth } from "./truth.js";
import { truths } from "./truths.js";

export interface Cell extends Setting {
  truth: Truth;
}

interface Axes {
  samples: readonly number[];
  noise: readonly number[];
  seeds: number;
}

/** The whole grid, and one that takes minutes. */
export const grids: Record<"full" | "quick", Axes> = {
  full: { samples: [100, 300, 1000, 3000, 10_000, 30_000], noise: [0, 0.1, 0.3, 1], seeds: 5 },
  quick: { samples: [3000], noise: [0.1], seeds: 1 },
};

/** Conditions of the mixing of coordinates, a seed after the other: a factor of its own would triple the grid. */
const CONDITIONS = [1, 10, 100, 10, 100];

/** From 10,000 samples on two seeds are enough, and no more noise than .1. */
const LARGE = 10_000;

/** Samples in the order in which they are done, each with little noise before all with more: an interrupted run then says most. */
const ORDER = [3000, 10_000, 30_000, 1000, 300, 100];

/** All cells of a grid, in that order. */
export function cellsOf(kind: keyof typeof grids, only: readonly string[] = []): Cell[] {
  const names = truths.map((truth) => truth.name);
  for (const name of only) oneOf("benchmark symmetry", "truth", name, names);
  const { samples, noise, seeds } = grids[kind];
  const cells: Cell[] = [];
  for (let seed = 0; seed < seeds; seed++)
    for (const N of samples)
      for (const level of noise)
        if (N < LARGE || (seed < 2 && level <= 0.1))
          for (const truth of truths)
            if (only.length === 0 || only.includes(truth.name))
              cells.push({ truth, samples: N, noise: level, cond: CONDITIONS[seed % CONDITIONS.length], seed });
  const rank = ({ samples: N, noise: level }: Cell): number => ORDER.indexOf(N) + (level <= 0.1 ? 0 : ORDER.length);
  return cells.sort((a, b) => rank(a) - rank(b) || a.seed - b.seed);
}
