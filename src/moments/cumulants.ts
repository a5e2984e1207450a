import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { matmul } from "../ops/matmul.js";
import { reshape } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { fours, Quartic } from "./quartic.js";
import { covarianceOf, meanOf, type RawMoments, repeats } from "./rawMoments.js";

// Symmetric tensors of order p are [k, k^(p - 1)] row by row.

/** Unbiased estimates of the third cumulants (Fisher's k-statistics), kappa_abc = n^2 / ((n - 1)(n - 2)) m_abc with central moments m. */
export function thirdCumulants({ n, sums: [first, second, third] }: RawMoments): Float64Array {
  const k = first.length;
  const mean = first.map((sum) => sum / n);
  const out = third.map((sum) => sum / n);
  const factor = n ** 2 / ((n - 1) * (n - 2));
  let at = 0;
  for (let a = 0; a < k; a++)
    for (let b = 0; b < k; b++)
      for (let c = 0; c < k; c++, at++) {
        const mixed = mean[a] * second[b * k + c] + mean[b] * second[a * k + c] + mean[c] * second[a * k + b];
        out[at] = factor * (out[at] - mixed / n + 2 * mean[a] * mean[b] * mean[c]);
      }
  return out;
}

/**
 * The same of the fourth, kappa_abcd = n^2 ((n + 1) m_abcd - (n - 1)(m_ab m_cd + m_ac m_bd + m_ad m_bc)) / ((n - 1)(n - 2)(n - 3))
 * (McCullagh, Tensor Methods in Statistics, 4.2).
 */
export function fourthCumulants(raw: RawMoments): Float64Array {
  const k = raw.sums[0].length;
  const entry = fourthOf(raw);
  const out = new Float64Array(k ** 4);
  let at = 0;
  for (let a = 0; a < k; a++)
    for (let b = 0; b < k; b++) for (let c = 0; c < k; c++) for (let e = 0; e < k; e++, at++) out[at] = entry(a, b, c, e, raw.sums[3][at]);
  return out;
}

/** The same of sums without repetitions. */
export function quarticCumulants(raw: RawMoments): Quartic {
  const k = raw.sums[0].length;
  const entry = fourthOf(raw);
  const out = new Float32Array(fours(k));
  let at = 0;
  for (let e = 0; e < k; e++)
    for (let c = 0; c <= e; c++)
      for (let b = 0; b <= c; b++) for (let a = 0; a <= b; a++, at++) out[at] = entry(a, b, c, e, raw.sums[3][at]);
  return new Quartic(k, out);
}

/** kappa_abce from the sum of x_a x_b x_c x_e. */
function fourthOf({ n, sums: [first, second, third] }: RawMoments): (a: number, b: number, c: number, e: number, sum: number) => number {
  const k = first.length;
  const mean = first.map((sum) => sum / n);
  const [raw2, raw3] = [second.map((sum) => sum / n), third.map((sum) => sum / n)];
  const central2 = raw2.map((value, at) => value - mean[Math.floor(at / k)] * mean[at % k]);
  const factor = n ** 2 / ((n - 1) * (n - 2) * (n - 3));
  return (a, b, c, e, sum) => {
    const [ab, aOfMean, bOfMean, cOfMean, eOfMean] = [a * k + b, mean[a], mean[b], mean[c], mean[e]];
    const [ac, bc, ae, be, ce] = [a * k + c, b * k + c, a * k + e, b * k + e, c * k + e];
    const byThird = aOfMean * raw3[bc * k + e] + bOfMean * raw3[ac * k + e] + cOfMean * raw3[ab * k + e] + eOfMean * raw3[ab * k + c];
    const bySecond =
      aOfMean * (bOfMean * raw2[ce] + cOfMean * raw2[be] + eOfMean * raw2[bc]) +
      bOfMean * (cOfMean * raw2[ae] + eOfMean * raw2[ac]) +
      cOfMean * eOfMean * raw2[ab];
    const central = sum / n - byThird + bySecond - 3 * aOfMean * bOfMean * cOfMean * eOfMean;
    const gaussian = central2[ab] * central2[ce] + central2[ac] * central2[be] + central2[ae] * central2[bc];
    return factor * ((n + 1) * central - (n - 1) * gaussian);
  };
}

