import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { check, LconvError } from "../errors.js";
import { writeAtomic } from "../io/atomic.js";
import { ioError } from "../io/files.js";
import { readSafetensors, writeSafetensors } from "../io/safetensors.js";
import type { Module } from "../nn/module.js";
import type { EpochEvent } from "./events.js";
import { takeLock } from "./runLock.js";

/** The files of a run folder; every one is written under another name first and renamed. */
export const runFiles = {
  config: "config.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
  model: "model.safetensors",
  result: "result.json",
  report: "report.html",
  lock: "lock",
} as const;

const outcome = [runFiles.metrics, runFiles.checkpoint, runFiles.model, runFiles.result, runFiles.report];
const MODEL_FORMAT = "lconv-model-1";

/** A folder that one process writes a run into. Close it at the end, and on errors. */
export class RunFolder {
  readonly path: string;
  readonly #unlock: () => void;
  readonly #made: boolean;
  #configIsOurs = false;
  #isNew = false;

  private constructor(path: string, made = !existsSync(path)) {
    this.path = path;
    this.#made = made;
    try {
      mkdirSync(path, { recursive: true });
    } catch (error) {
      throw ioError("create", path, error);
    }
    this.#unlock = takeLock(this.file("lock"));
  }

  /** A folder for a new run. Throws ERR_LCONV_ARGUMENT when a run is in it, ERR_LCONV_LOCKED, ERR_LCONV_IO. */
  static create(path: string): RunFolder {
    const folder = new RunFolder(path);
    const present = [runFiles.config, ...outcome].filter((name) => existsSync(join(path, name)));
    folder.#isNew = present.length === 0;
    if (folder.#isNew) return folder;
    folder.close();
    const state = present.includes(runFiles.result) ? "a finished run" : "a run that was begun";
    throw new LconvError(
      "ERR_LCONV_ARGUMENT",
      `${path} holds ${state} (${present.join(", ")}); go on with it by --resume ${path}, or take another folder by --out`,
    );
  }

  /** The folder of a run to go on with. Throws ERR_LCONV_CHECKPOINT when there is none, ERR_LCONV_LOCKED, ERR_LCONV_IO. */
  static resume(path: string): RunFolder {
    check(
      existsSync(join(path, runFiles.config)),
      "ERR_LCONV_CHECKPOINT",
      () => `${path} holds no run to resume: expected ${runFiles.config} in it`,
    );
    return new RunFolder(path);
  }

  /** A new folder: the first of `path`, `path`-2, `path`-3, ... that is not there yet. Throws ERR_LCONV_IO. */
  static createNumbered(path: string): RunFolder {
    for (let n = 1; ; n++) {
      const numbered = n === 1 ? path : `${path}-${n}`;
      if (!makeFolder(numbered)) continue;
      const folder = new RunFolder(numbered, true);
      folder.#isNew = true;
      return folder;
    }
  }

  file(name: keyof typeof runFiles): string {
    return join(this.path, runFiles[name]);
  }

  /** Whether something is there that a later command can go on with. */
  get hasOutcome(): boolean {
    return outcome.some((name) => existsSync(join(this.path, name)));
  }

  /** Throws ERR_LCONV_IO when fewer than `bytes` are left on the file system. */
  reserve(bytes: number): void {
    const free = freeBytes(this.path);
    const mega = (n: number): string => `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} MB`;
    check(
      free >= bytes,
      "ERR_LCONV_IO",
      () => `cannot write ${this.path}: the run needs about ${mega(bytes)}, ${mega(free)} are left; free some space or take another --out`,
    );
  }

  writeConfig(config: object): void {
    this.#configIsOurs = this.#isNew;
    writeAtomic(this.file("config"), `${JSON.stringify(config, null, 2)}\n`);
  }

  /** One line an epoch, from the whole history, so that a resumed run leaves no line twice. */
  writeMetrics(history: readonly EpochEvent[]): void {
    writeAtomic(this.file("metrics"), history.map(({ type, ...fields }) => `${JSON.stringify({ event: type, ...fields })}\n`).join(""));
  }

  writeResult(result: object): void {
    writeAtomic(this.file("result"), `${JSON.stringify(result, null, 2)}\n`);
  }

  writeReport(html: string): void {
    writeAtomic(this.file("report"), html);
  }

  /** Gives the lock back. A new run that came to nothing leaves nothing behind. */
  close(): void {
    if (this.#configIsOurs && !this.hasOutcome) rmSync(this.file("config"), { force: true });
    this.#unlock();
    if (!this.#made) return;
    try {
      if (readdirSync(this.path).length === 0) rmdirSync(this.path);
    } catch {
      // it may stay
    }
  }
}

/** False when something of this name is there: of two processes only one makes it. */
function makeFolder(path: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && existsSync(path)) return false;
    throw ioError("create", path, error);
  }
}

function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY; // not every file system can tell
  }
}

/** What a model file says besides its weights. */
export interface ModelInfo {
  config: Readonly<Record<string, unknown>>;
  /** The images it takes; x = pixel / scale - 1/2. */
  input: { channels: number; height: number; width: number; classes: number; scale: number };
}

/** Writes the weights under their names, with what is needed to build the model again. Throws ERR_LCONV_IO. */
export function saveModel(path: string, model: Module, { config, input }: ModelInfo): void {
  writeSafetensors(path, model.save(), { format: MODEL_FORMAT, config: JSON.stringify(config), input: JSON.stringify(input) });
}

/** Sets the weights of `model` from a file of saveModel. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_CHECKPOINT when it is of another model. */
export function loadModel(path: string, model: Module): void {
  const { tensors, metadata } = readSafetensors(path);
  const format = metadata["format"];
  check(
    format === MODEL_FORMAT,
    "ERR_LCONV_CHECKPOINT",
    () => `${path}: expected a model of format ${MODEL_FORMAT}, got ${format ?? "none"}`,
  );
  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape, data, dtype }] of tensors) {
    check(data instanceof Float32Array, "ERR_LCONV_CHECKPOINT", () => `${path}: parameter "${name}" is ${dtype}, expected F32`);
    weights.set(name, { shape, data });
  }
  model.load(weights);
}
