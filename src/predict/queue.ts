import type { CheckedSamples } from "./samples.js";

/** A call of predict that waits for its answer. */
export interface Call extends CheckedSamples {
  /** [N], filled sample by sample. */
  classes: Int32Array;
  /** [N, K], filled sample by sample. */
  probabilities: Float32Array;
  /** Samples that were handed out so far, from the first on. */
  taken: number;
  /** Samples that have no answer yet. */
  open: number;
  /** Settles the call; only the first time counts. */
  settle(error?: unknown): void;
}

/** Samples of one call in a batch: `count` from `from` on. */
export interface Share {
  call: Call;
  from: number;
  count: number;
}

/** Calls in turn, so that a long one does not keep short ones waiting. */
export class Queue {
  readonly #calls = new Set<Call>();
  #waiting = 0;

  /** Samples that were not handed out yet. */
  get waiting(): number {
    return this.#waiting;
  }

  add(call: Call): void {
    this.#calls.add(call);
    this.#waiting += call.count - call.taken;
  }

  /** Takes a call out, whatever is left of it. */
  remove(call: Call): void {
    if (this.#calls.delete(call)) this.#waiting -= call.count - call.taken;
  }

  /** Hands out `size` samples, no more than are waiting: an equal part of every call, and what short ones leave to the others. */
  take(size: number): Share[] {
    const shares: Share[] = [];
    for (let free = Math.min(size, this.#waiting); free > 0; ) {
      const [call] = this.#calls;
      const fair = Math.max(1, Math.floor(free / this.#calls.size));
      const count = Math.min(call.count - call.taken, fair);
      shares.push({ call, from: call.taken, count });
      this.remove(call);
      call.taken += count;
      if (call.taken < call.count) this.add(call);
      free -= count;
    }
    return shares;
  }

  /** Takes all calls out. */
  clear(): Call[] {
    const calls = [...this.#calls];
    this.#calls.clear();
    this.#waiting = 0;
    return calls;
  }
}
