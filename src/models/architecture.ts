import { check, checkInteger, checkOptions, LconvError, type OptionNames, oneOf } from "../errors.js";
import type { Initializer } from "../nn/init.js";
import type { Conv2dOptions, LinearOptions } from "../nn/layers.js";
import type { LConvOptions } from "../nn/lconv.js";
import { type LConvStridedOptions, stridedPositions } from "../nn/pooling.js";
import type { Order } from "../ops/order.js";

/** The images a model takes: [B, m, p q]. */
export interface InputSize {
  channels: number;
  height: number;
  width: number;
  classes: number;
}

export const modelNames = ["lconv", "lconv-random", "cnn", "cnn-pool", "fc", "fc-shallow"] as const;
export type ModelName = (typeof modelNames)[number];
export const pools = ["none", "max", "strided"] as const;
export type Pool = (typeof pools)[number];

export interface ModelOptions {
  layers?: 1 | 2;
  filters?: number;
  /** n_L learned generators; L_0 = I comes on top. */
  generators?: number;
  /** d_h */
  rank?: number;
  /** Side of the kernel of cnn and cnn-pool. */
  kernel?: number;
  padding?: "valid" | "same";
  /** Of lconv and lconv-random: a maximum over generators in every layer, or a strided layer behind every one. */
  pool?: Pool;
  /** The strided layers' d / d_out. */
  stride?: number;
  initializer?: Initializer;
  order?: Order | "auto";
  seed?: number;
}
const optionNames: OptionNames<ModelOptions> = {
  ...{ layers: 1, filters: 1, generators: 1, rank: 1, kernel: 1, padding: 1, pool: 1, stride: 1, initializer: 1, order: 1, seed: 1 },
};

/** Generators of low rank, trained or frozen as drawn. */
type LowRankSpec = LConvStridedOptions["generators"];

/** A layer before it has weights: what it is made with. */
export type LayerSpec = LConvSpec | StridedSpec | ConvSpec | PoolSpec | LinearSpec | { layer: "flatten" } | ReshapeSpec;
export interface LConvSpec {
  layer: "lconv" | "lconv-max";
  options: LConvOptions & { generators: LowRankSpec };
}
export interface StridedSpec {
  layer: "lconv-strided";
  options: LConvStridedOptions;
}
export interface ConvSpec {
  layer: "conv";
  m_in: number;
  m_out: number;
  /** That it takes, without padding. */
  image: Image;
  options: Conv2dOptions & { kernel: number; padding: "valid" | "same" };
}
export interface PoolSpec {
  layer: "max-pool";
  channels: number;
  image: Image;
  options: { size: number; stride: number };
}
export interface LinearSpec {
  layer: "linear";
  n_in: number;
  n_out: number;
  options: LinearOptions;
}
interface ReshapeSpec {
  layer: "reshape";
  shape: readonly number[];
}
export type Image = readonly [height: number, width: number];

/** The layers of a model in their order; between `hidden` and `head` everything becomes one row a sample. */
export interface Architecture {
  hidden: LayerSpec[];
  head: LinearSpec;
}

/** The layers of `makeModel` with these arguments, without making them. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT. */
export function architecture(name: ModelName, input: InputSize, options: ModelOptions = {}): Architecture {
  oneOf("makeModel", "model", name, modelNames);
  checkOptions(`model ${name}`, options, optionNames);
  const { layers = 1, filters = 32, generators = 8, rank = 16, kernel = 3, pool = "none", stride = 2, seed = 0 } = options;
  checkInteger(`model ${name}`, "layers", layers, 1, 2);
  checkInteger(`model ${name}`, "filters", filters, 1, 1 << 16);
  checkInteger(`model ${name}`, "seed", seed, 0, 2 ** 53 - 1);
  checkInteger(`model ${name}`, "classes", input.classes, 1);
  checkInteger(`model ${name}`, "channels", input.channels, 1);
  checkInteger(`model ${name}`, "generators (n_L)", generators, 1, (input.height * input.width) ** 2);
  checkInteger(`model ${name}`, "rank (d_h)", rank, 1, input.height * input.width);
  const side = name === "cnn" || name === "cnn-pool" ? Math.min(input.height, input.width) : Number.MAX_SAFE_INTEGER; // others have none
  checkInteger(`model ${name}`, "kernel", kernel, 1, side);
  checkInteger(`model ${name}`, "stride", stride, 1);
  checkPool(name, pool);
  const sizes = { layers, filters, generators, rank, kernel, pool, stride };
  const parts: Parts = { input, ...options, ...sizes };
  const { hidden, features } = builders[name](parts);
  return { hidden, head: linear(parts, features, input.classes, "linear") };
}

