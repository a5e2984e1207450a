import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatError, ioError } from "../../io/files.js";
import { makeFolder } from "../../io/folders.js";
import type { Cell } from "./grid.js";
import type { Row } from "./score.js";

/** Rows of a benchmark in a folder, one JSON object a line. Each share of a grid that is split writes a file of its own. */
export class Ledger {
  readonly #file: string;
  readonly rows: Row[];

  /** Reads what is there. A last line that a kill cut off is left out, and its cell is done again. Throws ERR_LCONV_FORMAT, ERR_LCONV_IO. */
  constructor(
    readonly folder: string,
    share: string | undefined,
  ) {
    makeFolder(folder);
    this.#file = join(folder, share === undefined ? "ledger.jsonl" : `ledger-${share}.jsonl`);
    this.rows = readdirSync(folder)
      .filter((name) => /^ledger.*\.jsonl$/.test(name))
      .sort()
      .flatMap((name) => readRows(join(folder, name)));
  }

  /** Whether all systems have answered it. */
  has({ truth, samples, noise, cond, seed }: Cell): boolean {
    return this.rows.some(
      (row) => row.truth === truth.name && row.samples === samples && row.noise === noise && row.cond === cond && row.seed === seed,
    );
  }

  /** All rows of a cell at once. Throws ERR_LCONV_IO. */
  add(rows: readonly Row[]): void {
    const before =
      existsSync(this.#file) && !readFileSync(this.#file, "utf8").endsWith("\n") && readFileSync(this.#file).length > 0 ? "\n" : "";
    try {
      appendFileSync(this.#file, before + rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    } catch (error) {
      throw ioError("write", this.#file, error);
    }
    this.rows.push(...rows);
  }
}

/** The rows of one file. Throws ERR_LCONV_FORMAT for a line before the last that is no row. */
export function readRows(path: string): Row[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.flatMap((line, at) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line) as Row];
    } catch (error) {
      if (at === lines.length - 1) return []; // cut off by a kill
      throw formatError(`${path}:${at + 1}`, "is no row of a benchmark", error);
    }
  });
}
