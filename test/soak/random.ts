import { Philox, streams } from "../../src/engine/random.js";

/** Choices that are the same for the same seed. */
export class Random {
  readonly #random: Philox;

  constructor(seed: number) {
    this.#random = new Philox(seed, streams.user);
  }

  chance = (probability: number): boolean => this.#random.uniform(1)[0] < probability;
  /** A whole number from 0 to below `n`. */
  below = (n: number): number => Math.floor(this.#random.uniform(1)[0] * n);
  pick = <T>(from: readonly T[]): T => from[this.below(from.length)];
}
