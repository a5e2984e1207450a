import { Matrix } from "ml-matrix";

/** k (k - 1) / 2 numbers l_ab, a < b, as the antisymmetric matrix of norm |l|: L_ab = l_ab / sqrt 2 = -L_ba. */
export function unpacked(l: Float64Array, k: number): Matrix {
  const L = Matrix.zeros(k, k);
  let at = 0;
  for (let a = 0; a < k; a++)
    for (let b = a + 1; b < k; b++, at++) {
      L.set(a, b, l[at] * Math.SQRT1_2);
      L.set(b, a, -l[at] * Math.SQRT1_2);
    }
  return L;
}

/** <A, unpacked(l)> = <packed(A), l> for all l. */
export function packed(A: ArrayLike<number>, k: number, offset = 0): Float64Array {
  const l = new Float64Array((k * (k - 1)) / 2);
  let at = 0;
  for (let a = 0; a < k; a++) for (let b = a + 1; b < k; b++, at++) l[at] = (A[offset + a * k + b] - A[offset + b * k + a]) * Math.SQRT1_2;
  return l;
}
