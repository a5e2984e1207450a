import type { Truth } from "./truth.js";
import { withSymmetry } from "./truthsByAlgebra.js";
import { approximate, none, reduced } from "./truthsWithLimits.js";

/** All functions of the benchmark, in the order of its tables. */
export const truths: readonly Truth[] = [...withSymmetry, ...none, ...approximate, ...reduced];
