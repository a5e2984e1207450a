import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isHeld } from "../../../scripts/lockFile.mjs";
import { clock, type LiveRun, type LiveState } from "../../report/live.js";
import type { EpochEvent } from "../../train/events.js";
import { runFiles } from "../../train/runFolder.js";
import { readMetrics } from "../live/metrics.js";
import type { Cell } from "./cells.js";
import { stateCounts } from "./collect.js";
import type { Sweep } from "./folder.js";
import { type State, stateOf } from "./state.js";

interface Seen {
  stamp: string;
  history: readonly EpochEvent[];
}

/** A sweep as its folders say, whoever runs it and wherever. */
export class SweepView {
  readonly #sweep: Sweep;
  /** Of each run folder, so that a file is read when it has changed. */
  readonly #seen = new Map<string, Seen>();
  readonly #states = new Map<string, State>();

  constructor(sweep: Sweep) {
    this.#sweep = sweep;
  }

  /** Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
  now(): LiveState & { ended: boolean } {
    const { cells } = this.#sweep;
    const runs = cells.map((cell) => this.#run(cell));
    const { done } = stateCounts(cells.map(({ run }) => this.#states.get(run) as State));
    const failed = runs.filter(({ state }) => state === "failed").length;
    const running = runs.filter(({ state }) => state === "running");
    const seconds = this.#secondsLeft(runs, running.length);
    const left = seconds === undefined ? "" : `; about ${clock(seconds)} left`;
    const summary = `${done} of ${cells.length} cells are done, ${running.length} run, ${failed} failed${left}`;
    const waiting = runs.filter(({ state }) => state === "open" || state === "begun" || state === "running").length;
    return { runs: runs.filter(({ state }) => state !== "open"), summary, ended: waiting === 0 };
  }

  #run(cell: Cell): LiveRun {
    const { run, label, number, values } = cell;
    const state = this.#states.get(run) === "done" ? "done" : stateOf(this.#sweep.folder, cell);
    this.#states.set(run, state);
    const history = state === "open" ? [] : this.#history(run);
    const shown = (state === "begun" || state === "failed") && isLocked(join(this.#sweep.folder, run, runFiles.lock)) ? "running" : state;
    const secondsLeft = shown === "running" && history.length > 0 ? meanSeconds(history) * (values.epochs - history.length) : undefined;
    return { name: `${number}: ${label}`, state: shown, epochs: values.epochs, history, secondsLeft };
  }

  #history(run: string): readonly EpochEvent[] {
    const path = join(this.#sweep.folder, run, runFiles.metrics);
    const stamp = stampOf(path);
    const seen = this.#seen.get(run);
    if (seen?.stamp === stamp) return seen.history;
    const history = stamp === "" ? [] : readMetrics(path);
    this.#seen.set(run, { stamp, history });
    return history;
  }

  /** Of all that is left, shared by as many as run now; cells that are open are taken to last as long as the mean of the others. */
  #secondsLeft(runs: readonly LiveRun[], running: number): number | undefined {
    const known = runs.filter(({ history }) => history.length > 0);
    if (running === 0 || known.length === 0) return undefined;
    const whole = known.reduce((sum, { history, epochs }) => sum + meanSeconds(history as EpochEvent[]) * epochs, 0) / known.length;
    const left = runs.filter(({ state }) => state === "open" || state === "begun" || state === "running");
    return left.reduce((sum, { secondsLeft }) => sum + (secondsLeft ?? whole), 0) / running;
  }
}

const meanSeconds = (history: readonly EpochEvent[]): number => history.reduce((sum, { seconds }) => sum + seconds, 0) / history.length;

/** A run that cannot be asked counts as one that runs. */
function isLocked(path: string): boolean {
  try {
    return existsSync(path) && isHeld(path);
  } catch {
    return false;
  }
}

function stampOf(path: string): string {
  const status = statSync(path, { throwIfNoEntry: false });
  return status === undefined ? "" : `${status.ino} ${status.mtimeMs} ${status.size}`;
}
