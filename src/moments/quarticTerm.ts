import { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { matmul } from "../ops/matmul.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import type { Quartic } from "./quartic.js";

/** A cumulant of order 4 without repetitions, with the weight of its squares in Q. */
export interface QuarticTerm {
  p: number;
  kappa: Quartic;
  weight: number;
  /** How much of the isotropic part was taken away. Default 0. */
  isotropic?: number;
  /** Orthogonal E: L acts as E L E^T, so that kappa need not be turned. Default: I. */
  frame?: Matrix;
}

/** E^T A E */
const outOfFrame = (A: Matrix, E?: Matrix): Matrix => (E ? E.transpose().mmul(A).mmul(E) : A);

/** Its part of `incoherent`, 4 w kappa kappa^T [k, k]. */
export async function quarticIncoherent({ kappa, weight, frame }: QuarticTerm, device: Device, signal?: AbortSignal): Promise<Matrix> {
  const { k } = kappa;
  const G = Matrix.zeros(k, k);
  for (const { values } of kappa.slabs(true)) {
    await breathe(signal);
    const part = await scope(() => {
      const rows = tensor(values, { shape: [k, values.length / k], device });
      return matmul(rows, rows, { transB: true }).data();
    });
    G.add(Matrix.from1DArray(k, k, Array.from(part)));
  }
  return outOfFrame(G.mul(4 * weight), frame);
}

/** S_ab = sum_e kappa_abee */
export const quarticTrace = ({ kappa, frame }: QuarticTerm): Matrix =>
  outOfFrame(Matrix.from1DArray(kappa.k, kappa.k, Array.from(kappa.trace())), frame);
