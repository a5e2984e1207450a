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
    for (const file of cells.flatMap(({ values }) => fileOf(values) ?? [])) this.#users.set(file, (this.#users.get(file) ?? 0) + 1);
    this.end(); // what a killed parent left
    if ([...this.#users.values()].some((count) => count > 1)) tryTo(() => makeFolder(this.#folder));
  }

  /** The cell has ended. */
  release({ values }: Cell): void {
    const file = fileOf(values);
    if (file === undefined) return;
    const left = (this.#users.get(file) ?? 0) - 1;
    this.#users.set(file, left);
    if (left <= 0) tryTo(() => rmSync(join(this.#folder, file), { force: true }));
  }

  end(): void {
    tryTo(() => rmSync(this.#folder, { recursive: true, force: true }));
  }
}

/** The file that a cell shares its images by; undefined where it prepares them for itself. */
export function sharedFile(folder: string, { values }: Cell): string | undefined {
  const file = fileOf(values);
  return file !== undefined && process.connected && existsSync(join(folder, FOLDER)) ? join(folder, FOLDER, file) : undefined;
}

/** Undefined for images as they are, which are read as fast from their own file. */
const fileOf = (values: CellValues): string | undefined =>
  values.variant === "default" ? undefined : `${crc32Of(JSON.stringify(pick(values, settings)))}.safetensors`;

/** Sharing saves time and is no reason to fail. */
function tryTo(work: () => void): void {
  try {
    work();
  } catch {}
}
