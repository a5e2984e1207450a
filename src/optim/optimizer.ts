import { defined } from "../defined.js";
import * as commands from "../engine/commands.js";
import type { Device } from "../engine/device.js";
import { check, checkOptions, LconvError, type OptionNames, oneOf } from "../errors.js";
import { sumSquares } from "../ops/reduce.js";
import { scope } from "../tensor/scope.js";
import { full, keep, Tensor, tensor, zeros } from "../tensor/tensor.js";

/** One update formula: its state per parameter, and the command that applies it in place. */
interface Rule {
  name: string;
  /** Names of the state tensors, each of the parameter's shape. */
  slots: readonly string[];
  update(device: Device, u: commands.Update, state: readonly Tensor[], step: Tensor, scratch: Tensor): void;
}

/**
 * Updates parameters in place from their gradients; `sgd`, `adam`, `adamw` and `rmsprop` make one. Learning rate, clipping factor and step
 * count live on the device, so an optimiser can be part of a recorded step, and `step(grads, lr)` can read the rate of a schedule from a
 * tensor.
 */
export class Optimizer {
  /** Name of the rule, such as "adam". */
  readonly name: string;
  /** The parameters that it updates. */
  readonly parameters: readonly Tensor[];
  /** Learning rate, float32 [1]. */
  readonly lr: Tensor;
  /** Number of updates done, int32 [1]; part of a checkpoint. */
  readonly steps: Tensor;
  readonly #rule: Rule;
  readonly #state: Tensor[][];
  readonly #one: Tensor;
  readonly #scratch: Tensor;
  readonly #clipNorm: number | undefined;
  #learningRate: number;

  /** @internal */
  constructor(parameters: readonly Tensor[], rule: Rule, lr: number, clipNorm?: number) {
    check(parameters.length > 0, "ERR_LCONV_ARGUMENT", () => `${rule.name}: there is nothing to train: no parameter has requiresGrad`);
    checkPositive(rule.name, "lr", lr);
    if (clipNorm !== undefined) checkPositive(rule.name, "clipNorm", clipNorm);
    const { device } = parameters[0];
    this.name = rule.name;
    this.parameters = parameters;
    this.#rule = rule;
    this.#clipNorm = clipNorm;
    this.lr = keep(tensor([lr], { device }));
    this.#learningRate = Math.fround(lr);
    this.steps = keep(zeros([1], { device, dtype: "int32" }));
    this.#one = keep(full([1], 1, { device }));
    this.#scratch = keep(zeros([2], { device }));
    this.#state = parameters.map((p) => rule.slots.map(() => keep(zeros(p.shape, { device }))));
  }

  /**
   * One update. `grads` are in the order of `parameters` (default: each parameter's .grad), `lr` is [1] (default: `this.lr`). Throws
   * ERR_LCONV_ARGUMENT for a missing gradient or another number of them.
   */
  step(grads: readonly Tensor[] = this.parameters.map((p, i) => p.grad ?? missing(this.name, i)), lr: Tensor = this.lr): void {
    check(
      grads.length === this.parameters.length,
      "ERR_LCONV_ARGUMENT",
      () => `${this.name}: expected ${this.parameters.length} gradients, got ${grads.length}`,
    );
    scope(() => {
      const scale = this.#clipNorm === undefined ? this.#one : this.#clipFactor(grads, this.#clipNorm);
      this.parameters.forEach((w, i) => {
        const u = { n: w.size, g: grads[i], lr, scale, w };
        this.#rule.update(w.device, u, this.#state[i], this.steps, this.#scratch);
      });
      commands.stepAdvance(this.steps.device, this.steps);
    });
  }

  /** Disposes of the gradients that `backward` left at the parameters. */
  zeroGrad(): void {
    for (const p of this.parameters) {
      p.grad?.dispose();
      p.grad = undefined;
    }
  }

  /** Sets `lr`. Throws ERR_LCONV_ARGUMENT unless it is a positive number. */
  setLearningRate(lr: number): void {
    checkPositive(this.name, "lr", lr);
    this.lr.set([lr]);
    this.#learningRate = Math.fround(lr);
  }

  /** As `lr` has it, in float32; reads nothing from the device. */
  get learningRate(): number {
    return this.#learningRate;
  }