/** S^(-1/2) of a positive definite S, whose eigenvalues below `least` are rounding. */
export function inverseRoot(S: Matrix, least = 1e-6): Matrix {
  const { realEigenvalues, eigenvectorMatrix: E } = new EigenvalueDecomposition(S, { assumeSymmetric: true });
  const scale = Matrix.diag(realEigenvalues.map((value) => 1 / Math.sqrt(Math.max(value, least))));
  return E.mmul(scale).mmul(E.transpose());
}

/** kappa_ab.. -> sum R_aa' R_bb' .. kappa_a'b'.. of order p, [k, k^(p - 1)] for R [k, k]. */
export function turned(kappa: Tensor, R: Tensor, p: number): Tensor {
  const k = R.shape[0];
  return scope(() => {
    let t = kappa;
    for (let i = 0; i < p; i++) t = reshape(matmul(t, R, { transA: true, transB: true }), [k, k ** (p - 1)]); // the first index becomes the last
    return t;
  });
}

/** A symmetric tensor, and which order and class of samples it is of. */
export interface Cumulant {
  p: number;
  kappa: Tensor | Quartic; // [k, k^(p - 1)], or of order 4 without repetitions
}

/**
 * Cumulants of each class, of the orders asked for, in the coordinates in which the covariance of all classes together is I. Of several classes, whose means
 * and covariances differ, the first two orders are there, too. The scope in force owns them.
 */
export async function cumulantsOf(
  classes: readonly RawMoments[],
  all: RawMoments,
  orders: readonly number[],
  device: Device,
  signal?: AbortSignal,
): Promise<Cumulant[]> {
  const center = meanOf(all);
  const k = center.length;
  const root = inverseRoot(covarianceOf(all));
  const white = upload(root, device);
  const out: Cumulant[] = [];
  for (const raw of classes)
    for (const p of classes.length > 1 ? [1, 2, ...orders] : orders) {
      await breathe(signal);
      if (p === 4 && !repeats(raw)) {
        out.push({ p, kappa: await quarticCumulants(raw).turned(root, device, signal) });
        continue;
      }
      const values = ofOrder(raw, center, p);
      out.push({ p, kappa: scope(() => turned(symmetric(Float32Array.from(values), k, device), white, p)) });
    }
  return out;
}

function ofOrder(raw: RawMoments, center: Float64Array, p: number): ArrayLike<number> {
  if (p === 1) return meanOf(raw).map((value, a) => value - center[a]);
  if (p === 2) return covarianceOf(raw).to1DArray();
  return p === 3 ? thirdCumulants(raw) : fourthCumulants(raw);
}

/** A tensor of order p as [k, k^(p - 1)]. */
export const symmetric = (values: Float32Array, k: number, device: Device): Tensor =>
  tensor(values, { shape: [k, values.length / k], device });

/** c of the part that no rotation changes: of order 2 c delta_ab, of order 4 c (delta_ab delta_cd + delta_ac delta_bd + delta_ad delta_bc). */
export function isotropicShare(values: ArrayLike<number>, p: number, k: number): number {
  let trace = 0;
  if (p === 2) for (let a = 0; a < k; a++) trace += values[a * k + a] / k;
  if (p === 4) for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) trace += values[((a * k + a) * k + b) * k + b] / (k * (k + 2));
  return trace;
}

/** The rest. */
export function anisotropic(values: Float32Array, p: number, k: number): Float32Array {
  const out = values.slice();
  const c = isotropicShare(values, p, k);
  const at = (a: number, b: number, e: number, f: number): number => ((a * k + b) * k + e) * k + f;
  if (p === 2) for (let a = 0; a < k; a++) out[a * k + a] -= c;
  if (p === 4)
    for (let a = 0; a < k; a++)
      for (let b = 0; b < k; b++) for (const index of [at(a, a, b, b), at(a, b, a, b), at(a, b, b, a)]) out[index] -= c;
  return out;
}

export const upload = (A: Matrix, device: Device): Tensor =>
  tensor(Float32Array.from(A.to1DArray()), { shape: [A.rows, A.columns], device });
