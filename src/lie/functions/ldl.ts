/** A = L D L^T of a symmetric matrix. */
export interface Ldl {
  /** Eigenvalues of A below 0, by Sylvester's law of inertia. */
  negative: number;
  /** A^-1 b, in place. */
  solve(b: Float64Array): Float64Array;
}

/**
 * L D L^T without pivoting of A [n, n], row by row; only the lower triangle is read, and `a` is overwritten. For matrices that are definite, or
 * indefinite without structure. A pivot of 0 is replaced by the least positive one that the entries can tell from it.
 */
export function ldl(a: Float64Array, n: number): Ldl {
  let scale = 0;
  for (let i = 0; i < n; i++) scale = Math.max(scale, Math.abs(a[i * n + i]));
  const least = Math.max(scale * 1e-16, Number.MIN_VALUE * 2 ** 60);
  const row = new Float64Array(n); // of L D
  let negative = 0;
  for (let i = 0; i < n; i++) {
    let pivot = a[i * n + i];
    for (let j = 0; j < i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= row[k] * a[j * n + k];
      row[j] = sum;
      const factor = sum / a[j * n + j];
      a[i * n + j] = factor;
      pivot -= sum * factor;
    }
    if (pivot < 0) negative++;
    a[i * n + i] = Math.abs(pivot) < least ? least : pivot;
  }
  return { negative, solve: (b) => solved(a, n, b) };
}

function solved(a: Float64Array, n: number, b: Float64Array): Float64Array {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) b[i] -= a[i * n + j] * b[j];
  for (let i = 0; i < n; i++) b[i] /= a[i * n + i];
  for (let i = n - 1; i >= 0; i--) for (let j = 0; j < i; j++) b[j] -= a[i * n + j] * b[i];
  return b;
}
