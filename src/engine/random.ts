import { native } from "./native.js";

/** Named substreams of one user seed, so that e.g. rotations never depend on how many weights were drawn before. */
export const streams = { init: 1, order: 2, rotation: 3, scramble: 4, split: 5, glyphs: 6, user: 7, data: 8 } as const;

/**
 * Counter-based random numbers, Philox4x32-10 (Salmon et al., SC 2011). The value at a position depends on
 * (seed, stream, position) alone, so a stream can be resumed anywhere. One position is one 32-bit draw.
 */
export class Philox {
  readonly seed: number;
  readonly stream: number;
  position: number;

  constructor(seed: number, stream: number, position = 0) {
    this.seed = seed;
    this.stream = stream;
    this.position = position;
  }

  /** The next `n` draws as unsigned 32-bit integers. */
  uint32s(n: number): Uint32Array {
    const bits = new Uint32Array(n);
    native().philox(this.seed, this.stream, this.position, bits);
    this.position += n;
    return bits;
  }

  /** `n` doubles in [0, 1) with 32 random bits each. */
  uniform(n: number): Float64Array {
    const bits = this.uint32s(n);
    const out = new Float64Array(n);
    for (let i = 0; i < n; i++) out[i] = bits[i] * 2 ** -32; // Float64Array.from takes 50 times as long
    return out;
  }

  /** `n` standard normal doubles, Box-Muller on pairs of draws (consumes an even number of positions). */
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

  /** A uniformly drawn permutation of 0..n-1 (Fisher-Yates, n positions). */
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
