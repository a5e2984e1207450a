import { breathe } from "../engine/breathe.js";

/** A symmetric positive definite matrix [n, n] as C C^T, rows of C as lists: ml-matrix's, but in pieces, as 2,000 rows take seconds. */
export async function cholesky(S: readonly Float64Array[], signal?: AbortSignal): Promise<Float64Array[]> {
  const C: Float64Array[] = [];
  for (let i = 0; i < S.length; i++) {
    const row = S[i].slice(0, i + 1);
    for (let j = 0; j <= i; j++) {
      const other = j < i ? C[j] : row;
      let sum = row[j];
      for (let l = 0; l < j; l++) sum -= row[l] * other[l];
      row[j] = j < i ? sum / other[j] : Math.sqrt(Math.max(sum, Number.MIN_VALUE));
    }
    C.push(row);
    await breathe(signal);
  }
  return C;
}

/** C^-1 B for the rows of B, in place. */
export async function solveLower(C: readonly Float64Array[], B: readonly Float64Array[], signal?: AbortSignal): Promise<void> {
  for (let i = 0; i < C.length; i++) {
    const row = B[i];
    for (let l = 0; l < i; l++) {
      const [c, above] = [C[i][l], B[l]];
      for (let j = 0; j < row.length; j++) row[j] -= c * above[j];
    }
    for (let j = 0; j < row.length; j++) row[j] /= C[i][i];
    await breathe(signal);
  }
}
