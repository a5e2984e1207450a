// Commands that are killed at one of their file operations, and what has to hold afterwards. `node --import tsx test/cli/crashes.ts [NAME...]`
// tries every operation of each, and half of every write; crash.test.ts some of them.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { readNpz } from "../../src/io/npz.js";
import { readSafetensors } from "../../src/io/safetensors.js";
import { type Ended, lconv, temporaryFolder, writeTinyImages } from "./command.js";

const faults = new URL("../support/fileFaults.mjs", import.meta.url).href;
const root = temporaryFolder();
const images = join(root, "tiny.npz");
writeTinyImages(images);
const grid = join(root, "grid.json");
writeFileSync(
  grid,
  JSON.stringify({
    base: { dataset: images, filters: 2, generators: 1, rank: 1, batch: 32, samples: 64, epochs: 2, variant: "rotated" },
    grid: { model: ["lconv", "cnn"] },
  }),
);
const sizes = [
  "--dataset",
  images,
  "--filters",
  "2",
  "--generators",
  "1",
  "--rank",
  "1",
  "--batch",
  "32",
  "--samples",
  "64",
  "--epochs",
  "2",
];

/** A command that writes into the folder "out", and what its user types when it was killed. */
interface Victim {
  args: readonly string[];
  goOn(out: string): readonly string[];
  /** Folders of runs in "out", and of models in these: both must be as those of a command that was left alone. */
  runs?: readonly string[];
  weights?: readonly string[];
}

const resumable = (command: string, weights: readonly string[], ...more: string[]): Victim => {
  const args = [command, ...sizes, ...more, "--out", "out"];
  return { args, runs: [""], weights, goOn: (out) => (existsSync(join(out, "config.json")) ? [command, "--resume", "out"] : args) };
};
const repeatable = (...args: string[]): Victim => ({ args: [...args, "--out", "out"], goOn: () => [...args, "--out", "out"] });
const cells = ["runs/0000-tiny-rotated-lconv-s0", "runs/0001-tiny-rotated-cnn-s0"];

export const victims: Readonly<Record<string, Victim>> = {
  train: resumable("train", ["model.safetensors"]),
  compare: resumable("compare", ["lconv/model.safetensors", "cnn/model.safetensors"], "--cnn-filters", "2"),
  discover: repeatable("discover", "--experiment", "fixed-rot", "--size", "3", "--samples", "64", "--epochs", "1"),
  verify: repeatable("verify", "prop2"),
  // The parent alone: its cells are runs of train. One after the other, so that its operations have an order.
  sweep: { ...repeatable("sweep", grid, "--jobs", "1"), runs: cells, weights: cells.map((run) => `${run}/model.safetensors`) },
};

/** Runs a command in a folder of its own under `root` with a fault in its file operations. */
function faulty(name: string, args: readonly string[], fault: string, list = ""): Promise<Ended> {
  const cwd = join(root, name);
  mkdirSync(cwd, { recursive: true });
  return lconv(cwd, args, {
    NODE_OPTIONS: `--import ${faults}`,
    FILE_FAULT: fault,
    FILE_FAULT_ROOT: cwd,
    FILE_FAULT_LIST: list,
    FILE_FAULT_UNLESS: "--cell",
  });
}

/** The file operations of a command that is left alone, in their order; its results stay for comparison. */
export async function operationsOf(name: string): Promise<string[]> {
  const list = join(root, `${name}.operations`);
  const { code, stderr } = await faulty(name, victims[name].args, "count", list);
  assert.is(code, 0, stderr);
  return readFileSync(list, "utf8").trim().split("\n");
}

/** Kills a command at one operation ("kill:12", "half:12"): what is there is whole, the next command ends as if nothing had been, and leaves no litter. */
export async function crash(name: string, fault: string): Promise<void> {
  const { args, goOn, runs = [], weights = [] } = victims[name];
  const folder = `${name}-${fault.replace(":", "-")}`;
  const at = join(root, folder);
  const killed = await faulty(folder, args, fault);
  assert.is(killed.code, null, `${name} ${fault}: not killed: ${killed.stderr}`);
  for (const file of filesIn(at)) if (!file.endsWith(".tmp")) checkWhole(file);

  const next = await lconv(at, goOn(join(at, "out")));
  assert.is(next.code, 0, `${name} ${fault}: ${next.stderr}`);
  for (const file of filesIn(at)) checkWhole(file);
  const names = (where: string): string[] => filesIn(where).map((file) => file.slice(where.length));
  assert.equal(
    names(at).filter((file) => !file.includes("previous")),
    names(join(root, name)).filter((file) => !file.includes("previous")),
    `${name} ${fault}`,
  );
  for (const file of weights)
    assert.ok(readFileSync(join(at, "out", file)).equals(readFileSync(join(root, name, "out", file))), `${name} ${fault}: ${file} differs`);
  for (const run of runs) assert.equal(metricsIn(join(at, "out", run)), metricsIn(join(root, name, "out", run)), `${name} ${fault} ${run}`);
}

/** What was written beside a lock stays for 10 s, as another process may be about to use it (test/train/runFolder.test.ts). */
const besideLock = /^lock(\.takeover)?\.\d+-[0-9a-f]{8}\.tmp$/;

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !besideLock.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

const metricsIn = (folder: string): object[] =>
  readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));

/** A file under its final name is never a piece of one. */
function checkWhole(path: string): void {
  assert.not(path.endsWith(".tmp"), `litter: ${path}`);
  if (path.endsWith(".safetensors")) readSafetensors(path);
  else if (path.endsWith(".npz")) readNpz(path);
  else if (path.endsWith(".json")) JSON.parse(readFileSync(path, "utf8"));
  else if (path.endsWith(".jsonl")) for (const line of readFileSync(path, "utf8").trim().split("\n")) JSON.parse(line);
  else if (/\.(html|svg)$/.test(path)) assert.match(readFileSync(path, "utf8").trimEnd(), /<\/(html|svg)>$/);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(victims)) {
    const operations = await operationsOf(name);
    for (const [i, operation] of operations.entries()) {
      await crash(name, `kill:${i + 1}`);
      if (operation.startsWith("write")) await crash(name, `half:${i + 1}`);
    }
    console.log(`${name}: killed at each of ${operations.length} file operations, and in the middle of every write`);
  }
}
