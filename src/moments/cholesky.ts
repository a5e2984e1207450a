import { breathe } from "../engine/breathe.js";

/** A symmetric positive definite matrix [n, n] as C C^T, rows of C as lists: ml-matrix's, but in pieces, as 2,000 rows take seconds. */
export async function cholesky(S: readonly Float64Array[], signal?: AbortSignal): Promise<Float64Array[]> {
  const C: Float64Array[] = [];
  for (let i = 0; i < S.length; i++) {
    const row = S[i].slice(0, i + 1);
    for (let j = 0; j <= i; j++) {
      const other = j < i ? C[j] : row;
      const sum = row[j] - dotOfFirst(j, row, other);
      row[j] = j < i ? sum / other[j] : Math.sqrt(Math.max(sum, Number.MIN_VALUE));
    }
    C.push(row);
    await breathe(signal);
  }
  return C;
}

/** The inner product of the first n entries, in four sums, which run side by side. */
function dotOfFirst(n: number, a: Float64Array, b: Float64Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let l = 0;
  for (; l + 3 < n; l += 4) {
    s0 += a[l] * b[l];
    s1 += a[l + 1] * b[l + 1];
    s2 += a[l + 2] * b[l + 2];
    s3 += a[l + 3] * b[l + 3];
  }
  for (; l < n; l++) s0 += a[l] * b[l];
  return s0 + s1 + (s2 + s3);
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

/** C^-T B, in place. */
export async function solveUpper(C: readonly Float64Array[], B: readonly Float64Array[], signal?: AbortSignal): Promise<void> {
  for (let i = C.length - 1; i >= 0; i--) {
    const row = B[i];
    for (let j = 0; j < row.length; j++) row[j] /= C[i][i];
    for (let l = 0; l < i; l++) {
      const [c, above] = [C[i][l], B[l]];
      for (let j = 0; j < row.length; j++) above[j] -= c * row[j];
    }
    await breathe(signal);
  }
}
