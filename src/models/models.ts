import type { Device } from "../engine/device.js";
import { check, checkInteger, checkOptions, LconvError, nearest } from "../errors.js";
import { type Initializer, WeightSource } from "../nn/init.js";
import { Conv2d, Flatten, Linear, MaxPool2d, Reshape } from "../nn/layers.js";
import { LConv } from "../nn/lconv.js";
import { type Module, Sequential } from "../nn/module.js";
import { LConvMax, LConvStrided } from "../nn/pooling.js";
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
const known = ["layers", "filters", "generators", "rank", "kernel", "padding", "pool", "stride", "initializer", "order", "seed"];

/** A classifier of the paper's comparison: one or two hidden layers, then a linear head. */
export class Classifier extends Sequential {
  readonly name: ModelName;
  readonly hidden: readonly Module[];
  readonly head: Linear;

  constructor(name: ModelName, hidden: readonly Module[], head: Linear) {
    super(...hidden, new Flatten(), head);
    this.name = name;
    this.hidden = hidden;
    this.head = head;
  }

  /** Trained values of the hidden layers alone; the head dominates every total. */
  layerParameterCount(): number {
    return this.hidden.reduce((n, layer) => n + layer.parameterCount(), 0);
  }

  /** The L-conv layers, from the input on, with a maximum or without; strided layers, which have no L_0 and no square L_i, are not among them. */
  lconvLayers(): LConv[] {
    return this.hidden.filter((layer) => layer instanceof LConv);
  }
}

/**
 * The paper's models (section 4, Fig 2 and 3) on flattened images [B, m, d], with the authors' defaults: 32 filters, relu, 8 generators of rank 16.
 *   lconv          L-conv layers with learned low-rank generators
 *   lconv-random   the same, generators frozen as drawn
 *   cnn            convolutions without padding
 *   cnn-pool       each followed by 2 x 2 max pooling of stride 1
 *   fc             per layer d m -> (n_L + 1) d_h -> d filters, relu after both: L-conv's sizes without its sharing
 *   fc-shallow     one hidden layer, as wide as gives the parameter count of lconv with these options
 * `pool` changes the first two, whose layers have 2 n_L d d_h + (n_L + 1) m_in m_out + m_out values without it:
 *   max            LConvMax in place of LConv; the same values
 *   strided        behind each L-conv layer a LConvStrided from d to floor(d / stride) positions, with as many generators of the same rank:
 *                  n_L d_h (d + d_out) + n_L m_out^2 + m_out values more a layer, and all that follows has d_out positions. Behind, not in
 *                  place of it: the strided layer has no L_0, so alone it passes on only what its low rank holds, and it learns more slowly.
 * Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT.
 */
export function makeModel(name: ModelName, input: InputSize, device: Device, options: ModelOptions = {}): Classifier {
  checkOptions(`model ${name}`, options, known);
  const { layers = 1, filters = 32, generators = 8, rank = 16, kernel = 3, pool = "none", stride = 2, seed = 0 } = options;
  checkInteger(`model ${name}`, "layers", layers, 1, 2);
  checkInteger(`model ${name}`, "filters", filters, 1, 1 << 16);
  checkInteger(`model ${name}`, "seed", seed, 0, 2 ** 53 - 1);
  checkInteger(`model ${name}`, "classes", input.classes, 1);
  checkInteger(`model ${name}`, "channels", input.channels, 1);
  checkInteger(`model ${name}`, "generators (n_L)", generators, 1, (input.height * input.width) ** 2);
  checkInteger(`model ${name}`, "rank (d_h)", rank, 1, input.height * input.width);
  checkInteger(`model ${name}`, "kernel", kernel, 1, Math.min(input.height, input.width));
  checkInteger(`model ${name}`, "stride", stride, 1);
  checkPool(name, pool);
  const sizes = { layers, filters, generators, rank, kernel, pool, stride };
  const parts: Parts = { input, source: new WeightSource(device, seed), ...options, ...sizes };
  const build = builders[name];
  if (!build) {
    const near = nearest(String(name), modelNames);
    throw new LconvError(
      "ERR_LCONV_ARGUMENT",
      `unknown model "${String(name)}"; ${near ? `did you mean "${near}"?` : `known: ${modelNames.join(", ")}`}`,
    );
  }
  const { hidden, features } = build(parts);
  return new Classifier(name, hidden, new Linear(parts.source, features, input.classes, initOf(parts)));
}

