import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LconvError } from "../../src/errors.js";
import { readBytes } from "../../src/io/files.js";
import { readSafetensors } from "../../src/io/safetensors.js";
import { runFiles } from "../../src/train/runFolder.js";
import { lconv } from "../cli/command.js";
import type { AttackedRun, Counts } from "./attackedRun.js";
import type { Random } from "./random.js";

const text = (path: string): string => new TextDecoder("utf-8", { fatal: true }).decode(readBytes(path));

const json = (path: string): void => JSON.parse(text(path));
const tensors = (path: string): void => void readSafetensors(path);
const checkpoints = Object.values(runFiles).filter((name) => name.startsWith("checkpoint"));

/** Each reads one file and throws where it is not whole. */
const readers: Record<string, (path: string) => void> = {
  [runFiles.config]: json,
  [runFiles.result]: json,
  [runFiles.metrics]: (path) => epochsInOrder(text(path)),
  [runFiles.model]: tensors,
  ...Object.fromEntries(checkpoints.map((name) => [name, tensors])),
};
/** What is in the folders of `parts`. */
const inPart: readonly string[] = [runFiles.model, ...checkpoints];

/** Per model, 1, 2, 3, ... */
function epochsInOrder(lines: string): void {
  const last = new Map<string, number>();
  for (const line of lines.split("\n").filter((line) => line !== "")) {
    const { model, epoch } = JSON.parse(line) as { model: string; epoch: number };
    if (epoch !== (last.get(model) ?? 0) + 1) throw new Error(`epoch ${epoch} of ${model} follows ${last.get(model) ?? "nothing"}`);
    last.set(model, epoch);
  }
  if (lines !== "" && !lines.endsWith("\n")) throw new Error("the last line is cut off");
}

const absent = (error: unknown): boolean =>
  error instanceof LconvError && error.code === "ERR_LCONV_IO" && (error.cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";

/** Reads the files of `run`, in this process, until `done()`: each is whole, or absent, or was damaged on purpose. */
export async function readAllAlong(run: AttackedRun, random: Random, counts: Counts, done: () => boolean): Promise<void> {
  while (!done()) {
    const file = random.pick(Object.keys(readers));
    const path = join(run.folder, inPart.includes(file) ? random.pick(run.kind.parts) : ".", file);
    counts.reads++;
    try {
      readers[file](path);
    } catch (error) {
      const damaged = path === run.damaged && error instanceof LconvError;
      if (!absent(error) && !damaged) throw new Error(`${path} was read while it was written`, { cause: error });
    }
    await sleep(random.below(40));
  }
}

/** `lconv evaluate` every few seconds: it gets a finished run, or says what is missing. */
export async function evaluateAllAlong(run: AttackedRun, random: Random, counts: Counts, done: () => boolean): Promise<void> {
  while (!done()) {
    await sleep(random.below(5000));
    const path = join(run.folder, random.pick(run.kind.parts));
    const { code, lines, stderr } = await lconv(dirname(run.folder), ["evaluate", "--run", path, "--json"]);
    counts.evaluations++;
    const refused = lines.some(({ code: why }) => why === "ERR_LCONV_CHECKPOINT" || why === "ERR_LCONV_IO");
    if (code !== 0 && !refused) throw new Error(`lconv evaluate --run ${path}: code ${code}\n${stderr}`);
  }
}
