// node --import tsx test/soak/kills.ts [--seconds S] [--seed N] [--only KIND] [--no-flips]: for S seconds, by default an hour, a run of `lconv train` and
// one of `lconv compare` at a time are killed at random moments and gone on with, often by two processes that want the same folder, while others read it
// and bits of checkpoints turn over. Each run ends with the weights, and the files, of one that was left alone. Prints a line a round and a summary as
// JSON; what is left of a failure stays on disk.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { lconv, writeTinyImages } from "../cli/command.js";
import { AttackedRun, type Counts } from "./attackedRun.js";
import { Random } from "./random.js";
import { evaluateAllAlong, readAllAlong } from "./readers.js";
import { type Kind, kinds, runOf } from "./runKinds.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3600" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    "no-flips": { type: "boolean", default: false },
  },
});
const attacked = kinds.filter((kind) => values.only === undefined || values.only === kind);
const SEEDS = 4; // of runs; each has a run to compare with that was left alone
const seed = Number(values.seed);
const start = Date.now();
const secondsGone = (): number => (Date.now() - start) / 1000;
const over = (): boolean => secondsGone() >= Number(values.seconds);
const root = mkdtempSync(join(tmpdir(), "lconv-kills-"));
const counts: Counts = {
  sessions: 0,
  kills: { SIGKILL: 0, SIGTERM: 0, SIGINT: 0, SIGHUP: 0 },
  resumes: 0,
  locked: 0,
  flips: 0,
  flipsRefused: 0,
  reads: 0,
  evaluations: 0,
};

const undisturbed = new Map<string, Promise<string>>();
/** The folder of a run that nobody touches, made once. */
function reference(kind: Kind, runSeed: number): Promise<string> {
  const name = `${kind}-alone-${runSeed}`;
  const made = undisturbed.get(name) ?? makeReference(kind, runSeed, name);
  undisturbed.set(name, made);
  return made;
}

async function makeReference(kind: Kind, runSeed: number, name: string): Promise<string> {
  const { code, stderr } = await lconv(root, [...runOf(kind, runSeed, name).begin, "--progress", "silent"]);
  if (code !== 0) throw new Error(`${name} failed\n${stderr}`);
  return join(root, name);
}

/** All files and folders under `folder`, by their paths in it. */
const contents = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

/** Throws unless both folders hold the same files, and the same weights in them. */
function compareFolders(folder: string, alone: string): void {
  const [got, expected] = [contents(folder), contents(alone)];
  if (got.join() !== expected.join()) throw new Error(`${folder} holds ${got.join(" ")}; expected ${expected.join(" ")}`);
  for (const model of expected.filter((path) => path.endsWith("model.safetensors"))) {
    if (!readFileSync(join(folder, model)).equals(readFileSync(join(alone, model))))
      throw new Error(`${join(folder, model)}: other weights`);
  }
}

/** One run from its beginning until it is like one that was left alone. */
async function attack(kind: Kind, name: string, random: Random): Promise<void> {
  const runSeed = random.below(SEEDS);
  const run = new AttackedRun(root, name, runOf(kind, runSeed, name), random, counts, !values["no-flips"], over);
  let finished = false;
  const done = (): boolean => finished;
  const ended = run.finish().finally(() => (finished = true));
  const readers = [readAllAlong, evaluateAllAlong].map((read, i) => read(run, new Random(random.below(1e9) + i), counts, done));
  await Promise.all([ended, ...readers]);
  compareFolders(run.folder, await reference(kind, runSeed));
  rmSync(run.folder, { recursive: true });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
const summary = (rounds: number): string => JSON.stringify({ rounds, seconds: Math.round(secondsGone()), ...counts });

writeTinyImages(join(root, "tiny.npz"));
console.log(`seed ${seed}, in ${root}`);
let rounds = 0;
try {
  do {
    const random = [0, 1].map((i) => new Random(1000 * seed + 2 * rounds + i));
    await Promise.all(random.map((drawn, i) => attack(attacked[(rounds + i) % attacked.length], `${rounds}-${i}`, drawn)));
    rounds++;
    console.log(`round ${rounds}: ${summary(rounds)}`);
  } while (!over());
  rmSync(root, { recursive: true });
  console.log(summary(rounds));
} catch (error) {
  console.error(error);
  console.log(`FAILED in round ${rounds + 1}, what is left is in ${root}\n${summary(rounds)}`);
  process.exit(1); // readers and rivals are still at it
}
