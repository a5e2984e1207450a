import { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import { check, checkInteger, checkOptions, clip, showShape } from "../errors.js";
import { Basis } from "../lie/generators/basis.js";
import { lowRank } from "../lie/generators/generator.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { exp, relu, scale, sqrt } from "../ops/elementwise.js";
import { matmul } from "../ops/matmul.js";
import { argmax, max, mean } from "../ops/reduce.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { checkedCenter, checkWidth } from "./flow.js";
import {
  blockSize,
  checkFinite,
  type DeviceElements,
  type Left,
  leftOf,
  type Right,
  rightOf,
  rowsOf,
  shapeOf,
  stillPart,
  turningPart,
  upload,
} from "./orbitBlocks.js";
import { type Elements, elementsOf, evenTimes, periodOf, randomTimes } from "./orbitElements.js";
import { featuresOf, type OrbitFeatures, type OrbitFeaturesOptions } from "./orbitFeatures.js";
import { frameOf, type OrbitFrame, type OrbitFrameOptions } from "./orbitFrame.js";
import { type Planes, planesOf } from "./planes.js";

/** Options of Orbit. */
export interface OrbitOptions {
  /** The point that stays in its place, [d]: g x = center + exp(tL)(x - center). Default 0. */
  center?: ArrayLike<number>;
  /**
   * t goes from -width to width. Its unit: a generator is scaled so that its frequencies have the root mean square 1, in radians. Default: half the period
   * of one generator whose frequencies are integer multiples of one to 1e-6 of it, so that the elements are a group; else pi.
   */
  width?: number;
  /** Number of elements. Of one generator it is odd, so that the identity is among them: an even number counts as the next. Default 64. */
  count?: number;
  /** Of the random t of several generators. Default 0. */
  seed?: number;
}

/** Stops the work, which then throws the reason of the signal. */
export interface OrbitRunOptions {
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
}

/** Options of `Orbit.kernel`. */
export interface OrbitKernelOptions extends OrbitRunOptions {
  /** Of the Gaussian, in units of x. */
  width: number;
}

/** Of each x the nearest y. */
export interface Nearest {
  /** Its number, [N]. */
  index: Int32Array;
  /** Its distance, [N]. */
  distance: Float32Array;
}

const COUNT = 64;
const MOST_ELEMENTS = 2 ** 16;

/**
 * What the flow of known generators does to distances, kernels, features and frames, without training. The elements g are exp(tL) at the middles of `count`
 * equal parts of -width..width, about a center; of several generators the identity and count - 1 products exp(t_1 L_1) exp(t_2 L_2) .. at random t.
 * Generators turn planes, as those of `lconv discover --distribution` do. All channels of a sample move by the same g.
 *
 * Samples are tensors [N, d] or [N, m, d] on one device; distances are Euclidean over channels and positions, in float32: what is below 1e-3 of the distance
 * to the center is rounding. Work is done in blocks of some 64 MB beside the samples and the result. Cost of all pairs: O(N M m (d + r count)) for
 * generators of rank r.
 *
 * Throws ERR_LCONV_ARGUMENT for a width that is not positive, a count below 1 and generators that do more than turn, ERR_LCONV_SHAPE for a center of another
 * size. Methods throw ERR_LCONV_SHAPE for samples of another size, ERR_LCONV_DATA for values that are not finite, ERR_LCONV_DEVICE, and the reason of `signal`.
 *
 * @example
 * ```ts
 * import { lie, tensor } from "lconv";
 *
 * const orbit = new lie.Orbit(lie.so(2));
 * const [x, y] = [tensor([[1, 0]]), tensor([[0, 3]])];
 * await orbit.distances(x, y); // about [2]: from 1 to 3, turned
 * ```
 */
export class Orbit {
  /** Number of generators. */
  readonly n_L: number;
  /** Positions of a sample. */
  readonly d: number;
  /** The greatest t. */
  readonly width: number;
  /** t of each element, [count, n_L]. */
  readonly times: Float64Array;
  readonly #planes: readonly Planes[];
  readonly #center: Float64Array;
  readonly #elements: Elements;

  /** The planes of the generators are found here, once. */
  constructor(basis: Basis, options: OrbitOptions = {}) {
    checkOptions("Orbit", options, { center: 1, width: 1, count: 1, seed: 1 });
    const { center = new Float64Array(basis.d), count = COUNT, seed = 0 } = options;
    checkInteger("Orbit", "count", count, 1, MOST_ELEMENTS);
    checkInteger("Orbit", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
    this.#center = checkedCenter("Orbit", center, basis.d);
    this.#planes = basis.generators.map(planesOf);
    const period = this.#planes.length === 1 ? periodOf(this.#planes[0].frequencies) : undefined;
    const { width = period === undefined ? Math.PI : period / 2 } = options;
    checkWidth("Orbit", width);
    this.n_L = basis.n_L;
    this.d = basis.d;
    this.width = width;
    this.times = this.n_L === 1 ? evenTimes(width, count) : randomTimes(width, count, this.n_L, seed);
    this.#elements = elementsOf(this.#planes, this.times);
  }

  /** Number of elements. */
  get count(): number {
    return this.#elements.maps.length;
  }

  /**
   * g - 1 of each element but the identity, as generators of low rank: with them sum_i L_i h W^i is a convolution over the elements, and its layers commute
   * with the flow where those are a group.
   */
  steps(): Basis {
    const { into, out, maps } = this.#elements;
    const moving = maps.filter((K) => K.norm() > 0);
    check(moving.length > 0, "ERR_LCONV_ARGUMENT", () => "Orbit.steps: the identity is the only element; take a greater count");
    return new Basis(moving.map((K) => lowRank(out.mmul(K), into)));
  }

  /** What each element of `steps` moves the origin by, (1 - g) center, [count, d]. */
  offsets(): Float64Array[] {
    const { into, out, maps } = this.#elements;
    const still = into.mmul(Matrix.columnVector(Array.from(this.#center)));
    return maps.filter((K) => K.norm() > 0).map((K) => Float64Array.from(out.mmul(K.mmul(still)).to1DArray(), (value) => -value));
  }

  /** min over g of |g x_n - y_m|, [N, M] row by row, of x and y of N and M samples. */
  async distances(x: Tensor, y: Tensor, options: OrbitRunOptions = {}): Promise<Float32Array> {
    checkOptions("Orbit.distances", options, { signal: 1 });
    return this.#matrix("Orbit.distances", x, y, options.signal, distancesOf);
  }

  /** The y that is nearest to each x by `distances`, the first of equals; without holding all distances. */
  async nearest(x: Tensor, y: Tensor, options: OrbitRunOptions = {}): Promise<Nearest> {
    checkOptions("Orbit.nearest", options, { signal: 1 });
    const [N] = shapeOf("Orbit.nearest", "x", x, this.d);
    const index = new Int32Array(N);
    const distance = new Float32Array(N).fill(Number.POSITIVE_INFINITY);
    const work = (on: DeviceElements, left: Left, right: Right): Tensor[] => {
      const minus = mul(distancesOf(on, left, right), -1);
      return [max(minus, 1), argmax(minus, 1)];
    };
    await this.#blocks("Orbit.nearest", x, y, options.signal, work, ([minus, at], row, column) => {
      minus.forEach((value, i) => {
        if (-value >= distance[row + i]) return;
        distance[row + i] = -value;
        index[row + i] = column + at[i];
      });
    });
    return { index, distance };
  }

  /**
   * K[n, m] = mean over g of exp(-|g x_n - y_m|^2 / (2 width^2)), [N, M] row by row: the Haar-integration kernel of a Gaussian (Haasdonk and Burkhardt 2007,
   * Invariant kernel functions for pattern analysis and machine learning). It is symmetric and positive semidefinite, and the same for all points of an
   * orbit, where the elements are a group, as those of one generator over a whole period are, and keep distances (L antisymmetric); else nearly so at best.
   * Throws ERR_LCONV_ARGUMENT for a width that is not positive.
   */
  async kernel(x: Tensor, y: Tensor, options: OrbitKernelOptions): Promise<Float32Array> {
    checkOptions("Orbit.kernel", options, { width: 1, signal: 1 });
    const { width, signal } = options;
    check(
      typeof width === "number" && width > 0 && width < Number.POSITIVE_INFINITY,
      "ERR_LCONV_ARGUMENT",
      () => `Orbit.kernel: width must be positive, got ${clip(String(width))}`,
    );
    const gaussian = (minusSquares: Tensor): Tensor => exp(scale(minusSquares, 0.5 / width ** 2));
    return this.#matrix("Orbit.kernel", x, y, signal, (on, left, right) =>
      mul(mean(gaussian(turningPart(on, left, right)), 1), gaussian(stillPart(left, right))),
    );
  }

  /** Mean over g of g x, in the shape of x, on its device: of a group's elements the part that does not change. */
  average(x: Tensor): Tensor {
    const { into, out, maps } = this.#elements;
    const total = maps.reduce((sum, K) => sum.add(K), Matrix.zeros(out.columns, into.rows)).div(maps.length);
    const [N, m, d] = shapeOf("Orbit.average", "x", x, this.d);
    return scope(() => {
      const on = upload(x.device, { into, out, maps: [total] }, this.#center);
      const rows = x.view([N * m, d]);
      const step = matmul(matmul(sub(rows, on.center), on.into, { transB: true }), on.maps);
      return add(rows, matmul(step, on.out, { transB: true })).view(x.shape);
    });
  }

  /**
   * Numbers of each sample that exp(tL) does not change, of one generator, whatever width and count are. See `OrbitFeatures`.
   * Throws ERR_LCONV_ARGUMENT for several generators.
   */
  async features(x: Tensor, options: OrbitFeaturesOptions = {}): Promise<OrbitFeatures> {
    const shape = shapeOf("Orbit.features", "x", x, this.d);
    check(
      this.n_L === 1,
      "ERR_LCONV_ARGUMENT",
      () => `Orbit.features: needs one generator, got ${this.n_L}; what one of several leaves as it is changes by the others`,
    );
    return featuresOf(x, shape, this.#planes[0], this.#center, options);
  }

  /** A template of x [N, d] or [N, m, d], and with it a way to turn samples so that they look alike. See `OrbitFrame`. */
  async frame(x: Tensor, options: OrbitFrameOptions = {}): Promise<OrbitFrame> {
    shapeOf("Orbit.frame", "x", x, this.d);
    return frameOf(x, { elements: this.#elements, center: this.#center }, options);
  }

  async #matrix(where: string, x: Tensor, y: Tensor, signal: AbortSignal | undefined, work: Work<Tensor>): Promise<Float32Array> {
    const [[N], [M]] = [shapeOf(where, "x", x, this.d), shapeOf(where, "y", y, this.d)];
    const all = new Float32Array(N * M);
    await this.#blocks(
      where,
      x,
      y,
      signal,
      (on, left, right) => [work(on, left, right)],
      ([values], row, column, columns) => {
        for (let i = 0; i * columns < values.length; i++)
          all.set((values as Float32Array).subarray(i * columns, (i + 1) * columns), (row + i) * M + column);
      },
    );
    return all;
  }

  /** Blocks of rows and columns: what `work` makes of each, read by `use`. */
  async #blocks(
    where: string,
    x: Tensor,
    y: Tensor,
    signal: AbortSignal | undefined,
    work: Work<Tensor[]>,
    use: (values: (Float32Array | Int32Array)[], row: number, column: number, columns: number) => void,
  ): Promise<void> {
    const [a, b] = [shapeOf(where, "x", x, this.d), shapeOf(where, "y", y, this.d)];
    const [[N, m], [M]] = [a, b];
    check(b[1] === m, "ERR_LCONV_SHAPE", () => `${where}: x ${showShape(x.shape)} and y ${showShape(y.shape)} differ in their channels`);
    await scope(async () => {
      const on = upload(x.device, this.#elements, this.#center);
      const { rows, columns } = blockSize(on, m, M);
      const rights: Right[] = [];
      for (let at = 0; at < M; at += columns) {
        const right = scope(() => rightOf(on, rowsOf(y, b, at, columns)));
        checkFinite(where, "y", right, at);
        rights.push(right);
      }
      for (let row = 0; row < N; row += rows)
        await scope(async () => {
          await breathe(signal);
          const left = leftOf(on, rowsOf(x, a, row, rows));
          checkFinite(where, "x", left, row);
          for (const [k, right] of rights.entries()) {
            const made = scope(() => work(on, left, right));
            const values = [];
            for (const t of made) values.push(await t.data());
            for (const t of made) t.dispose();
            use(values, row, k * columns, right.n);
          }
        });
    });
  }
}

type Work<T> = (on: DeviceElements, left: Left, right: Right) => T;

/** [n, columns]; rounding may make squares negative. */
const distancesOf: Work<Tensor> = (on, left, right) =>
  sqrt(relu(mul(add(max(turningPart(on, left, right), 1), stillPart(left, right)), -1)));
