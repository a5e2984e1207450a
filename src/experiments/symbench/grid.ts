import { oneOf } from "../../errors.js";
import { ENOUGH_SAMPLES, LITTLE_NOISE } from "./goals.js";
import type { Setting } from "./problem.js";
import { allSystems, systemsFor } from "./systems.js";
import { type Distribution, isFunction, type Truth } from "./truth.js";
import { allTruths } from "./truths.js";

export interface Cell extends Setting {
  truth: Truth | Distribution;
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

/** From 10,000 samples on two seeds of a function are enough, and no more noise than .1. */
const LARGE = 10_000;

/** Of distributions, what the goals are about: with fewer samples their cumulants are seldom seen. */
const isAsked = ({ truth, samples, noise, seed }: Cell): boolean =>
  isFunction(truth) ? samples < LARGE || (seed < 2 && noise <= LITTLE_NOISE) : samples >= ENOUGH_SAMPLES && noise <= LITTLE_NOISE;

/** Samples in the order in which they are done, each with little noise before all with more: an interrupted run then says most. */
const ORDER = [3000, 10_000, 30_000, 1000, 300, 100];

/** All cells of a grid, in that order; of some truths, and those that some of our systems answer. Throws ERR_LCONV_ARGUMENT for an unknown name. */
export function cellsOf(kind: keyof typeof grids, only: readonly string[] = [], by: readonly string[] = []): Cell[] {
  const names = allTruths.map((truth) => truth.name);
  for (const name of only) oneOf("benchmark symmetry", "truth", name, names);
  for (const name of by) oneOf("benchmark symmetry", "system", name, allSystems);
  const { samples, noise, seeds } = grids[kind];
  const cells: Cell[] = [];
  for (let seed = 0; seed < seeds; seed++)
    for (const N of samples)
      for (const level of noise)
        for (const truth of allTruths) {
          const cell = { truth, samples: N, noise: level, cond: CONDITIONS[seed % CONDITIONS.length], seed };
          const wanted = only.length === 0 || only.includes(truth.name);
          if (wanted && isAsked(cell) && (by.length === 0 || systemsFor(truth, cell).some((system) => by.includes(system))))
            cells.push(cell);
        }
  const rank = ({ samples: N, noise: level }: Cell): number => ORDER.indexOf(N) + (level <= LITTLE_NOISE ? 0 : ORDER.length);
  return cells.sort((a, b) => rank(a) - rank(b) || a.seed - b.seed);
}
