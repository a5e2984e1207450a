import { appendFileSync, closeSync, existsSync, readdirSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { ioError, openFile } from "../../io/files.js";
import { makeFolder } from "../../io/folders.js";
import type { Cell } from "./grid.js";
import { readLine } from "./ledgerLine.js";
import type { Setting } from "./problem.js";
import type { Row } from "./score.js";
import { systemsFor } from "./systems.js";

/** Rows of a benchmark in a folder, one JSON object a line. Each share of a grid that is split writes a file of its own; no file is ever rewritten. */
export class Ledger {
  readonly #file: string;
  readonly #keys: Set<string>;

  /** Makes the folder where it is missing, and reads what is there. Throws as readLedgers does. */
  constructor(folder: string, share?: string) {
    try {
      makeFolder(folder);
    } catch (error) {
      throw ioError("create", folder, error);
    }
    this.#file = join(folder, share === undefined ? "ledger.jsonl" : `ledger-${share}.jsonl`);
    this.#keys = keysOf(readLedgers(folder).rows);
  }

  /** Those of our systems that have not answered it yet. */
  missing(cell: Cell): string[] {
    return missingIn(this.#keys, cell);
  }

  /** All rows of a cell at once. Throws ERR_LCONV_IO. */
  add(rows: readonly Row[]): void {
    try {
      const before = endsInLine(this.#file) ? "" : "\n";
      appendFileSync(this.#file, before + rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    } catch (error) {
      throw ioError("write", this.#file, error);
    }
    for (const row of rows) this.#keys.add(keyOf(row.system, row.truth, row));
  }
}

const keyOf = (system: string, truth: string, { samples, noise, cond, seed }: Setting): string =>
  JSON.stringify([system, truth, samples, noise, cond, seed]);

const keysOf = (rows: readonly Row[]): Set<string> => new Set(rows.map((row) => keyOf(row.system, row.truth, row)));
const missingIn = (keys: ReadonlySet<string>, cell: Cell): string[] =>
  systemsFor(cell.truth, cell).filter((system) => !keys.has(keyOf(system, cell.truth.name, cell)));

/** Whether all of our systems have answered a cell. */
export function answeredCells(rows: readonly Row[]): (cell: Cell) => boolean {
  const keys = keysOf(rows);
  return (cell) => missingIn(keys, cell).length === 0;
}

/** False where a kill cut the last line off. */
function endsInLine(path: string): boolean {
  if (!existsSync(path)) return true;
  const { file, size } = openFile(path);
  try {
    const last = Buffer.alloc(1);
    return size === 0 || readSync(file, last, 0, 1, size - 1) === 0 || last.toString() === "\n";
  } finally {
    closeSync(file);
  }
}

export interface LedgerRows {
  /** Of all files in order of their names, one for each system and cell: the last. */
  rows: Row[];
  /** Lines that a kill cut off. */
  cut: number;
}

/** What all ledgers of a folder hold, ours and those of others. Throws ERR_LCONV_FORMAT, ERR_LCONV_IO. */
export function readLedgers(folder: string): LedgerRows {
  const rows = new Map<string, Row>();
  let cut = 0;
  for (const name of ledgersIn(folder)) {
    const read = readLedger(join(folder, name));
    cut += read.cut;
    for (const row of read.rows) rows.set(keyOf(row.system, row.truth, row), row);
  }
  return { rows: [...rows.values()], cut };
}

function ledgersIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^ledger.*\.jsonl$/.test(name))
      .sort();
  } catch (error) {
    throw ioError("read", folder, error);
  }
}

function readLedger(path: string): LedgerRows {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("read", path, error);
  }
  const lines = text.split("\n");
  const rows = lines.map((line, at) => readLine(line, `${path}:${at + 1}`));
  return { rows: rows.filter((row) => row !== "empty" && row !== "cut"), cut: rows.filter((row) => row === "cut").length };
}
