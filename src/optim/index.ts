/**
 * Optimisers, and schedules of the learning rate.
 *
 * @module
 */
export {
  type AdamOptions,
  adam,
  adamw,
  makeOptimizer,
  Optimizer,
  type OptimizerName,
  optimizerDefaults,
  optimizers,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
} from "./optimizer.js";
export { constant, cosine, type Schedule, stepDecay, warmUp } from "./schedule.js";
