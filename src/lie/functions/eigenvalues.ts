import type { Matrix } from "ml-matrix";
import { eigenvalueOf } from "./quasiTriangular.js";
import { diagonalBlocks, schurBlocks } from "./schur.js";

/** An eigenvalue re + i im of a generator. */
export interface Eigenvalue {
  /** Growth rate of the flow exp(t L), per unit of t. */
  re: number;
  /** Angular frequency of the flow exp(t L), in radians per unit of t. */
  im: number;
}

/** Eigenvalues of a real square matrix, conjugate pairs together. Throws ERR_LCONV_ARGUMENT as `schur`. */
export function eigenvalues(A: Matrix): Eigenvalue[] {
  const T = schurBlocks(A);
  return diagonalBlocks(T).flatMap((block) => {
    const [re, im] = eigenvalueOf(T, block);
    return block.size === 1 ? [{ re, im }] : [1, -1].map((sign) => ({ re, im: sign * im }));
  });
}
