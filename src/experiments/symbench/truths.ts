import { distributionsWithSymmetry } from "./distributionsByAlgebra.js";
import { distributionsWithLimits } from "./distributionsWithLimits.js";
import type { Distribution, Truth } from "./truth.js";
import { withSymmetry } from "./truthsByAlgebra.js";
import { approximate, none, reduced } from "./truthsWithLimits.js";

/** All functions of the benchmark, in the order of its tables. */
export const truths: readonly Truth[] = [...withSymmetry, ...none, ...approximate, ...reduced];

/** All distributions, of which samples alone are seen. */
export const distributions: readonly Distribution[] = [...distributionsWithSymmetry, ...distributionsWithLimits];

export const allTruths: readonly (Truth | Distribution)[] = [...truths, ...distributions];
