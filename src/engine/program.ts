import { checkInteger, checkOptions } from "../errors.js";
import type { NativeProgram } from "./addon.js";

export interface RunOptions {
  /** How often the program is replayed. Default 1. */
  steps?: number;
  /** Stops at the next step; `run` then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called between chunks with the steps done so far in this run; may be async. */
  onChunk?: (stepsDone: number) => void | Promise<void>;
  /** Work per chunk in milliseconds, default 100: how often `onChunk` and `signal` are served. */
  chunkMs?: number;
}

/**
 * A recorded list of commands, replayed natively on a thread of its own while the event loop stays free.
 * The tensors that it uses are busy while it runs (ERR_LCONV_BUSY).
 */
export class Program {
  #native: NativeProgram;
  #msPerStep = 0;

  constructor(program: NativeProgram) {
    this.#native = program;
  }

  /** Commands in one step. */
  get commands(): number {
    return this.#native.commands;
  }

  /** Bytes of the arena that the intermediate results share. */
  get arenaBytes(): number {
    return this.#native.arenaBytes;
  }

  /** Replays the program. Resolves to the number of steps done. Throws ERR_LCONV_BUSY, or the reason of `signal`. */
  async run(options: RunOptions = {}): Promise<number> {
    checkOptions("program.run", options, ["steps", "signal", "onChunk", "chunkMs"]);
    const { steps = 1, signal, onChunk, chunkMs = 100 } = options;
    checkInteger("program.run", "steps", steps, 0, 2 ** 53 - 1);
    const stop = () => this.#native.stop();
    let done = 0;
    while (done < steps) {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", stop, { once: true });
      try {
        done += await this.#runChunk(Math.min(steps - done, this.#chunkSteps(chunkMs)));
      } finally {
        signal?.removeEventListener("abort", stop);
      }
      await onChunk?.(done);
    }
    signal?.throwIfAborted();
    return done;
  }

  /** Frees the arena. Tensors that record() kept stay readable. */
  dispose(): void {
    this.#native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #runChunk(steps: number): Promise<number> {
    const start = performance.now();
    const done = await this.#native.run(steps);
    if (done > 0) this.#msPerStep = (performance.now() - start) / done;
    return done;
  }

  #chunkSteps(chunkMs: number): number {
    return this.#msPerStep > 0 ? Math.max(1, Math.round(chunkMs / this.#msPerStep)) : 1;
  }
}
