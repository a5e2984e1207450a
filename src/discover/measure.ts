import type { Matrix } from "ml-matrix";
import type { Pieces } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { LconvError } from "../errors.js";
import { combination, dense, type Generator } from "../lie/generators/generator.js";
import { defectOf } from "../models/equivariance.js";
import type { EquivarianceDefect } from "../symmetry/defect.js";
import type { Model } from "../symmetry/lieDerivative.js";
import { keep, tensor } from "../tensor/tensor.js";

const MOST_SAMPLES = 500;

export interface MeasuredSamples {
  x: Float32Array; // [N, m, d]
  N: number;
  m: number;
  d: number;
}

/**
 * What `describe` takes as `defect`: that of a model on the first samples. Its outputs are invariant, or move along the k outputs of a sample by
 * L_c [k, k], of which there is one for each generator that was found. A known generator says nothing of outputs, which count as invariant then.
 * Undefined where the samples say nothing of L, such as one sample, or L x = 0 for all.
 */
export function defectOn(model: Model, { x, N, m, d }: MeasuredSamples, device: Device, labels: readonly Matrix[] = []) {
  const count = Math.min(N, MOST_SAMPLES);
  return function* (L: Generator, c?: readonly number[]): Pieces<EquivarianceDefect | undefined> {
    const output: Generator | "invariant" = c && labels.length > 0 ? combination(labels.map(dense), c) : "invariant";
    const seen = keep(tensor(x.subarray(0, count * m * d), { shape: [count, m, d], device }));
    try {
      return yield* defectOf(model, L, seen, { output });
    } catch (error) {
      if (error instanceof LconvError && error.code === "ERR_LCONV_DATA") return undefined;
      throw error;
    } finally {
      seen.dispose();
    }
  };
}
