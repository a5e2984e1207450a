import { type Generator, toDense } from "../generators/generator.js";
import { type Eigenvalue, eigenvalues } from "./eigenvalues.js";

/**
 * Eigenvalues of L, the greatest first. For low rank those of the d_h x d_h matrix V U; the other d - d_h are 0 and left out.
 * Throws ERR_LCONV_NONFINITE for entries that are not finite, ERR_LCONV_ARGUMENT for a matrix that does not fit in memory.
 */
export function spectrum(g: Generator): Eigenvalue[] {
  const small = g.form === "lowRank" && g.U.columns < g.d ? g.V.mmul(g.U) : toDense(g);
  return eigenvalues(small).sort((a, b) => Math.hypot(b.re, b.im) - Math.hypot(a.re, a.im) || b.im - a.im);
}
