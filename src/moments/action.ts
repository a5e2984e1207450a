import { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { add, mul } from "../ops/arithmetic.js";
import { matmul } from "../ops/matmul.js";
import { permute, reshape } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { Cumulant } from "./cumulants.js";

/** A cumulant with the weight of its squares in Q. */
export interface Term extends Cumulant {
  weight: number;
  /** How much of the isotropic part was taken away. Default 0. */
  isotropic?: number;
}

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

/**
 * The gradient of <L . kappa, M . kappa'> in M, as packed lists, for several L [k, k]. With kappa = kappa' it is that of Q(L, M). (L . kappa)_ab.. =
 * sum_a' L_aa' kappa_a'b.. + the same on each other index, so for symmetric tensors of order p
 *
 *   <L . kappa, M . kappa'> = sum M_bb' (p P_bab.. + p (p - 1) P_ab.. ) kappa'_b'a.., P = L kappa on the first index:
 *
 * two products of size [k, k] x [k, k^(p - 1)] for each L.
 */
export async function gradient(
  Ls: readonly Matrix[],
  terms: readonly Term[],
  others: readonly Term[],
  device: Device,
): Promise<Float64Array[]> {
  const k = Ls[0].rows;
  const widest = Math.max(...terms.map(({ kappa }) => kappa.shape[1]));
  const count = Math.max(1, Math.floor(MOST_VALUES / (k * widest)));
  const out: Float64Array[] = [];
  for (let first = 0; first < Ls.length; first += count) {
    await breathe();
    out.push(...(await gradientOf(Ls.slice(first, first + count), terms, others, device)));
  }
  return out;
}

/** Of the largest tensor, so that each step takes some 10 ms. */
const MOST_VALUES = 2 ** 23;

async function gradientOf(Ls: readonly Matrix[], terms: readonly Term[], others: readonly Term[], device: Device): Promise<Float64Array[]> {
  const k = Ls[0].rows;
  const count = Ls.length;
  const values = await scope(() => {
    const stacked = new Float32Array(count * k * k);
    Ls.forEach((L, i) => void stacked.set(L.to1DArray(), i * k * k));
    const L = tensor(stacked, { shape: [count * k, k], device });
    let sum: Tensor | undefined;
    for (const [i, { p, kappa, weight }] of terms.entries()) {
      const part = mul(matmul(both(matmul(L, kappa), p, k, count), others[i].kappa, { transB: true }), weight);
      sum = sum ? add(sum, part) : part;
    }
    return (sum as Tensor).data();
  });
  return Ls.map((_, i) => packed(values, k, i * k * k));
}

/** p P_ab.. + p (p - 1) P_ba.. for P [count k, k^(p - 1)]. */
function both(P: Tensor, p: number, k: number, count: number): Tensor {
  if (p === 1) return P;
  const swapped = permute(reshape(P, [count, k, k, k ** (p - 2)]), [0, 2, 1, 3]);
  return reshape(add(mul(reshape(P, swapped.shape), p), mul(swapped, p * (p - 1))), P.shape);
}

/** G = sum w p kappa kappa^T [k, k]: what Q would be if the changes of different indices did not cancel is D(L) = <L G, L>. */
export async function incoherent(terms: readonly Term[], device: Device): Promise<Matrix> {
  const k = terms[0].kappa.shape[0];
  const values = await scope(() => {
    let sum = tensor(new Float32Array(k * k), { shape: [k, k], device });
    for (const { p, kappa, weight } of terms) sum = add(sum, mul(matmul(kappa, kappa, { transB: true }), p * weight));
    return sum.data();
  });
  const G = Matrix.from1DArray(k, k, Array.from(values));
  return G.add(G.transpose()).mul(0.5);
}

/** What D(L) gains from the isotropic part c delta.. that was taken from a cumulant: 2 c <L S, L> + c^2 size |L|^2. */
export interface Isotropic {
  c: number;
  S: Matrix;
  size: number;
}

/** Of terms of even order without their isotropic part; see `anisotropic`. */
export async function isotropicParts(terms: readonly Term[]): Promise<Isotropic[]> {
  const parts: Isotropic[] = [];
  for (const { p, kappa, weight, isotropic: c = 0 } of terms) {
    if (c === 0) continue;
    const k = kappa.shape[0];
    const values = await kappa.data();
    const S = Matrix.zeros(k, k);
    for (let a = 0; a < k; a++)
      for (let b = 0; b < k; b++) {
        let sum = p === 2 ? values[a * k + b] : 0;
        if (p === 4) for (let e = 0; e < k; e++) sum += 3 * values[((a * k + b) * k + e) * k + e];
        S.set(a, b, p * weight * sum);
      }
    parts.push({ c, S, size: p * weight * (p === 2 ? 1 : 3 * k + 6) });
  }
  return parts;
}

/**
 * How much less than D(L) = 1 there is if cumulants keep their isotropic part, each where it then makes less: taking it away must not make something to see
 * along an L where there is nothing.
 */
export const withIsotropic = (L: Matrix, parts: readonly Isotropic[]): number =>
  parts.reduce((left, { c, S, size }) => left + Math.min(0, 2 * c * Matrix.mul(L.mmul(S), L).sum() + c ** 2 * size * L.norm() ** 2), 1);
