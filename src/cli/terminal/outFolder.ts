import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "../../errors.js";
import { writeAtomic } from "../../io/atomic.js";
import { ioError } from "../../io/files.js";
import { isTemporary } from "../../io/folders.js";
import { symmetryFiles } from "../../report/saveSymmetries.js";

/** In a folder while its results are written: they are several files, and without the last one the others are no result. */
const UNFINISHED = "unfinished";
const layerFolder = /^layer\d+$/;

/** Marks `folder` until the function that is returned is called. Throws ERR_LCONV_IO. */
export function unfinished(folder: string): () => void {
  const path = join(folder, UNFINISHED);
  writeAtomic(path, "lconv discover is writing here, or was ended on its way: it replaces what is here when it is started again.\n");
  return () => rmSync(path, { force: true });
}

/**
 * Before the work: a folder for results is empty, or new, so that nothing is lost, such as the report of a run. What a killed process left unfinished
 * is removed. Throws ERR_LCONV_ARGUMENT, ERR_LCONV_IO.
 */
export function checkOut(folder: string): void {
  if (!existsSync(folder)) return;
  let names: readonly string[];
  try {
    names = clear(folder);
  } catch (error) {
    throw ioError("read", folder, error);
  }
  check(
    names.length === 0,
    "ERR_LCONV_ARGUMENT",
    () => `discover: ${folder} is not empty (it holds ${names[0]}); take a new folder by --out`,
  );
}

/** Removes unfinished results and returns the names of what is left. */
function clear(folder: string): readonly string[] {
  const names = readdirSync(folder);
  const begun = names.includes(UNFINISHED);
  if (!begun && !names.every((name) => isTemporary(name))) return names;
  for (const name of names) {
    const path = join(folder, name);
    if (name !== UNFINISHED && begun && layerFolder.test(name)) removeLayer(path);
    else if (isTemporary(name) || symmetryFiles.includes(name)) rmSync(path, { force: true });
  }
  const left = readdirSync(folder).filter((name) => name !== UNFINISHED);
  if (left.length === 0) rmSync(join(folder, UNFINISHED), { force: true }); // last, as all before can be done again
  return left;
}

function removeLayer(folder: string): void {
  for (const name of readdirSync(folder))
    if (name === UNFINISHED || isTemporary(name) || symmetryFiles.includes(name)) rmSync(join(folder, name), { force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
