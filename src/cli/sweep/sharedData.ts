import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pick } from "../../defined.js";
import { crc32Of } from "../../io/crc32.js";
import { makeFolder } from "../../io/folders.js";
import type { Cell, CellValues } from "./cells.js";

/** Of the sweep folder: prepared images, while a parent runs cells. */
const FOLDER = "data";

/** What rotated images depend on, and nothing else does. */
const settings = ["dataset", "variant", "splineOrder", "split", "holdOut", "seed"] as const;

/**
 * Images that take long to prepare, held in the sweep folder while cells need them: the first cell of a data set, variant and seed writes them, the
 * others read them through the page cache. Only where a parent runs the cells, which removes each file behind the last cell that reads it.
 */
export class SharedData {
  readonly #folder: string;
  /** Cells that have not ended, by their file. */
  readonly #users = new Map<string, number>();

  constructor(folder: string, cells: readonly Cell[]) {
    this.#folder = join(folder, FOLDER);
    for (const { values } of cells) this.#users.set(fileOf(values), (this.#users.get(fileOf(values)) ?? 0) + 1);
    this.end(); // what a killed parent left
    if (cells.some(({ values }) => values.variant !== "default" && (this.#users.get(fileOf(values)) ?? 0) > 1))
      tryTo(() => makeFolder(this.#folder));
  }

  /** The cell has ended. */
  release({ values }: Cell): void {
    const name = fileOf(values);
    const left = (this.#users.get(name) ?? 0) - 1;
    this.#users.set(name, left);
    if (left <= 0) tryTo(() => rmSync(join(this.#folder, name), { force: true }));
  }

  end(): void {
    tryTo(() => rmSync(this.#folder, { recursive: true, force: true }));
  }
}

/** The file that a cell shares its images by; undefined where it prepares them for itself. */
export function sharedFile(folder: string, { values }: Cell): string | undefined {
  if (values.variant === "default" || !process.connected || !existsSync(join(folder, FOLDER))) return undefined;
  return join(folder, FOLDER, fileOf(values));
}

const fileOf = (values: CellValues): string => `${crc32Of(JSON.stringify(pick(values, settings)))}.safetensors`;

/** Sharing saves time and is no reason to fail. */
function tryTo(work: () => void): void {
  try {
    work();
  } catch {}
}
