import { setTimeout } from "node:timers/promises";
import { LconvError } from "../../errors.js";
import type { RunControl } from "./cell.js";
import type { Cell } from "./cells.js";
import { type RunningCell, startCell } from "./child.js";
import type { Sweep } from "./folder.js";
import { clearFailure, type Failure, stateOf, writeFailure } from "./state.js";

/** How one cell ended for this parent: done, failed, or left to another process that writes its folder. */
export interface CellEnd {
  cell: Cell;
  state: "done" | "failed" | "locked";
  failure?: Failure;
}

export interface PoolOptions {
  /** Processes at the same time. */
  jobs: number;
  /** How often a cell is started again. */
  retries: number;
  control: RunControl;
  signal: AbortSignal;
  onStart(cell: Cell, pid: number | undefined): void;
  onRetry(cell: Cell, failure: Failure): void;
  onEnd(end: CellEnd): void;
}

/** Errors that a second try meets as well: of usage, of files that belong to another run, of a loss that is not finite. */
const lasting: readonly (string | null)[] = ["ERR_LCONV_NONFINITE", "ERR_LCONV_CHECKPOINT", "ERR_LCONV_FORMAT", "ERR_LCONV_DATA"];
/** The children of a parent that was killed need a moment for their checkpoints. */
const LOCKED_TRIES = 20;
const LOCKED_PAUSE_MS = 1000;

/**
 * Runs cells in processes of their own, the first ones first. A cell that ends with an error is started again, and resumes; the others go on. An error of
 * files, as of a full disk, stops the handing out, since the next cell would meet it as well: those that run may end, then it is thrown. Stopped by the
 * signal, all that run write a checkpoint and end, and the reason is thrown.
 */
export async function runPool(sweep: Sweep, cells: readonly Cell[], options: PoolOptions): Promise<void> {
  await new Pool(sweep.folder, cells, options).run();
}

class Pool {
  readonly #folder: string;
  readonly #queue: Cell[];
  readonly #options: PoolOptions;
  readonly #running = new Set<RunningCell>();
  #broken: LconvError | undefined;

  constructor(folder: string, cells: readonly Cell[], options: PoolOptions) {
    this.#folder = folder;
    this.#queue = [...cells];
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal, jobs } = this.#options;
    const stop = (): void => this.#running.forEach((child) => child.stop());
    const kill = (): void => this.#running.forEach((child) => child.kill()); // after a second Ctrl-C
    signal.addEventListener("abort", stop);
    process.once("exit", kill);
    try {
      await Promise.all(Array.from({ length: jobs }, () => this.#work()));
    } finally {
      signal.removeEventListener("abort", stop);
      process.removeListener("exit", kill);
    }
    signal.throwIfAborted();
    if (this.#broken) throw this.#broken;
  }

  /** One job: a cell after the other until none is left, or an end is called. */
  async #work(): Promise<void> {
    for (let cell = this.#queue.shift(); cell; cell = this.#ending ? undefined : this.#queue.shift()) {
      try {
        const end = await this.#finish(cell);
        if (end) this.#options.onEnd(end);
      } catch (error) {
        this.#queue.length = 0;
        this.#broken ??= error as LconvError;
      }
    }
  }

  get #ending(): boolean {
    return this.#options.signal.aborted || this.#broken !== undefined;
  }

  /** Starts a cell as often as is allowed; undefined where the sweep ends before it. Throws ERR_LCONV_IO. */
  async #finish(cell: Cell): Promise<CellEnd | undefined> {
    let locked = 0;
    for (let tries = 1; !this.#ending; ) {
      const ended = await this.#once(cell);
      if (ended === undefined) {
        clearFailure(this.#folder, cell);
        return { cell, state: "done" };
      }
      if (this.#options.signal.aborted) return undefined;
      if (ended.code === "ERR_LCONV_LOCKED") {
        if (++locked === LOCKED_TRIES) return { cell, state: "locked", failure: { ...ended, tries } };
        await setTimeout(LOCKED_PAUSE_MS);
        continue;
      }
      if (ended.code === "ERR_LCONV_IO") throw stopped(cell, ended.message);
      const failure = { ...ended, tries };
      if (tries++ > this.#options.retries || ended.exitCode === 2 || lasting.includes(ended.code)) {
        writeFailure(this.#folder, cell, failure);
        return { cell, state: "failed", failure };
      }
      this.#options.onRetry(cell, failure);
    }
    return undefined;
  }

  async #once(cell: Cell): Promise<Omit<Failure, "tries"> | undefined> {
    const child = startCell(this.#folder, cell, this.#options.control);
    this.#running.add(child);
    this.#options.onStart(cell, child.pid);
    try {
      return (await child.ended) ?? (stateOf(this.#folder, cell) === "done" ? undefined : unfinished);
    } finally {
      this.#running.delete(child);
    }
  }
}

const unfinished = { exitCode: 0, signal: null, code: null, message: "it ended without an error and without results" };

const stopped = (cell: Cell, message: string): LconvError =>
  new LconvError(
    "ERR_LCONV_IO",
    `cell ${cell.number} (${cell.label}): ${message}; no further cell was begun: mend this, and give the same command again`,
  );
