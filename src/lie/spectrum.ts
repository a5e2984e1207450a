import { EigenvalueDecomposition, type Matrix } from "ml-matrix";
import { type Generator, toDense } from "./generator.js";

export interface Eigenvalue {
  re: number;
  /** Angular frequency of the flow exp(t L), in radians a unit of t. */
  im: number;
}

/** Eigenvalues of L, the greatest first. Of low rank those of the d_h x d_h matrix V U: the other d - d_h are 0 and left out. */
export function spectrum(g: Generator): Eigenvalue[] {
  const small = g.form === "lowRank" && g.U.columns < g.d ? g.V.mmul(g.U) : toDense(g);
  return eigenvalues(small).sort((a, b) => Math.hypot(b.re, b.im) - Math.hypot(a.re, a.im) || b.im - a.im);
}

function eigenvalues(A: Matrix): Eigenvalue[] {
  const { realEigenvalues, imaginaryEigenvalues } = new EigenvalueDecomposition(A, { assumeSymmetric: false });
  return realEigenvalues.map((re, k) => ({ re, im: imaginaryEigenvalues[k] }));
}
