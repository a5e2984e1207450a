import { readFileSync } from "node:fs";
import { Command, type OptionValues } from "commander";
import { officialNames } from "../data/catalog.js";
import { figureNames } from "../experiments/reproduction/figures.js";
import { verificationNames } from "../experiments/verify/verdict.js";
import { bench, benchFlags } from "./commands/bench.js";
import { benchmarkSymmetry, symmetryFlags } from "./commands/benchmarkSymmetry.js";
import { data, dataFlags } from "./commands/data.js";
import { doctor } from "./commands/doctor.js";
import { evaluate, evaluateFlags } from "./commands/evaluate.js";
import { predict, predictFlags } from "./commands/predict.js";
import { setup, setupFlags } from "./commands/setup.js";
import { verify, verifyFlags } from "./commands/verify.js";
import { compare, compareFlags } from "./compare/compare.js";
import { discover } from "./discover/discover.js";
import { discoverFlags } from "./discover/flags.js";
import { plan, planFlags } from "./plan/plan.js";
import { reproduceFlags } from "./reproduce/flags.js";
import { reproduce } from "./reproduce/reproduce.js";
import { serveFlag, stealLockFlag } from "./run/flags.js";
import { ranksFlags, trainFlags } from "./run/trainFlags.js";
import { sweepFlags } from "./sweep/flags.js";
import { sweep } from "./sweep/sweep.js";
import type { Context } from "./terminal/context.js";
import { type Flags, toOptions } from "./terminal/flags.js";
import { train } from "./train/train.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };

/** All commands with their flags and help; `context` is what they run with. */
export function buildProgram(context: Context): Command {
  const program = new Command("lconv");
  program
    .description("Lie algebra convolutional networks that learn the symmetries of their data")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureOutput({ writeErr: () => {} });

  add(
    program,
    "train",
    "Train a network on images and write a run folder",
    { ...trainFlags, ...ranksFlags, serve: serveFlag, stealLock: stealLockFlag },
    trainExamples,
  )
    .option("--config <FILE>", "JSON file with these settings, keys in camelCase; flags take precedence")
    .option("--resume <DIR>", "resume the run in DIR; the result is the same as without the interruption")
    .action((options) => train(without(options), context));
  add(program, "evaluate", "Measure the accuracy of a finished run on its validation and test images", evaluateFlags, evaluateExamples)
    .requiredOption("--run <DIR>", "folder of the run")
    .action((options) => evaluate(without(options), context));
  add(program, "predict", "Print the classes of images, by a trained network", predictFlags, predictExamples)
    .requiredOption("--run <DIR>", "folder of the run, or a .safetensors file of a model")
    .requiredOption(
      "--input <FILE>",
      "images: an .npz or .npy file, a folder of .npy files, or - for such a file, or JSON, on standard input",
    )
    .action((options) => predict(without(options), context));
  add(program, "compare", "Train L-conv and a CNN side by side on rotated and scrambled images", compareFlags, compareExamples)
    .option("--resume <DIR>", "go on with the comparison in DIR, exactly as if it had not been stopped")
    .action((options) => compare(without(options), context));
  add(program, "sweep", "Train a grid of networks, each in a run folder, and compare them over seeds", sweepFlags, sweepExamples)
    .argument("<source>", "JSON file of a grid of settings, or the folder of a sweep to go on with")
    .action((source, options) => sweep(source, without(options), context));
  add(program, "reproduce", "Run the experiments of the paper again, and say which of its claims hold", reproduceFlags, reproduceExamples)
    .argument("<figure>", `${figureNames.join(", ")}, or all`)
    .action((figure, options) => reproduce(figure, without(options), context));
  add(
    program,
    "setup",
    "Build the native engine from source, where npm installed none that fits, into a cache that npm ci keeps",
    setupFlags,
    setupExamples,
  ).action((options) => setup(without(options), context));
  add(program, "doctor", "Show devices, libraries, data sets and settings, and how to get what is missing", {}, "").action(() =>
    doctor(context),
  );
  add(program, "data", "List data sets, fetch one, or write the generated one to a file", dataFlags, dataExamples)
    .argument("[action]", "list, fetch or glyphs", "list")
    .argument("[name]", `for fetch: ${officialNames.join(", ")}; for glyphs: the .npz file to write`)
    .action((action, name, options) => data(action, name, without(options), context));
  const benches = program.command("bench").description("Measure speed");
  add(benches, "steps", "Time full train steps: forward, backward and update", benchFlags, benchExamples).action((options) =>
    bench(without(options), context),
  );
  const benchmarks = program.command("benchmark").description("Measure the accuracy of discovered symmetries");
  add(
    benchmarks,
    "symmetry",
    "Compare discovered symmetries with those of functions where they are known (SymBench)",
    symmetryFlags,
    benchmarkExamples,
  ).action((options) => benchmarkSymmetry(without(options), context));
  add(
    program,
    "discover",
    "Find the generators of symmetries in pairs, in labelled data, or in a trained network",
    discoverFlags,
    discoverExamples,
  ).action((options) => discover(without(options), context));
  add(program, "verify", "Test the statements of the paper, each by a small experiment", verifyFlags, verifyExamples)
    .argument("[name]", verificationNames.join(", "))
    .action((name, options) => verify(name, without(options), context));
  add(
    program,
    "plan",
    "Count what a network costs and estimate its time, without training it; without flags of a network, predict the bench cases on a GPU",
    planFlags,
    planExamples,
  ).action((options) => plan(without(options), context));
  return program;
}

