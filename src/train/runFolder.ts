import { existsSync, lstatSync, mkdirSync, realpathSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { check, LconvError } from "../errors.js";
import { writeAtomic } from "../io/atomic.js";
import { ioError, readBytes } from "../io/files.js";
import { freeBytes, makeFolder, removeEmpty, removeLitterOf, syncFolder } from "../io/folders.js";
import { previousOf } from "./checkpointFiles.js";
import { configText } from "./configText.js";
import type { EpochEvent } from "./events.js";
import { takeLock } from "./runLock.js";

/** The files of a run folder; every one is written under another name first and renamed. */
export const runFiles = {
  config: "config.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
  previous: previousOf("checkpoint.safetensors"),
  model: "model.safetensors",
  result: "result.json",
  report: "report.html",
  accuracy: "accuracy.svg",
  loss: "loss.svg",
  lock: "lock",
} as const;

const outcome = [runFiles.metrics, runFiles.checkpoint, runFiles.previous, runFiles.model, runFiles.result, runFiles.report];
const { lock, ...written } = runFiles;
const lockFiles = [lock, `${lock}.takeover`];
/** A process that requests a lock briefly writes a file beside it without holding it. */
const LOCK_IN_USE_MS = 10_000;

export interface RunFolderOptions {
  /** Folders in it, one a model, with a checkpoint each. Default: none, and one checkpoint in the run folder itself. */
  parts?: readonly string[];
  /** Also take a lock when it cannot be determined whether its process is alive. Default: false. */
  steal?: boolean | undefined;
}

/** What `lconv compare` trains, each in a folder of its name, a part of the run folder. */
export const comparedModels = ["lconv", "cnn"] as const;

/** The command line that goes on with the run in `path`, or with the comparison that it is a part of. */
export function resumeCommand(path: string): string {
  const whole = comparisonOf(path);
  return whole === undefined ? `lconv ${commandOf(path)} --resume ${path}` : `lconv compare --resume ${whole}`;
}

/** The folder of the comparison that `path` is a part of; undefined when it is none. */
function comparisonOf(path: string): string | undefined {
  const real = realPath(path);
  if (!(comparedModels as readonly string[]).includes(basename(real)) || commandOf(dirname(real)) !== "compare") return undefined;
  return real === resolve(path) ? join(path, "..") : dirname(real);
}

/** Whether `path` is, or would be, a part of a comparison. */
export const isPart = (path: string): boolean => comparisonOf(path) !== undefined;

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path); // it is not there yet
  }
}

/** Throws ERR_LCONV_CHECKPOINT when `path` is a part of a comparison, which has one lock for all and goes on as a whole. */
export function checkNoPart(path: string): void {
  const whole = comparisonOf(path);
  check(
    whole === undefined,
    "ERR_LCONV_CHECKPOINT",
    () => `${path} is a part of the comparison in ${whole}, whose models are trained together; go on with: ${resumeCommand(path)}`,
  );
}

/** The command that began the run in `path`; "compare" is stated in its configuration. */
export function commandOf(path: string): "train" | "compare" {
  try {
    const config = JSON.parse(new TextDecoder().decode(readBytes(join(path, runFiles.config)))) as { command?: unknown };
    return config.command === "compare" ? "compare" : "train";
  } catch {
    return "train"; // errors in the file are reported when its settings are read
  }
}

/**
 * A run folder, locked for one process. While it holds the lock it also removes the temporary files of killed writers. Close it at
 * the end, and on errors.
 */
export class RunFolder {
  readonly path: string;
  readonly #parts: readonly string[];
  readonly #unlock: () => void;
  readonly #made: readonly string[];
  #configIsOurs = false;
  #isNew = false;

  private constructor(path: string, { parts = [], steal = false }: RunFolderOptions, made = make(path)) {
    this.path = path;
    this.#parts = parts;
    this.#made = made;
    try {
      this.#unlock = takeLock(this.file("lock"), { steal });
    } catch (error) {
      removeEmpty(made);
      throw error;
    }
  }

