import type { Matrix } from "ml-matrix";
import { eigenvalueOf } from "./quasiTriangular.js";
import { diagonalBlocks, schurBlocks } from "./schur.js";

export interface Eigenvalue {
  re: number;
  /** Angular frequency of the flow exp(t L), in radians a unit of t. */
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
