import { check, checkInteger, LconvError, oneOf } from "../errors.js";
import type { Conv2dOptions, LinearOptions } from "../nn/layers.js";
import type { LConvOptions } from "../nn/lconv.js";
import { type LConvStridedOptions, stridedPositions } from "../nn/pooling.js";
import { type InputSize, type ModelOptions, settleOptions } from "./options.js";

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
  /** Size of its input, without padding. */
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
  const { pools, build }: ModelEntry = modelTable[oneOf("makeModel", "model", name, modelNames)];
  const where = `model ${name}`;
  for (const size of ["classes", "channels", "height", "width"] as const) checkInteger(where, size, input[size], 1);
  const parts = { where, input, ...settleOptions(where, options, input) };
  check(
    parts.pool === "none" || pools === true,
    "ERR_LCONV_ARGUMENT",
    () => `${where}: pool "${parts.pool}" is for ${modelsWith("pools").join(" and ")}; a CNN with pooling is the model cnn-pool`,
  );
  const { hidden, features } = build(parts);
  return { hidden, head: linear(parts, features, input.classes, "linear") };
}

/** What a model is built from. */
interface Parts extends Required<ModelOptions> {
  /** For messages. */
  where: string;
  input: InputSize;
}
interface Hidden {
  hidden: LayerSpec[];
  /** Values that reach the head. */
  features: number;
}
interface ModelEntry {
  build(p: Parts): Hidden;
  /** Takes `pool` and `stride`. */
  pools?: true;
  /** Has generators that are trained, so that they can be regularised. */
  trainsGenerators?: true;
}

const modelTable = {
  lconv: { build: (p) => lconvLayers(p, "learned"), pools: true, trainsGenerators: true },
  "lconv-random": { build: (p) => lconvLayers(p, "random"), pools: true },
  cnn: { build: (p) => convLayers(p, false) },
  "cnn-pool": { build: (p) => convLayers(p, true) },
  fc: { build: fullyConnected },
  "fc-shallow": { build: shallow },
} satisfies Record<string, ModelEntry>;

/** One of `modelNames`; `makeModel` describes them. */
export type ModelName = keyof typeof modelTable;
/** Names of the models that `makeModel` makes. */
export const modelNames = Object.keys(modelTable) as ModelName[];

/** The models that have this property. */
export const modelsWith = (property: "pools" | "trainsGenerators"): ModelName[] =>
  modelNames.filter((name) => (modelTable[name] as ModelEntry)[property]);

const linear = (p: Parts, n_in: number, n_out: number, activation: "relu" | "linear"): LinearSpec => ({
  layer: "linear",
  n_in,
  n_out,
  options: { activation, initializer: p.initializer },
});

/** Channels into each hidden layer. */
const channelsIn = ({ input, filters, layers }: Parts): number[] => [input.channels, ...new Array<number>(layers - 1).fill(filters)];

function lconvLayers(p: Parts, kind: "learned" | "random"): Hidden {
  const shared = { m_out: p.filters, generators: { kind, n_L: p.generators, d_h: p.rank }, initializer: p.initializer };
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
  const { where, kernel, padding } = p;
  checkInteger(where, "kernel", kernel, 1, Math.min(p.input.height, p.input.width));
  check(
    padding !== "same" || kernel % 2 === 1,
    "ERR_LCONV_ARGUMENT",
    () => `${where}: padding "same" needs a kernel of odd size, got ${kernel}`,
  );
  const hidden: LayerSpec[] = [{ layer: "reshape", shape: [p.input.channels, p.input.height, p.input.width] }];
  let [height, width] = [p.input.height, p.input.width];
  for (const m_in of channelsIn(p)) {
    const options = { kernel, padding, activation: "relu", initializer: p.initializer } as const;
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
        `${where}: ${p.layers} layers with kernel ${kernel} leave nothing of images ${p.input.height} x ${p.input.width}; take a smaller kernel, or padding "same"`,
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
