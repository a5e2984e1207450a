import { check, checkInteger } from "../errors.js";

/** The learning rate of a step, as a factor on the base rate; `step` counts from 0, `steps` is the number of steps of the run. */
export type Schedule = (step: number, steps: number) => number;

/** The base rate throughout: 1. */
export const constant: Schedule = () => 1;

/**
 * Multiplies the rate by `gamma` (default 0.1) every `every` steps: gamma^floor(step / every). Throws ERR_LCONV_ARGUMENT for `every` below
 * 1.
 */
export function stepDecay(every: number, gamma = 0.1): Schedule {
  checkInteger("stepDecay", "every", every, 1);
  return (step) => gamma ** Math.floor(step / every);
}

/** Half a cosine from 1 to `floor` (default 0) over the whole run. Throws ERR_LCONV_ARGUMENT for a floor outside 0..1. */
export function cosine(floor = 0): Schedule {
  check(floor >= 0 && floor <= 1, "ERR_LCONV_ARGUMENT", () => `cosine: floor must lie in 0..1, got ${floor}`);
  return (step, steps) => floor + ((1 - floor) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / Math.max(1, steps)))) / 2;
}

/**
 * Rises linearly over the first `warm` steps, then follows `after` (default `constant`), which gets the remaining steps. Throws
 * ERR_LCONV_ARGUMENT for `warm` below 0.
 */
export function warmUp(warm: number, after: Schedule = constant): Schedule {
  checkInteger("warmUp", "steps", warm, 0);
  return (step, steps) => (step < warm ? (step + 1) / warm : after(step - warm, Math.max(1, steps - warm)));
}

/** The rates of `steps` steps, float32, for a device-resident schedule. */
export const ratesOf = (schedule: Schedule, lr: number, steps: number): Float32Array =>
  Float32Array.from({ length: steps }, (_, step) => lr * schedule(step, steps));
