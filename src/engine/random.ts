import { native } from "./native.js";

/** Numbers of the substreams of one seed, so that rotations, say, do not depend on how many weights were drawn before. */
export const streams = {
  init: 1,
  order: 2,
  rotation: 3,
  scramble: 4,
  split: 5,
  glyphs: 6,
  user: 7,
  data: 8,
  moments: 9,
  augment: 10,
} as const;

/**
 * Counter-based random numbers, Philox4x32-10 (Salmon et al., SC 2011). A draw of 32 bits depends on (seed, stream, position) alone, so a
 * stream can be continued anywhere.
 */
export class Philox {
  /** The seed, an integer from 0 to 2^53 - 1. */
  readonly seed: number;
  /** Number of the substream; see `streams`. */
  readonly stream: number;
  /** Position of the next draw; each method moves it on. */
  position: number;

  /** A stream from `position` (default 0) on. */
  constructor(seed: number, stream: number, position = 0) {
    this.seed = seed;
    this.stream = stream;
    this.position = position;
  }

  /** The next `n` draws as unsigned 32-bit integers; moves on by `n`. */
  uint32s(n: number): Uint32Array {
    const bits = new Uint32Array(n);
    native().philox(this.seed, this.stream, this.position, bits);
    this.position += n;
    return bits;
  }

  /** `n` doubles in [0, 1) with 32 random bits each; moves on by `n`. */
  uniform(n: number): Float64Array {
    const bits = this.uint32s(n);
    const out = new Float64Array(n);
    for (let i = 0; i < n; i++) out[i] = bits[i] * 2 ** -32; // Float64Array.from takes 50 times as long
    return out;
  }

  /** `n` standard normal doubles by Box and Muller's method on pairs of draws; moves on by `n`, rounded up to an even number. */
  normal(n: number): Float64Array {
    const bits = this.uint32s(n + (n % 2));
    const out = new Float64Array(n);
    for (let i = 0; i < n; i += 2) {
      const radius = Math.sqrt(-2 * Math.log((bits[i] + 1) * 2 ** -32));
      const angle = 2 * Math.PI * bits[i + 1] * 2 ** -32;
      out[i] = radius * Math.cos(angle);
      if (i + 1 < n) out[i + 1] = radius * Math.sin(angle);
    }
    return out;
  }

  /** A uniformly drawn permutation of 0..n-1 (Fisher and Yates); moves on by `n`. */
  permutation(n: number): Int32Array {
    const order = new Int32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    const bits = this.uint32s(n);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(bits[i] * 2 ** -32 * (i + 1));
      const held = order[i];
      order[i] = order[j];
      order[j] = held;
    }
    return order;
  }
}
