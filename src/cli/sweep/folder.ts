import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { check } from "../../errors.js";
import { writeAtomic } from "../../io/atomic.js";
import { ioError } from "../../io/files.js";
import { isTemporary, makeFolder, removeEmpty, removeLitterOf } from "../../io/folders.js";
import { checkedConfig, configText } from "../../train/configText.js";
import { takeLock } from "../../train/runLock.js";
import { runFlags } from "../run/flags.js";
import { mergeSettings, readJson, settingsIn } from "../run/settings.js";
import { isObject } from "../terminal/flags.js";
import { type Cell, cellsOf, settingsText, valueText, variedKeys } from "./cells.js";

/** The files of a sweep beside the run folders. */
export const sweepFiles = {
  sweep: "sweep.json",
  lock: "lock",
  lines: "results.jsonl",
  csv: "results.csv",
  report: "report.html",
} as const;

/** What a sweep folder says of itself. Everything else is in the run folders. */
export interface Sweep {
  folder: string;
  cells: readonly Cell[];
  /** Threads of a run whose settings name none: settled when the sweep began, as other numbers of threads round otherwise. */
  threads: number;
}

export const isSweep = (folder: string): boolean => existsSync(join(folder, sweepFiles.sweep));

/** Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, and as settingsIn does. */
export function readSweep(folder: string): Sweep {
  const path = join(folder, sweepFiles.sweep);
  const value = checkedConfig(path, readJson(path));
  const fits = isObject(value) && Number.isInteger(value["threads"]) && Array.isArray(value["cells"]) && value["cells"].length > 0;
  check(fits, "ERR_LCONV_FORMAT", () => `${path}: expected "threads" and "cells", as lconv sweep writes them; restore it, or begin anew`);
  const all = (value["cells"] as unknown[]).map((values, i) => mergeSettings({}, settingsIn(values, runFlags, `${path}: cells[${i}]`)));
  return { folder, cells: cellsOf(all), threads: value["threads"] as number };
}

/** The sweep in `folder`, which must be of these cells. Throws ERR_LCONV_ARGUMENT when it is another one, and as readSweep does. */
export function openSweep(folder: string, cells: readonly Cell[]): Sweep {
  const sweep = readSweep(folder);
  const at = cells.findIndex((cell, i) => !isDeepStrictEqual(cell.values, sweep.cells[i]?.values));
  check(
    at < 0 && cells.length === sweep.cells.length,
    "ERR_LCONV_ARGUMENT",
    () =>
      `${folder} holds another sweep: ${change(sweep.cells, cells, at)}; take another folder by --out, or the grid that it was begun with`,
  );
  return sweep;
}

function change(before: readonly Cell[], now: readonly Cell[], at: number): string {
  if (at < 0 || at >= before.length) return `it has ${before.length} cells, this grid has ${now.length}`;
  const [old, given] = [before[at].values, now[at].values];
  const [key] = variedKeys([old, given]);
  return `its cell ${at} has ${settingsText({ [key]: old[key] })}, that of this grid ${valueText(given[key])}`;
}

/** Throws ERR_LCONV_ARGUMENT when something else is in the folder, ERR_LCONV_IO. */
export function beginSweep(folder: string, cells: readonly Cell[], threads: number): Sweep {
  const own: readonly string[] = [sweepFiles.sweep, sweepFiles.lock];
  const [other] = namesIn(folder).filter((name) => !own.includes(name) && !isTemporary(name));
  check(
    other === undefined,
    "ERR_LCONV_ARGUMENT",
    () => `${folder} is not empty (it holds ${other}), and no sweep was begun there; take a new folder by --out`,
  );
  writeAtomic(join(folder, sweepFiles.sweep), configText({ command: "sweep", threads, cells: cells.map(({ values }) => values) }));
  return { folder, cells, threads };
}

function namesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  try {
    return readdirSync(folder);
  } catch (error) {
    throw ioError("read", folder, error);
  }
}

/** Runs `work` as the only parent on the folder, which is made. Throws ERR_LCONV_LOCKED when another process is at it, ERR_LCONV_IO. */
export async function withLock<T>(folder: string, steal: boolean | undefined, work: () => Promise<T>): Promise<T> {
  const made = make(folder);
  let unlock: (() => void) | undefined;
  try {
    unlock = takeLock(join(folder, sweepFiles.lock), { steal: steal ?? false });
    removeLitterOf(folder, [sweepFiles.sweep, sweepFiles.lines, sweepFiles.csv, sweepFiles.report]);
    return await work();
  } finally {
    unlock?.();
    removeEmpty(made);
  }
}

function make(folder: string): string[] {
  try {
    return makeFolder(folder);
  } catch (error) {
    throw ioError("create", folder, error);
  }
}

/** Whether `path` is a folder, so that it can stand for a sweep in place of a grid file. */
export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