function checkPool(name: ModelName, pool: Pool): void {
  oneOf(`model ${name}`, "pool", pool, pools);
  check(
    pool === "none" || name === "lconv" || name === "lconv-random",
    "ERR_LCONV_ARGUMENT",
    () => `model ${name}: pool "${pool}" is for lconv and lconv-random; a CNN with pooling is the model cnn-pool`,
  );
}

type Sizes = "layers" | "filters" | "generators" | "rank" | "kernel" | "pool" | "stride";
type Parts = Omit<ModelOptions, "seed"> & Required<Pick<ModelOptions, Sizes>> & { input: InputSize };
interface Hidden {
  hidden: LayerSpec[];
  /** Values that reach the head. */
  features: number;
}
const initOf = ({ initializer }: Parts): { initializer?: Initializer } => (initializer ? { initializer } : {});

const builders: Record<ModelName, (p: Parts) => Hidden> = {
  lconv: (p) => lconvLayers(p, "learned"),
  "lconv-random": (p) => lconvLayers(p, "random"),
  cnn: (p) => convLayers(p, false),
  "cnn-pool": (p) => convLayers(p, true),
  fc: fullyConnected,
  "fc-shallow": shallow,
};

const linear = (p: Parts, n_in: number, n_out: number, activation: "relu" | "linear"): LinearSpec => ({
  layer: "linear",
  n_in,
  n_out,
  options: { activation, ...initOf(p) },
});

/** Channels into each hidden layer. */
const channelsIn = ({ input, filters, layers }: Parts): number[] => [input.channels, ...new Array<number>(layers - 1).fill(filters)];

function lconvLayers(p: Parts, kind: "learned" | "random"): Hidden {
  const shared = { m_out: p.filters, generators: { kind, n_L: p.generators, d_h: p.rank }, ...initOf(p) };
  const hidden: LayerSpec[] = [];
  let d = p.input.height * p.input.width;
  for (const m_in of channelsIn(p)) {
    hidden.push({ layer: p.pool === "max" ? "lconv-max" : "lconv", options: { ...shared, d, m_in, order: p.order } });
    if (p.pool !== "strided") continue;
    const options = { ...shared, d, m_in: p.filters, stride: p.stride };
    hidden.push({ layer: "lconv-strided", options });
    d = stridedPositions(options);
  }
  return { hidden, features: d * p.filters };
}

function convLayers(p: Parts, pooled: boolean): Hidden {
  const { kernel, padding = "valid" } = p;
  check(
    padding !== "same" || kernel % 2 === 1,
    "ERR_LCONV_ARGUMENT",
    () => `model cnn: padding "same" needs a kernel of odd size, got ${kernel}`,
  );
  const hidden: LayerSpec[] = [{ layer: "reshape", shape: [p.input.channels, p.input.height, p.input.width] }];
  let [height, width] = [p.input.height, p.input.width];
  for (const m_in of channelsIn(p)) {
    const options = { kernel, padding, activation: "relu", ...initOf(p) } as const;
    hidden.push({ layer: "conv", m_in, m_out: p.filters, image: [height, width], options });
    const lost = padding === "same" ? 0 : kernel - 1;
    height -= lost;
    width -= lost;
    if (pooled) {
      hidden.push({ layer: "max-pool", channels: p.filters, image: [height, width], options: { size: 2, stride: 1 } });
      height--;
      width--;
    }
    if (height < 1 || width < 1)
      throw new LconvError(
        "ERR_LCONV_ARGUMENT",
        `model cnn: ${p.layers} layers with kernel ${kernel} leave nothing of images ${p.input.height} x ${p.input.width}; take a smaller kernel, or padding "same"`,
      );
  }
  return { hidden, features: height * width * p.filters };
}

function fullyConnected(p: Parts): Hidden {
  const d = p.input.height * p.input.width;
  const hidden: LayerSpec[] = [{ layer: "flatten" }];
  for (const m_in of channelsIn(p)) {
    const width = (p.generators + 1) * p.rank;
    hidden.push(linear(p, d * m_in, width, "relu"), linear(p, width, d * p.filters, "relu"));
  }
  return { hidden, features: d * p.filters };
}

/** Trained values of `lconv` with these options, with the authors' one bias per generator (Fig 3 was matched with them). */
function authorsLconvCount(p: Parts): number {
  const d = p.input.height * p.input.width;
  const k = p.generators + 1;
  const layer = (m_in: number): number => 2 * p.rank * d * p.generators + k * m_in * p.filters + k * p.filters;
  return channelsIn(p).reduce((n, m_in) => n + layer(m_in), 0) + (d * p.filters + 1) * p.input.classes;
}

function shallow(p: Parts): Hidden {
  const inputs = p.input.height * p.input.width * p.input.channels;
  const width = Math.max(1, Math.round(authorsLconvCount(p) / (p.input.classes + inputs)));
  return { hidden: [{ layer: "flatten" }, linear(p, inputs, width, "relu")], features: width };
}
