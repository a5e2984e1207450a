import { check, checkInteger, checkOptions } from "../errors.js";
import type { NativeProgram, ProgramStats } from "./addon.js";

/** How often a program is replayed, and how it reports. */
export interface RunOptions {
  /** Number of replays. Default 1. */
  steps?: number;
  /** Stops the run before its next step; `run` then rejects with the reason of the signal. */
  signal?: AbortSignal;
  /** Called after each chunk with the number of steps done in this run; awaited if it is async. */
  onChunk?: (stepsDone: number) => void | Promise<void>;
  /**
   * Length of a chunk in milliseconds, after which `onChunk` and `signal` are served. Default 100. A program that sums over ranks runs in one chunk, whose
   * steps are the same on all of them, and which no signal stops.
   */
  chunkMs?: number;
}

/**
 * A recorded list of commands, from `record`. It is replayed on a native thread while the event loop stays free; meanwhile its tensors are
 * busy (ERR_LCONV_BUSY).
 */
export class Program {
  #native: NativeProgram;
  #msPerStep = 0;
  #running = false;

  /** Wraps the native program; `record` makes it. */
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

  /** What one step launches on a GPU, and what that moves and computes; counted, not measured. Undefined on the CPU. */
  get stats(): ProgramStats | undefined {
    return this.#native.stats();
  }

  /**
   * Replays the program and resolves to the number of steps done. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT, ERR_LCONV_BUSY if it is
   * running already or another program holds its tensors, ERR_LCONV_DISPOSED, and the reason of `signal`. A program that sums over ranks throws ERR_LCONV_BUSY
   * while another one runs, ERR_LCONV_RANKS where other ranks run another one or another number of steps, and ERR_LCONV_COLLECTIVE.
   */
  async run(options: RunOptions = {}): Promise<number> {
    checkOptions("program.run", options, { steps: 1, signal: 1, onChunk: 1, chunkMs: 1 });
    const { steps = 1, signal, onChunk, chunkMs = 100 } = options;
    checkInteger("program.run", "steps", steps, 0, 2 ** 53 - 1);
    check(chunkMs > 0, "ERR_LCONV_ARGUMENT", () => `program.run: chunkMs must be a positive number, got ${chunkMs}`);
    check(!this.#running, "ERR_LCONV_BUSY", () => "program.run: this program is already running: await the first run");
    this.#running = true;
    try {
      return await this.#runChunks(steps, chunkMs, signal, onChunk);
    } finally {
      this.#running = false;
    }
  }

  async #runChunks(steps: number, chunkMs: number, signal: AbortSignal | undefined, onChunk: RunOptions["onChunk"]): Promise<number> {
    const together = this.#native.sums > 0; // other ranks do all steps, too
    const stop = () => together || this.#native.stop();
    let done = 0;
    while (done < steps) {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", stop, { once: true });
      try {
        done += await this.#runChunk(together ? steps : Math.min(steps - done, this.stepsIn(chunkMs)));
      } finally {
        signal?.removeEventListener("abort", stop);
      }
      await onChunk?.(done);
    }
    signal?.throwIfAborted();
    return done;
  }

  /** Number of steps that take about `ms` milliseconds, by the last chunk; 1 before the first run. */
  stepsIn(ms: number): number {
    return this.#msPerStep > 0 ? Math.max(1, Math.round(ms / this.#msPerStep)) : 1;
  }

  /** Frees the arena; tensors that the trace returned stay readable. Throws ERR_LCONV_BUSY during a run. */
  dispose(): void {
    check(!this.#running, "ERR_LCONV_BUSY", () => "program.dispose: this program is running: abort it by its signal and await run() first");
    this.#native.dispose();
  }

  /** Frees the arena; tensors that the trace returned stay readable. Throws ERR_LCONV_BUSY during a run. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  async #runChunk(steps: number): Promise<number> {
    const start = performance.now();
    const done = await this.#native.run(steps);
    if (done > 0) this.#msPerStep = (performance.now() - start) / done;
    return done;
  }
}
