import { checkInteger, checkOptions, oneOf } from "../errors.js";
import { initializers } from "../nn/init.js";
import type { Order } from "../ops/order.js";

/** The images that a model takes: [B, m, p q]. */
export interface InputSize {
  /** Number of channels, m. */
  channels: number;
  /** Height in pixels, p. */
  height: number;
  /** Width in pixels, q. */
  width: number;
  /** Number of classes, outputs of the model. */
  classes: number;
}

/** One option: what it is where it is left out, and a check that throws ERR_LCONV_ARGUMENT. */
interface Option<T> {
  default: T;
  check(where: string, name: string, value: T, input: InputSize): void;
}

/** A whole number from 1 on; `symbol` is the paper's. */
const whole = (normal: number, most = (_: InputSize): number => 2 ** 31 - 1, symbol?: string): Option<number> => ({
  default: normal,
  check: (where, name, value, input) => checkInteger(where, symbol ? `${name} (${symbol})` : name, value, 1, most(input)),
});

/** One of some names. */
const named = <T extends string>(normal: NoInfer<T>, names: readonly T[]): Option<T> => ({
  default: normal,
  check: (where, name, value) => oneOf(where, name, value, names),
});

const seed: Option<number> = { default: 0, check: (where, name, value) => checkInteger(where, name, value, 0, 2 ** 53 - 1) };

/** Kinds of pooling in lconv and lconv-random. */
export const pools = ["none", "max", "strided"] as const;
/** One of `pools`. */
export type Pool = (typeof pools)[number];

const positions = ({ height, width }: InputSize): number => height * width;

/** All options of a model. A new one is an entry here, and a flag in cli/run/flags.ts. */
export const modelOptions = {
  /** Number of hidden layers. Default 1. */
  layers: whole(1, () => 2) as Option<1 | 2>,
  /** Output channels of each hidden layer. Default 32. */
  filters: whole(32, () => 1 << 16),
  /** n_L, the number of generators; L_0 = I comes on top. Default 8. */
  generators: whole(8, (input) => positions(input) ** 2, "n_L"),
  /** d_h, the rank of the generators. Default 16. */
  rank: whole(16, positions, "d_h"),
  /** Side of the kernel of cnn and cnn-pool. Default 3. */
  kernel: whole(3),
  /** Padding of cnn and cnn-pool. Default "valid". */
  padding: named("valid", ["valid", "same"]),
  /** For lconv and lconv-random: a maximum over the generators in every layer, or a strided layer after every layer. Default "none". */
  pool: named("none", pools),
  /** d / d_out of the strided layers. Default 2. */
  stride: whole(2),
  /** How weights begin. Default "glorotNormal". */
  initializer: named("glorotNormal", initializers),
  /** Contraction order of the L-conv layers; "auto" takes the cheaper one. Default "auto". */
  order: named<Order | "auto">("auto", ["auto", "VWU", "VUW"]),
  /** Seed of the initial weights. Default 0. */
  seed,
};

type ValueOf<O> = O extends Option<infer T> ? T : never;
/**
 * Options of makeModel; each model uses those that concern it.
 *
 * @interface
 */
export type ModelOptions = { [K in keyof typeof modelOptions]?: ValueOf<(typeof modelOptions)[K]> };
export const modelOptionNames = Object.keys(modelOptions) as (keyof ModelOptions)[];

/** `options` with the defaults. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT. */
export function settleOptions(where: string, options: ModelOptions, input: InputSize): Required<ModelOptions> {
  checkOptions(where, options, modelOptions);
  const settled = modelOptionNames.map((name) => {
    const { default: normal, check } = modelOptions[name] as Option<unknown>;
    const { [name]: value = normal } = options;
    check(where, name, value, input);
    return [name, value];
  });
  return Object.fromEntries(settled) as Required<ModelOptions>;
}