function checkPool(name: ModelName, pool: Pool): void {
  check(pools.includes(pool), "ERR_LCONV_ARGUMENT", () => `model ${name}: unknown pool "${String(pool)}"; known: ${pools.join(", ")}`);
  check(
    pool === "none" || name === "lconv" || name === "lconv-random",
    "ERR_LCONV_ARGUMENT",
    () => `model ${name}: pool "${pool}" is for lconv and lconv-random; a CNN with pooling is the model cnn-pool`,
  );
}

type Sizes = "layers" | "filters" | "generators" | "rank" | "kernel" | "pool" | "stride";
type Parts = Omit<ModelOptions, "seed"> & Required<Pick<ModelOptions, Sizes>> & { input: InputSize; source: WeightSource };
interface Hidden {
  hidden: Module[];
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

/** Channels into each hidden layer. */
const channelsIn = ({ input, filters, layers }: Parts): number[] => [input.channels, ...new Array<number>(layers - 1).fill(filters)];

function lconvLayers(p: Parts, kind: "learned" | "random"): Hidden {
  const shared = { m_out: p.filters, generators: { kind, n_L: p.generators, d_h: p.rank }, ...initOf(p) };
  const hidden: Module[] = [];
  let d = p.input.height * p.input.width;
  for (const m_in of channelsIn(p)) {
    const options = { ...shared, d, m_in, order: p.order };
    hidden.push(p.pool === "max" ? new LConvMax(p.source, options) : new LConv(p.source, options));
    if (p.pool !== "strided") continue;
    const strided = new LConvStrided(p.source, { ...shared, d, m_in: p.filters, stride: p.stride });
    hidden.push(strided);
    d = strided.d_out;
  }
  return { hidden, features: d * p.filters };
}

function convLayers(p: Parts, pooled: boolean): Hidden {
  const hidden: Module[] = [new Reshape(p.input.channels, p.input.height, p.input.width)];
  let [height, width] = [p.input.height, p.input.width];
  for (const m_in of channelsIn(p)) {
    hidden.push(
      new Conv2d(p.source, m_in, p.filters, { kernel: p.kernel, padding: p.padding ?? "valid", activation: "relu", ...initOf(p) }),
    );
    const lost = (p.padding === "same" ? 0 : p.kernel - 1) + (pooled ? 1 : 0);
    if (pooled) hidden.push(new MaxPool2d({ size: 2, stride: 1 }));
    height -= lost;
    width -= lost;
    if (height < 1 || width < 1)
      throw new LconvError(
        "ERR_LCONV_ARGUMENT",
        `model cnn: ${p.layers} layers with kernel ${p.kernel} leave nothing of images ${p.input.height} x ${p.input.width}; take a smaller kernel, or padding "same"`,
      );
  }
  return { hidden, features: height * width * p.filters };
}

function fullyConnected(p: Parts): Hidden {
  const d = p.input.height * p.input.width;
  const hidden: Module[] = [new Flatten()];
  for (const m_in of channelsIn(p)) {
    const width = (p.generators + 1) * p.rank;
    hidden.push(new Linear(p.source, d * m_in, width, { activation: "relu", ...initOf(p) }));
    hidden.push(new Linear(p.source, width, d * p.filters, { activation: "relu", ...initOf(p) }));
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
  return { hidden: [new Flatten(), new Linear(p.source, inputs, width, { activation: "relu", ...initOf(p) })], features: width };
}
