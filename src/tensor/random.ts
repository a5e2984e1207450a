import { Philox, streams } from "../engine/random.js";
import { checkShape, numel, type Shape } from "./shape.js";
import { type Tensor, type TensorOptions, tensor } from "./tensor.js";

export interface RandomOptions extends Omit<TensorOptions, "shape" | "dtype"> {
  seed?: number;
  /** Where in the seed's sequence to begin; lets several draws share a seed. */
  position?: number;
}

function draw(shape: Shape, options: RandomOptions, from: (random: Philox, n: number) => Float64Array): Tensor {
  const { seed = 0, position = 0, ...rest } = options;
  checkShape("random", shape);
  return tensor(Float32Array.from(from(new Philox(seed, streams.user, position), numel(shape))), { ...rest, shape });
}

/** Uniform in [0, 1); the values depend on (seed, position, shape) alone. */
export const rand = (shape: Shape, options: RandomOptions = {}): Tensor => draw(shape, options, (random, n) => random.uniform(n));
/** Standard normal; the values depend on (seed, position, shape) alone. */
export const randn = (shape: Shape, options: RandomOptions = {}): Tensor => draw(shape, options, (random, n) => random.normal(n));