function add(parent: Command, name: string, description: string, flags: Flags, examples: string): Command {
  const command = parent.command(name).description(description);
  for (const option of toOptions(flags)) command.addOption(option);
  command.option("--json", "print results as one JSON object per line on stdout");
  return examples === "" ? command : command.addHelpText("after", `\nExamples:\n${examples}`);
}

/** --json has done its work when a command begins. */
function without<T>({ json: _json, ...options }: OptionValues): T {
  return options as T;
}

const trainExamples = `  lconv train --dataset mnist --variant rotated-scrambled --preset paper --generators 5 --rank 8 --filters 16
  lconv train --dataset glyphs --model cnn --epochs 5 --json
  lconv train --dataset my-images.npz --optimizer adam --lr 3e-4 --schedule cosine --out runs/mine
  lconv train --resume runs/mine
  lconv train --dataset mnist --variant rotated --batch 256 --ranks 2 --out runs/two

Results are reproducible bit for bit with the same --seed and --threads.`;
const evaluateExamples = "  lconv evaluate --run runs/mnist-default-lconv-seed0";
const predictExamples = `  lconv predict --run runs/mine --input images.npz
  lconv predict --run runs/mine --input images.npy --json --out predictions.npz
  lconv predict --run runs/mine/model.safetensors --input - < images.npz

Images are raw pixels of the size that the network was trained on: they are scaled, and scrambled where the training images were.
An .npz file or a folder of .npy files holds them under the name x or images; NumPy's np.savez("images.npz", x=images) makes one.`;
const setupExamples = `  lconv setup
  lconv setup --apt`;
const compareExamples = `  lconv compare
  lconv compare --dataset cifar10 --epochs 10 --name cifar
  lconv compare --resume runs/cifar`;
const sweepExamples = `  lconv sweep grid.json --out sweeps/first
  lconv sweep sweeps/first --status
  lconv sweep sweeps/first --print | xargs -d '\\n' -P 4 -n 1 sh -c
  lconv sweep grid.json --out sweeps/first --launcher slurm --sbatch "--time=2:00:00 --partition=gpu"
  lconv sweep sweeps/first --collect

grid.json: { "base": { "dataset": "mnist", "epochs": 5 }, "grid": { "model": ["lconv", "cnn"], "seed": { "from": 0, "to": 4 } } }
A sweep that was stopped goes on with the same command; docs/sweeps.md has more.`;
const reproduceExamples = `  lconv reproduce matched --seeds 1
  lconv reproduce fig2 --datasets mnist,fashion-mnist --budget 60
  lconv reproduce all --collect

A figure that was stopped goes on with the same command; docs/reproduction.md has what came out.`;
const dataExamples = `  lconv data
  lconv data fetch mnist
  lconv data glyphs glyphs.npz

A stopped download resumes; commands that need the same file share one download. LCONV_DATA names the folder,
LCONV_DOWNLOAD_MAX_BYTES the largest file that is taken (default: 4 GiB), LCONV_DOWNLOAD_MIN_RATE the bytes a second below which a
connection is given up, on average over 30 s (default: 1000; 0 for none).`;
const discoverExamples = `  lconv discover --experiment fixed-rot --size 7 --angle pi/10 --json
  lconv discover --experiment so13 --seeds 5 --out runs/so13
  lconv discover --pairs moved.npz --generators 1 --grid 9,9 --known so2 --out runs/moved
  lconv discover --data samples.npz --output equivariant --known "so(3)"
  lconv discover --distribution mnist --variant rotated-scrambled --known so2 --out found
  lconv discover --run runs/mine --known so2,translations --out runs/mine/symmetries`;
const verifyExamples = `  lconv verify
  lconv verify prop2 --d 20 --shift 2 --n 8,16 --json
  lconv verify --out runs/verify`;
const planExamples = `  lconv plan --dataset cifar100 --layers 2 --rank 8
  lconv plan --input 3,64,64,10 --model cnn --padding same --samples 20000 --device cpu
  lconv plan --model lconv --pool strided --gpu h200 --json
  lconv plan
  lconv plan --cases mnist/lconv,cifar100/lconv2 --batch 1024 --gpu h200 --json

Without flags of a network, lconv plan predicts --cases on a GPU. Nothing is downloaded. Times are estimates or predictions, not measurements.`;
const benchExamples = `  lconv bench steps --cases mnist/lconv,mnist/cnn --batch 64 --seconds 3`;
const benchmarkExamples = `  lconv benchmark symmetry --quick --out symbench
  lconv benchmark symmetry --out symbench --share 1/2 & lconv benchmark symmetry --out symbench --share 2/2
  lconv benchmark symmetry --out symbench --report`;
