export {
  type AdamOptions,
  adam,
  adamw,
  makeOptimizer,
  Optimizer,
  type OptimizerName,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
} from "./optimizer.js";
export { constant, cosine, type Schedule, stepDecay, warmUp } from "./schedule.js";
