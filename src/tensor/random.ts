import { Philox, streams } from "../engine/random.js";
import { checkShape, numel, type Shape } from "./shape.js";
import { type Tensor, type TensorOptions, tensor } from "./tensor.js";

/** How random tensors are drawn, and where they are made. */
export interface RandomOptions extends Omit<TensorOptions, "shape" | "dtype"> {
  /** Default 0. */
  seed?: number;
  /** Where in the sequence of the seed to begin, so that several draws can share a seed. Default 0. */
  position?: number;
}

function draw(shape: Shape, options: RandomOptions, from: (random: Philox, n: number) => Float64Array): Tensor {
  const { seed = 0, position = 0, ...rest } = options;
  checkShape("random", shape);
  return tensor(Float32Array.from(from(new Philox(seed, streams.user, position), numel(shape))), { ...rest, shape });
}

/** A float32 tensor, uniform in [0, 1); the values depend on (seed, position, shape) alone. Throws ERR_LCONV_SHAPE, ERR_LCONV_OOM. */
export const rand = (shape: Shape, options: RandomOptions = {}): Tensor => draw(shape, options, (random, n) => random.uniform(n));
/** A float32 tensor, standard normal; the values depend on (seed, position, shape) alone. Throws ERR_LCONV_SHAPE, ERR_LCONV_OOM. */
export const randn = (shape: Shape, options: RandomOptions = {}): Tensor => draw(shape, options, (random, n) => random.normal(n));