  /** The state tensors under names such as "velocity.0", with the step count, for a checkpoint. */
  namedState(): Map<string, Tensor> {
    const named = new Map<string, Tensor>([["steps", this.steps]]);
    this.#state.forEach((slots, i) => {
      slots.forEach((t, k) => {
        named.set(`${this.#rule.slots[k]}.${i}`, t);
      });
    });
    return named;
  }

  /** Frees the state and the gradients at the parameters, but not the parameters. */
  dispose(): void {
    this.zeroGrad();
    for (const t of [this.lr, this.steps, this.#one, this.#scratch, ...this.#state.flat()]) t.dispose();
  }
  /** Frees the state and the gradients at the parameters, but not the parameters. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #clipFactor(grads: readonly Tensor[], limit: number): Tensor {
    const factor = Tensor.empty(this.lr.device, [1]);
    commands.clipFactor(factor.device, limit, sumSquares(grads), factor);
    return factor;
  }
}

function missing(name: string, i: number): never {
  throw new LconvError(
    "ERR_LCONV_ARGUMENT",
    `${name}: parameter ${i} has no gradient; call backward(loss) before step(), or pass gradients`,
  );
}

function checkPositive(where: string, name: string, value: number): void {
  check(Number.isFinite(value) && value > 0, "ERR_LCONV_ARGUMENT", () => `${where}: ${name} must be a positive number, got ${value}`);
}
function checkRange(where: string, name: string, value: number, below: number): void {
  check(value >= 0 && value < below, "ERR_LCONV_ARGUMENT", () => `${where}: ${name} must lie in [0, ${below}), got ${value}`);
}

/** Options of every optimiser. */
interface CommonOptions {
  /** Learning rate, above 0. */
  lr?: number;
  /** From 0 on; how it is applied is stated with the optimiser. */
  weightDecay?: number;
  /** Gradients are scaled down together so that their norm is at most this. Default: they are not. */
  clipNorm?: number;
}
const commonOptions: OptionNames<CommonOptions> = { lr: 1, weightDecay: 1, clipNorm: 1 };

/** Defaults of the options of each optimiser. */
export const optimizerDefaults = {
  sgd: { lr: 0.01, momentum: 0, nesterov: false, weightDecay: 0 },
  adam: { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  adamw: { lr: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  rmsprop: { lr: 1e-3, rho: 0.9, epsilon: 1e-7, weightDecay: 0 },
} as const;

/** Options of sgd; `optimizerDefaults` has the defaults. */
export interface SgdOptions extends CommonOptions {
  /** In [0, 1). */
  momentum?: number;
  /** Nesterov's momentum, which needs a momentum above 0. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent, as PyTorch's: g' = g + weightDecay w; v = momentum v + g'; w -= lr (nesterov ? g' + momentum v : v).
 * Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION.
 */
export function sgd(parameters: readonly Tensor[], options: SgdOptions = {}): Optimizer {
  checkOptions("sgd", options, { ...commonOptions, momentum: 1, nesterov: 1 });
  const { lr, momentum, nesterov, weightDecay, clipNorm } = { ...optimizerDefaults.sgd, ...defined(options) };
  checkRange("sgd", "momentum", momentum, 1);
  checkRange("sgd", "weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  check(!nesterov || momentum > 0, "ERR_LCONV_ARGUMENT", () => "sgd: nesterov needs a momentum above 0");
  const constants = { momentum, decay: weightDecay, nesterov };
  const slots = momentum > 0 ? ["velocity"] : [];
  return new Optimizer(parameters, { name: "sgd", slots, update: (device, u, [v]) => commands.sgd(device, u, constants, v) }, lr, clipNorm);
}

/** Options of adam and adamw; `optimizerDefaults` has the defaults. */
export interface AdamOptions extends CommonOptions {
  /** Decay of the mean gradient, in [0, 1). */
  beta1?: number;
  /** Decay of the mean square, in [0, 1). */
  beta2?: number;
  /** Added outside the root, in [0, 1). */
  epsilon?: number;
}

function adamLike(name: "adam" | "adamw", parameters: readonly Tensor[], options: AdamOptions): Optimizer {
  checkOptions(name, options, { ...commonOptions, beta1: 1, beta2: 1, epsilon: 1 });
  const { lr, beta1, beta2, epsilon, weightDecay, clipNorm } = { ...optimizerDefaults[name], ...defined(options) };
  checkRange(name, "beta1", beta1, 1);
  checkRange(name, "beta2", beta2, 1);
  checkRange(name, "epsilon", epsilon, 1);
  checkRange(name, "weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  const constants = { beta1, beta2, epsilon, decay: weightDecay, decoupled: name === "adamw" };
  const update: Rule["update"] = (device, u, [m, v], step, scratch) => commands.adam(device, u, constants, { step, m, v, scratch });
  return new Optimizer(parameters, { name, slots: ["m", "v"], update }, lr, clipNorm);
}

/** Adam (Kingma and Ba, 2015) as PyTorch's; weight decay is added to the gradient. Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION. */
export const adam = (parameters: readonly Tensor[], options: AdamOptions = {}): Optimizer => adamLike("adam", parameters, options);
/**
 * AdamW (Loshchilov and Hutter, 2019) as PyTorch's; weight decay is applied to the weights. Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION.
 */
export const adamw = (parameters: readonly Tensor[], options: AdamOptions = {}): Optimizer => adamLike("adamw", parameters, options);

/** Options of rmsprop; `optimizerDefaults` has the defaults. */
export interface RmspropOptions extends CommonOptions {
  /** Decay of the mean square, in [0, 1). */
  rho?: number;
  /** Added outside the root, in [0, 1). */
  epsilon?: number;
}

/**
 * RMSprop as Keras's: g' = g + weightDecay w; v = rho v + (1 - rho) g'^2; w -= lr g' / (sqrt(v) + epsilon). Throws ERR_LCONV_ARGUMENT,
 * ERR_LCONV_OPTION.
 */
export function rmsprop(parameters: readonly Tensor[], options: RmspropOptions = {}): Optimizer {
  checkOptions("rmsprop", options, { ...commonOptions, rho: 1, epsilon: 1 });
  const { lr, rho, epsilon, weightDecay, clipNorm } = { ...optimizerDefaults.rmsprop, ...defined(options) };
  checkRange("rmsprop", "rho", rho, 1);
  checkRange("rmsprop", "epsilon", epsilon, 1);
  checkRange("rmsprop", "weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  const constants = { rho, epsilon, decay: weightDecay };
  return new Optimizer(
    parameters,
    { name: "rmsprop", slots: ["meanSquare"], update: (device, u, [v]) => commands.rmsprop(device, u, constants, v) },
    lr,
    clipNorm,
  );
}

/** The optimisers by name. */
export const optimizers = { sgd, adam, adamw, rmsprop } as const;
/** Name of an optimiser. */
export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as OptimizerName[];

/** An optimiser by name. Throws ERR_LCONV_ARGUMENT for an unknown one, and as the optimiser does. */
export function makeOptimizer(
  name: OptimizerName,
  parameters: readonly Tensor[],
  options: SgdOptions & AdamOptions & RmspropOptions,
): Optimizer {
  return optimizers[oneOf("makeOptimizer", "optimizer", name, optimizerNames)](parameters, options);
}
