import { checkInteger, checkOptions, oneOf } from "../errors.js";
import { initializers } from "../nn/init.js";
import type { Order } from "../ops/order.js";

/** The images a model takes: [B, m, p q]. */
export interface InputSize {
  channels: number;
  height: number;
  width: number;
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

export const pools = ["none", "max", "strided"] as const;
export type Pool = (typeof pools)[number];

const positions = ({ height, width }: InputSize): number => height * width;

/** All options of a model. A new one is an entry here, and a flag in cli/run/flags.ts. */
export const modelOptions = {
  /** Hidden layers. */
  layers: whole(1, () => 2) as Option<1 | 2>,
  /** Channels of each hidden layer. */
  filters: whole(32, () => 1 << 16),
  /** n_L learned generators; L_0 = I comes on top. */
  generators: whole(8, (input) => positions(input) ** 2, "n_L"),
  /** d_h, the rank of each generator. */
  rank: whole(16, positions, "d_h"),
  /** Side of the kernel of cnn and cnn-pool. */
  kernel: whole(3),
  /** Of cnn and cnn-pool. */
  padding: named("valid", ["valid", "same"]),
  /** Of lconv and lconv-random: a maximum over generators in every layer, or a strided layer behind every one. */
  pool: named("none", pools),
  /** The strided layers' d / d_out. */
  stride: whole(2),
  initializer: named("glorotNormal", initializers),
  /** Contraction order of L-conv layers; "auto" takes the cheaper one. */
  order: named<Order | "auto">("auto", ["auto", "VWU", "VUW"]),
  /** Of the initial weights. */
  seed,
};

type ValueOf<O> = O extends Option<infer T> ? T : never;
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
