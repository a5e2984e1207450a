import { totalmem } from "node:os";
import { Matrix, QrDecomposition } from "ml-matrix";
import type { Device } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { LconvError, oneOf, showShape } from "../errors.js";
import { numel, type Shape } from "../tensor/shape.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";

/**
 * How weights begin. Fans are those of Keras, which the paper's authors used: for a shape [..., rows, cols] the leading sizes multiply to
 * n, fan_in = rows n and fan_out = cols n.
 *
 * - glorotNormal: normal, std sqrt(2 / (fan_in + fan_out)), cut at 2 sigma and widened by 1 / .8796 so that the std holds
 * - glorotUniform: uniform, +- sqrt(6 / (fan_in + fan_out))
 * - heNormal: as glorotNormal, with std sqrt(2 / fan_in)
 * - normal: normal, std 1 / sqrt(fan_in)
 * - orthogonal: each trailing matrix with orthonormal rows or columns
 * - zeros
 */
export type Initializer = "glorotNormal" | "glorotUniform" | "heNormal" | "normal" | "orthogonal" | "zeros";
/** The names of all initializers. */
export const initializers: readonly Initializer[] = ["glorotNormal", "glorotUniform", "heNormal", "normal", "orthogonal", "zeros"];

/** Standard deviation of a unit normal that is cut off at 2 sigma. */
const TRUNCATED_STD = 0.87962566103423978;

/** On the host, for a weight: 32 random bits, the draw in float64 and the weight itself. */
const DRAW_BYTES = 16;

/** Number of inputs that a value depends on, and of outputs that depend on it. */
export interface Fans {
  /** Inputs of an output. */
  fanIn: number;
  /** Outputs of an input. */
  fanOut: number;
}

/** Keras's fans of a shape whose last two axes are rows and columns; of [n], n and n. */
export function fansOf(shape: Shape): Fans {
  if (shape.length < 2) return { fanIn: shape[0] ?? 1, fanOut: shape[0] ?? 1 };
  const n = numel(shape.slice(0, -2));
  return { fanIn: n * shape[shape.length - 2], fanOut: n * shape[shape.length - 1] };
}

function tooLarge(shape: Shape, cause?: unknown): LconvError {
  const need = (numel(shape) * DRAW_BYTES) / 1e9;
  return new LconvError(
    "ERR_LCONV_OOM",
    `weights of shape ${showShape(shape)} need ${need.toFixed(1)} GB to be drawn, more than there is; take a smaller network`,
    { cause },
  );
}

/** Draws a model's initial weights in the order in which its parameters are made, so that a seed determines a model. */
export class WeightSource {
  /** Where the parameters are made. */
  readonly device: Device;
  readonly #random: Philox;

  /** `seed` is an integer from 0 to 2^53 - 1. */
  constructor(device: Device, seed: number) {
    this.device = device;
    this.#random = new Philox(seed, streams.init);
  }

  /**
   * A parameter with requiresGrad, which no scope owns. `fans` replaces those of the shape, for convolutions.
   * Throws ERR_LCONV_ARGUMENT for an unknown initializer, ERR_LCONV_OOM.
   */
  parameter(shape: Shape, initializer: Initializer, fans: Fans = fansOf(shape)): Tensor {
    return keep(tensor(this.#drawn(shape, initializer, fans), { shape, device: this.device, requiresGrad: true }));
  }

  #drawn(shape: Shape, initializer: Initializer, fans: Fans): Float32Array {
    // Linux may grant memory that it does not have and kill the process when it is used.
    if (numel(shape) * DRAW_BYTES > totalmem()) throw tooLarge(shape);
    try {
      return this.#draw(shape, initializer, fans);
    } catch (error) {
      throw error instanceof RangeError ? tooLarge(shape, error) : error;
    }
  }

  #draw(shape: Shape, initializer: Initializer, { fanIn, fanOut }: Fans): Float32Array {
    const n = numel(shape);
    switch (oneOf("WeightSource", "initializer", initializer, initializers)) {
      case "glorotNormal":
        return this.#truncatedNormal(n, Math.sqrt(2 / (fanIn + fanOut)));
      case "heNormal":
        return this.#truncatedNormal(n, Math.sqrt(2 / fanIn));
      case "normal":
        return new Float32Array(this.#random.normal(n).map((x) => x / Math.sqrt(fanIn)));
      case "glorotUniform": {
        const limit = Math.sqrt(6 / (fanIn + fanOut));
        return new Float32Array(this.#random.uniform(n).map((u) => limit * (2 * u - 1)));
      }
      case "orthogonal":
        return this.#orthogonal(shape);
      case "zeros":
        return new Float32Array(n);
    }
  }

  #truncatedNormal(n: number, std: number): Float32Array {
    const out = new Float32Array(n);
    for (let filled = 0; filled < n; ) {
      const drawn = this.#random.normal(n - filled);
      for (let i = 0; i < drawn.length && filled < n; i++) if (Math.abs(drawn[i]) < 2) out[filled++] = (drawn[i] * std) / TRUNCATED_STD;
    }
    return out;
  }

  #orthogonal(shape: Shape): Float32Array {
    const [rows, cols] = shape.length < 2 ? [1, shape[0] ?? 1] : shape.slice(-2);
    const count = numel(shape) / Math.max(1, rows * cols);
    const [tall, wide] = [Math.max(rows, cols), Math.min(rows, cols)];
    const out: number[] = [];
    for (let i = 0; i < count; i++) {
      const qr = new QrDecomposition(Matrix.from1DArray(tall, wide, Array.from(this.#random.normal(tall * wide))));
      const R = qr.upperTriangularMatrix;
      const Q = qr.orthogonalMatrix; // signs fixed by R's diagonal: uniform over the orthogonal matrices
      for (let j = 0; j < wide; j++) if (R.get(j, j) < 0) Q.mulColumn(j, -1);
      out.push(...(rows === tall ? Q : Q.transpose()).to1DArray());
    }
    return Float32Array.from(out);
  }
}
