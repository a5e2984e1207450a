import { Matrix } from "ml-matrix";
import { noGrad } from "../autograd/autograd.js";
import type { Device } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { checkOptions } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import type { Basis } from "../lie/generators/basis.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { gather } from "../ops/gather.js";
import { matmul } from "../ops/matmul.js";
import { concat, reshape, slice } from "../ops/shape.js";
import { checkedCenter, checkWidth } from "../symmetry/flow.js";
import { type Planes, planesOf } from "../symmetry/planes.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";

/** Options of Augment. */
export interface AugmentOptions {
  /** t is drawn from -width to width. Its unit: a generator is scaled so that its frequencies have the root mean square 1, in radians. Default 1. */
  width?: number;
  /** The point that stays in its place, [d]: x -> center + exp(tL)(x - center). Default 0. */
  center?: ArrayLike<number>;
}

/** Values of t are the middles of as many parts of -width to width. */
const LEVELS = 1024;

/**
 * Moves each training sample along the flow of generators, by another t at each step: x -> center + exp(t_1 L_1) exp(t_2 L_2) .. (x - center), all channels by
 * the same. Generators turn planes, as those of `lconv discover --distribution` do. t depends on the seed, the epoch and the place in the epoch alone.
 * Throws ERR_LCONV_ARGUMENT for a width that is not positive and generators that do more than turn, ERR_LCONV_SHAPE for a center of another size.
 *
 * @example
 * ```ts
 * import { Augment, lie } from "lconv";
 *
 * const augment = new Augment(lie.so(3), { width: 0.5 }); // of samples of three positions
 * // await fit(network, data, { augment });
 * ```
 */
export class Augment {
  /** Number of generators. */
  readonly n_L: number;
  /** Positions of a sample. */
  readonly d: number;
  /** The greatest t. */
  readonly width: number;
  /** A checksum by which a checkpoint recognises other generators. */
  readonly checksum: string;
  readonly #planes: readonly Planes[];
  readonly #center: Float64Array;

  /** The planes of the generators are found here, once. */
  constructor(basis: Basis, options: AugmentOptions = {}) {
    checkOptions("Augment", options, { width: 1, center: 1 });
    const { width = 1, center = new Float64Array(basis.d) } = options;
    checkWidth("Augment", width);
    this.#center = checkedCenter("Augment", center, basis.d);
    this.n_L = basis.n_L;
    this.d = basis.d;
    this.width = width;
    this.#planes = basis.generators.map(planesOf);
    this.checksum = crc32Of(
      Float64Array.of(width),
      this.#center,
      ...this.#planes.flatMap(({ into, out }) => [into, out].map((A) => Float64Array.from(A.to1DArray()))),
    );
  }

  /** The values of t of `count` samples, which follow each other in an epoch, as numbers of levels: int32 [count, n_L]. */
  draws(seed: number, epoch: number, count: number): Int32Array {
    const n = count * this.n_L;
    return Int32Array.from(new Philox(seed, streams.augment, epoch * n).uniform(n), (u) => Math.floor(u * LEVELS));
  }

  /** What does it on a device; dispose of it afterwards. */
  on(device: Device): DeviceAugment {
    const q = (planes: Planes): number => planes.frequencies.length;
    const upload = (values: Float32Array, shape: number[]): Tensor => keep(tensor(values, { shape, device }));
    const parts = this.#planes.map((planes) => {
      const into = Float32Array.from(planes.into.to1DArray());
      const still = planes.into.mmul(columnOf(this.#center));
      return {
        into: upload(into, [2 * q(planes), this.d]),
        out: upload(Float32Array.from(planes.out.transpose().to1DArray()), [2 * q(planes), this.d]),
        center: upload(Float32Array.from(still.to1DArray()), [1, 2 * q(planes)]),
        turns: upload(turnsOf(planes.frequencies, this.width), [LEVELS, 2 * q(planes)]),
      };
    });
    return new DeviceAugment(parts);
  }
}

const columnOf = (values: Float64Array): Matrix => Matrix.columnVector(Array.from(values));

/** cos(t w_j) - 1 of all planes, then sin(t w_j), of each level: [LEVELS, 2 q]. */
function turnsOf(frequencies: Float64Array, width: number): Float32Array {
  const q = frequencies.length;
  return Float32Array.from({ length: LEVELS * 2 * q }, (_, at) => {
    const [level, j] = [Math.floor(at / (2 * q)), at % (2 * q)];
    const angle = width * ((2 * level + 1) / LEVELS - 1) * frequencies[j % q];
    return j < q ? -2 * Math.sin(angle / 2) ** 2 : Math.sin(angle);
  });
}

interface Part {
  into: Tensor; // [2 q, d]
  out: Tensor; // [2 q, d]
  center: Tensor; // [1, 2 q]: into center
  turns: Tensor; // [LEVELS, 2 q]
}

/** An Augment on a device. */
export class DeviceAugment {
  readonly #parts: readonly Part[];
  /** Number of generators. */
  get n_L(): number {
    return this.#parts.length;
  }

  /** @internal */
  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** Moves x [n, m, d] by `draws`, int32 [n n_L]; without a gradient. */
  apply(x: Tensor, draws: Tensor): Tensor {
    const n_L = this.#parts.length;
    const n = x.shape[0];
    return noGrad(() => {
      const levels = reshape(draws, [n, n_L]);
      // The last generator acts first.
      return this.#parts.reduceRight((moved, part, i) => turned(moved, part, reshape(slice(levels, [0, i], [n, 1]), [n])), x);
    });
  }

  /** Frees its arrays. */
  dispose(): void {
    for (const part of this.#parts) for (const t of Object.values(part)) t.dispose();
  }
}

function turned(x: Tensor, { into, out, center, turns }: Part, levels: Tensor): Tensor {
  const [n, m, d] = x.shape;
  const q = into.shape[0] / 2;
  const c = reshape(sub(matmul(reshape(x, [n * m, d]), into, { transB: true }), center), [n, m, 2 * q]);
  const turn = reshape(gather(turns, levels), [n, 1, 2 * q]);
  const [c1, c2] = [slice(c, [0, 0, 0], [n, m, q]), slice(c, [0, 0, q], [n, m, q])];
  const [cos, sin] = [slice(turn, [0, 0, 0], [n, 1, q]), slice(turn, [0, 0, q], [n, 1, q])]; // cos - 1
  const moved = concat([add(mul(cos, c1), mul(sin, c2)), sub(mul(cos, c2), mul(sin, c1))], 2);
  return add(x, reshape(matmul(reshape(moved, [n * m, 2 * q]), out), x.shape));
}
