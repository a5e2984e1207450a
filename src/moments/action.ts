import { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { add, mul } from "../ops/arithmetic.js";
import { matmul } from "../ops/matmul.js";
import { permute, reshape } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { Cumulant } from "./cumulants.js";
import { packed } from "./packed.js";
import { Quartic } from "./quartic.js";
import { type Form, quarticForm } from "./quarticForm.js";
import { type QuarticTerm, quarticIncoherent, quarticTrace } from "./quarticTerm.js";

/** A cumulant with the weight of its squares in Q. */
export interface DenseTerm {
  p: number;
  kappa: Tensor; // [k, k^(p - 1)]
  weight: number;
  /** How much of the isotropic part was taken away. Default 0. */
  isotropic?: number;
}

export type Term = DenseTerm | QuarticTerm;

const isQuartic = (term: Term): term is QuarticTerm => term.kappa instanceof Quartic;
export const isDense = (term: Term): term is DenseTerm => !isQuartic(term);

/** Components of a cumulant. */
export const sizeOf = ({ kappa }: Cumulant): number => (kappa instanceof Quartic ? kappa.k : kappa.shape[0]);

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
  terms: readonly DenseTerm[],
  others: readonly DenseTerm[],
  device: Device,
): Promise<Float64Array[]> {
  const k = Ls[0].rows;
  if (terms.length === 0) return Ls.map(() => new Float64Array((k * (k - 1)) / 2));
  const widest = Math.max(...terms.map(({ kappa }) => kappa.shape[1]));
  const count = Math.max(1, Math.floor(MOST_VALUES / (k * widest)));
  const out: Float64Array[] = [];
  for (let first = 0; first < Ls.length; first += count) {
    await breathe();
    out.push(...(await gradientOf(Ls.slice(first, first + count), terms, others, device)));
  }
  return out;
}

/** The same of Q of all terms, for as many L as one likes. The scope in force owns what it needs. */
export async function formOf(terms: readonly Term[], device: Device, signal?: AbortSignal): Promise<Form> {
  const [dense, quartics] = [terms.filter(isDense), terms.filter(isQuartic)];
  const form = quartics.length > 0 ? await quarticForm(quartics, undefined, device, signal) : undefined;
  return async (Ls) => added(await gradient(Ls, dense, dense, device), await form?.(Ls));
}

/** The same of <L . kappa, M . kappa'> + <L . kappa', M . kappa>. */
export async function mixedGradient(
  Ls: readonly Matrix[],
  terms: readonly Term[],
  others: readonly Term[],
  device: Device,
  signal?: AbortSignal,
): Promise<Float64Array[]> {
  await breathe(signal);
  const [dense, otherDense, quartics] = [terms.filter(isDense), others.filter(isDense), terms.filter(isQuartic)];
  const forth = await gradient(Ls, dense, otherDense, device);
  const sums = added(forth, await gradient(Ls, otherDense, dense, device));
  if (quartics.length === 0) return sums;
  return scope(async () => added(sums, await (await quarticForm(quartics, others.filter(isQuartic), device, signal))(Ls)));
}

const added = (lists: Float64Array[], more: readonly Float64Array[] | undefined): Float64Array[] =>
  more ? lists.map((list, i) => list.map((value, at) => value + more[i][at])) : lists;

/** Of the largest tensor, so that each step takes some 10 ms. */
const MOST_VALUES = 2 ** 23;

async function gradientOf(
  Ls: readonly Matrix[],
  terms: readonly DenseTerm[],
  others: readonly DenseTerm[],
  device: Device,
): Promise<Float64Array[]> {
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
export async function incoherent(terms: readonly Term[], device: Device, signal?: AbortSignal): Promise<Matrix> {
  const k = sizeOf(terms[0]);
  const values = await scope(() => {
    let sum = tensor(new Float32Array(k * k), { shape: [k, k], device });
    for (const { p, kappa, weight } of terms.filter(isDense)) sum = add(sum, mul(matmul(kappa, kappa, { transB: true }), p * weight));
    return sum.data();
  });
  const G = Matrix.from1DArray(k, k, Array.from(values));
  for (const term of terms.filter(isQuartic)) G.add(await quarticIncoherent(term, device, signal));
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
  for (const term of terms) {
    const { p, weight, isotropic: c = 0 } = term;
    if (c === 0) continue;
    const S = await traceOf(term);
    parts.push({ c, S: S.mul(p * weight), size: p * weight * (p === 2 ? 1 : 3 * S.rows + 6) });
  }
  return parts;
}

/** sum_a'b.. kappa_aa'b.. e_a'b.. for the e that no rotation changes: kappa_ab of order 2, 3 sum_e kappa_abee of order 4. */
async function traceOf(term: Term): Promise<Matrix> {
  if (isQuartic(term)) return quarticTrace(term).mul(3);
  const { p, kappa } = term;
  const k = kappa.shape[0];
  const values = await kappa.data();
  const S = Matrix.zeros(k, k);
  for (let a = 0; a < k; a++)
    for (let b = 0; b < k; b++) {
      let sum = p === 2 ? values[a * k + b] : 0;
      if (p === 4) for (let e = 0; e < k; e++) sum += 3 * values[((a * k + b) * k + e) * k + e];
      S.set(a, b, sum);
    }
  return S;
}

/**
 * How much less than D(L) = 1 there is if cumulants keep their isotropic part, each where it then makes less: taking it away must not make something to see
 * along an L where there is nothing.
 */
export const withIsotropic = (L: Matrix, parts: readonly Isotropic[]): number =>
  parts.reduce((left, { c, S, size }) => left + Math.min(0, 2 * c * Matrix.mul(L.mmul(S), L).sum() + c ** 2 * size * L.norm() ** 2), 1);