  /** A folder for a new run. Throws ERR_LCONV_ARGUMENT when a run is in it, ERR_LCONV_CHECKPOINT when it is a part of one, ERR_LCONV_LOCKED, ERR_LCONV_IO. */
  static create(path: string, options: RunFolderOptions = {}): RunFolder {
    checkUsable(path, options);
    const folder = new RunFolder(path, options);
    const present = [runFiles.config, ...outcome].filter((name) => existsSync(join(path, name)));
    folder.#isNew = present.length === 0;
    if (folder.#isNew) return folder.#tidied();
    folder.close();
    const state = present.includes(runFiles.result) ? "a finished run" : "a run that was begun";
    throw new LconvError(
      "ERR_LCONV_ARGUMENT",
      `${path} holds ${state} (${present.join(", ")}); go on with it by: ${resumeCommand(path)}, or take another folder by --out`,
    );
  }

  /** The folder of a run to go on with. Throws ERR_LCONV_CHECKPOINT when there is none or only a part of one, ERR_LCONV_LOCKED, ERR_LCONV_IO. */
  static resume(path: string, options: RunFolderOptions = {}): RunFolder {
    checkUsable(path, options);
    check(
      existsSync(join(path, runFiles.config)),
      "ERR_LCONV_CHECKPOINT",
      () => `${path} holds no run to resume: expected ${runFiles.config} in it`,
    );
    return new RunFolder(path, options).#tidied();
  }

  /** A new folder: the first of `path`, `path`-2, `path`-3, ... that is not there yet. Throws ERR_LCONV_IO. */
  static createNumbered(path: string, options: RunFolderOptions = {}): RunFolder {
    for (let n = 1; ; n++) {
      const numbered = n === 1 ? path : `${path}-${n}`;
      const made = makeNew(numbered);
      if (made.length === 0) continue;
      const folder = new RunFolder(numbered, options, made);
      folder.#isNew = true;
      return folder;
    }
  }

  /** Without what killed writers left, under the names of a run's own files alone. A part with a lock belongs to another process. */
  #tidied(): this {
    removeLitterOf(this.path, lockFiles, LOCK_IN_USE_MS);
    const parts = this.#parts.map((part) => join(this.path, part)).filter((part) => isRealFolder(part) && !isThere(join(part, lock)));
    for (const folder of [this.path, ...parts]) removeLitterOf(folder, Object.values(written));
    return this;
  }

  /** The path of a file, of the run or of one of its parts. */
  file(name: keyof typeof runFiles, part = ""): string {
    return join(this.path, part, runFiles[name]);
  }

  /** Whether something is there that a later command can go on with. */
  get hasOutcome(): boolean {
    const checkpoints = this.#parts.flatMap((part) => [this.file("checkpoint", part), this.file("previous", part)]);
    return [...outcome.map((name) => join(this.path, name)), ...checkpoints].some((path) => existsSync(path));
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
    writeAtomic(this.file("config"), configText(config));
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

  /** Releases the lock, and removes the folder of a new run that wrote nothing. */
  close(): void {
    if (this.#configIsOurs && !this.hasOutcome) rmSync(this.file("config"), { force: true });
    this.#unlock();
    if (this.#made.length > 0) removeEmpty([this.path, ...this.#parts.map((part) => join(this.path, part))]);
  }
}

/** Throws ERR_LCONV_CHECKPOINT when `path` is a part of a run, and ERR_LCONV_IO when something else is where a part belongs. */
function checkUsable(path: string, { parts = [] }: RunFolderOptions): void {
  checkNoPart(path);
  for (const part of parts.map((name) => join(path, name)))
    check(
      !isThere(part) || isFolder(part),
      "ERR_LCONV_IO",
      () => `cannot write ${part}: it is no folder, and the checkpoint of a model belongs in one; move it elsewhere`,
    );
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
const isRealFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function make(path: string): string[] {
  try {
    return makeFolder(path);
  } catch (error) {
    throw ioError("create", path, error);
  }
}

/** As make; nothing when something of this name is there: of two processes only one makes it. */
function makeNew(path: string): string[] {
  try {
    const above = makeFolder(dirname(path));
    mkdirSync(path);
    syncFolder(dirname(path));
    return [...above, path];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && existsSync(path)) return [];
    throw ioError("create", path, error);
  }
}
