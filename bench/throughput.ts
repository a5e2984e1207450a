// Runs an hour of Figure 2 on rotated and scrambled MNIST: a sweep with two jobs of one thread and one of two, and the same runs in PyTorch.
//   LCONV_DATA=... npx tsx bench/throughput.ts [--epochs 2] [--seeds 2] [--models A,B] [--python python3] [--out bench/results/FILE.jsonl]
// A line for each way: seconds of the wall clock, the sum of the runs' own seconds, and what share of the jobs' time these fill.
// needs dist: commands run as a user's do
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { data, device } from "../src/index.js";
import { writeNpz } from "../src/io/npz.js";
import { reportTo } from "./lines.js";
import { machineLine, nowLine } from "./machine.js";
import { runProcess } from "./process.js";

const { values } = parseArgs({
  options: {
    epochs: { type: "string", default: "2" },
    seeds: { type: "string", default: "2" },
    models: { type: "string", default: "lconv,lconv-random,cnn,fc" },
    python: { type: "string", default: "" },
    out: { type: "string" },
  },
});
const [epochs, seeds] = [Number(values.epochs), Number(values.seeds)];
const models = values.models.split(",");
const folder = mkdtempSync(join(tmpdir(), "lconv-throughput-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const main = new URL("../dist/cli/main.js", import.meta.url).pathname;
const report = (line: object): void => reportTo(values.out, line);
const LIMIT = 7200;

/** What a way of running all of them came to. */
function conclude(by: string, jobs: number, threads: number, wall: number, own: readonly number[]): void {
  const sum = own.reduce((a, b) => a + b, 0);
  report({
    event: "way",
    by,
    jobs,
    threads,
    runs: own.length,
    epochs,
    wall,
    sumOfRuns: sum,
    filled: sum / (jobs * wall),
    runsAnHour: (3600 * own.length) / wall,
  });
}

async function sweep(jobs: number, threads: number): Promise<void> {
  const grid = {
    base: { preset: "paper", dataset: "mnist", variant: "rotated-scrambled", epochs, threads },
    grid: { seed: { from: 0, to: seeds - 1 }, model: models },
  };
  const name = `${jobs}x${threads}`;
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(grid));
  const begun = performance.now();
  const command = [process.execPath, main, "sweep", `${name}.json`, "--out", name, "--jobs", String(jobs), "--progress", "silent"];
  const { code, stderr } = await runProcess(command, { cwd: folder, seconds: LIMIT });
  const wall = (performance.now() - begun) / 1e3;
  if (code !== 0) throw new Error(stderr);
  const lines = readFileSync(join(folder, name, "results.jsonl"), "utf8")
    .trim()
    .split("\n");
  const runs = lines.map((line) => JSON.parse(line) as { settings: { model: string; seed: number }; seconds: number; valAccuracy: number });
  for (const { settings, seconds, valAccuracy } of runs)
    report({ event: "run", by: "lconv", jobs, threads, ...settings, seconds, valAccuracy });
  conclude(
    "lconv",
    jobs,
    threads,
    wall,
    runs.map(({ seconds }) => seconds),
  );
}

/** A file of samples for each seed; rotating them is not part of the peer's time. */
async function writeSamples(): Promise<string[]> {
  const raw = await data.loadDataset("mnist");
  const files: string[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const { train, validation } = await data.prepare(raw, { variant: "rotated-scrambled", seed });
    const file = join(folder, `samples-${seed}.npz`);
    const images = (set: typeof train) => ({ shape: [set.count, set.height * set.width], data: set.x });
    const labels = (set: typeof train) => ({ shape: [set.count], data: set.labels });
    writeNpz(
      file,
      Object.entries({ train_x: images(train), train_y: labels(train), val_x: images(validation), val_y: labels(validation) }),
    );
    files.push(file);
  }
  return files;
}

async function torch(files: readonly string[], jobs: number, threads: number): Promise<void> {
  const queue = files.flatMap((file, seed) => models.map((model) => ({ file, seed, model })));
  const own: number[] = [];
  const begun = performance.now();
  const work = async (): Promise<void> => {
    for (let run = queue.shift(); run; run = queue.shift()) {
      const script = new URL("peers/torch_train.py", import.meta.url).pathname;
      const command = [values.python, script, run.file, run.model, String(epochs), String(run.seed), String(threads)];
      const { code, stdout, stderr } = await runProcess(command, { env: { OMP_NUM_THREADS: String(threads) }, seconds: LIMIT });
      if (code !== 0) throw new Error(stderr);
      const line = JSON.parse(stdout) as { seconds: number };
      report({ event: "run", by: "torch", jobs, threads, ...line });
      own.push(line.seconds);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  conclude("torch", jobs, threads, (performance.now() - begun) / 1e3, own);
}

report({ event: "machine", ...machineLine(device("cpu")), processors: cpus().length });
await sweep(2, 1);
await sweep(1, 2);
if (values.python !== "") {
  const files = await writeSamples();
  await torch(files, 2, 1);
  await torch(files, 1, 2);
}
report({ event: "end", ...nowLine() });
