import { join } from "node:path";
import { nothingFound } from "../discover/evidence.js";
import { discoveryFiles } from "../discover/files.js";
import type { Discovery } from "../discover/result.js";
import type { Found } from "../discover/samples.js";
import { writeAtomic } from "../io/atomic.js";
import type { PageHead } from "./page.js";
import { renderNothing, renderSymmetries } from "./symmetries.js";

/** What saveSymmetries writes. */
export const symmetryFiles: readonly string[] = ["generators.safetensors", "generators.npz", "symmetries.json", "report.html"];

/**
 * Writes generators.safetensors, generators.npz, symmetries.json and report.html into `folder`, which is made if it does not exist. `head`
 * is the title of the page; default: the source of the discovery. Throws ERR_LCONV_IO.
 */
export function saveSymmetries(folder: string, discovery: Discovery, head: PageHead = { title: `Symmetries: ${discovery.source}` }): void {
  const files = { ...discoveryFiles(discovery), "report.html": renderSymmetries(head, discovery) };
  for (const [name, content] of Object.entries(files)) writeAtomic(join(folder, name), content);
}

/** Where there is no symmetry, or no claim: symmetries.json and report.html with the reason and the evidence. Throws ERR_LCONV_IO. */
export function saveNothing(folder: string, found: Found, head: PageHead = { title: `Symmetries: ${found.source}` }): void {
  const { source, dimension, evidence, notes } = found;
  const numbers = { source, dimension: dimension ?? null, algebra: nothingFound(dimension, evidence).algebra, ...evidence, notes };
  writeAtomic(join(folder, "symmetries.json"), `${JSON.stringify(numbers, null, 2)}\n`);
  writeAtomic(join(folder, "report.html"), renderNothing(head, found));
}
