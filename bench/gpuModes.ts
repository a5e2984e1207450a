// The same rows and the same training along every way that a setting of docs/cuda.md forces, so that what fails is located.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { table } from "../src/cli/terminal/output.js";
import { type Failure, firstOfEach, runParity } from "./gpuParity.js";
import { type Check, lastLine, type Outcome, reasonOf } from "./gpuStep.js";
import { typescript } from "./process.js";

export const modes = {
  usual: {},
  "one step": { LCONV_CUDA_STEPS: "1" },
  "no graph": { LCONV_CUDA_GRAPH: "0" },
  tiles: { LCONV_CUDA_GEMM: "tiles" },
  "one branch": { LCONV_CUDA_BRANCHES: "1" },
  "in turn": { LCONV_CUDA_SYNC: "1" },
} as const;
export type Mode = keyof typeof modes;

/** What failed along one way; `training` is what is wrong with it. */
export interface Way {
  failures: Failure[];
  training: string | undefined;
}

const fails = ({ failures, training }: Way): boolean => failures.length > 0 || training !== undefined;

/** Where the fault is, in words, by the ways that pass and those that fail. */
export function located(ways: Readonly<Record<Mode, Way>>): string {
  const failing = (Object.keys(modes) as Mode[]).filter((mode) => fails(ways[mode]));
  const passes = (mode: Mode): boolean => !failing.includes(mode);
  if (failing.length === 0) return "all ways agree";
  if (passes("usual")) return `the usual way is right, but not ${failing.join(", ")}: what only these settings run`;
  if (passes("tiles")) return "products of cuBLAS: right with LCONV_CUDA_GEMM=tiles";
  const operations = firstOfEach(ways["in turn"].failures).map(({ operation }) => operation);
  if (operations.length > 0) return `kernels of ${operations.join(", ")}: wrong however they are launched, one by one, too`;
  if (passes("one step")) return "the graph of several steps: right with LCONV_CUDA_STEPS=1";
  if (passes("one branch")) return "an edge: right with LCONV_CUDA_BRANCHES=1, so a launch does not wait for another branch";
  if (passes("no graph")) return "the graph: the same launches are right with LCONV_CUDA_GRAPH=0";
  if (passes("in turn")) return "the order of launches: right with LCONV_CUDA_SYNC=1, so something is not waited for";
  return "training alone, however it is launched: sizes that no row has, or an order of commands";
}

interface Trained {
  weights: number[];
}

async function train(check: Check, name: string, env: NodeJS.ProcessEnv): Promise<Trained | string> {
  const ended = await check.run(name, typescript("test/support/children/train.ts", check.quick ? "2" : "20", "1"), { env });
  if (ended.timedOut) return "no end in time";
  return ended.code === 0 ? (JSON.parse(lastLine(ended.stdout)) as Trained) : reasonOf(ended);
}

/** NaN where one of them is not finite, which JSON has as null. */
function difference(got: readonly number[], want: readonly number[]): number {
  if (!got.every((x) => Number.isFinite(x))) return Number.NaN;
  const norm = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return norm(got.map((x, i) => x - want[i])) / norm(want);
}

async function goOneWay(check: Check, mode: Mode, reference: Trained): Promise<Way> {
  const name = `modes-${mode.replaceAll(" ", "-")}`;
  const env = { ...modes[mode], LCONV_DEVICE: "cuda" };
  const rows =
    check.failing.size > 0
      ? { step: 1, filters: [...check.failing].map((operation) => ` ${operation}(`) }
      : { step: check.quick ? 60 : 10 };
  const { failures, unfinished } = await runParity(check, name, { ...rows, env, processes: 3 });
  const trained = await train(check, `${name}-training`, env);
  const apart = typeof trained === "string" ? Number.NaN : difference(trained.weights, reference.weights);
  const training =
    typeof trained === "string" ? trained : apart < 1e-3 ? undefined : `weights are ${apart.toExponential(1)} from the CPU's`;
  return { failures: unfinished ? [...failures, { target: "", operation: "programs", text: unfinished }] : failures, training };
}

/** Rows of each target, programs of several commands, and a training: a line for each way. */
function matrix(ways: Readonly<Partial<Record<Mode, Way>>>): string {
  const columns = ["GPU eager", "GPU compiled", "GPU displaced", ""];
  const count = (failures: readonly Failure[]): string => (failures.length === 0 ? "ok" : `${failures.length} failed`);
  return table([
    ["way", "eager", "compiled", "displaced", "programs", "training"],
    ...Object.entries(ways).map(([mode, { failures, training }]) => [
      mode,
      ...columns.map((column) => count(failures.filter(({ target }) => target === column))),
      training === undefined ? "ok" : "failed",
    ]),
  ]);
}

export async function tryModes(check: Check): Promise<Outcome> {
  const reference = await train(check, "modes-cpu", { LCONV_DEVICE: "cpu" });
  if (typeof reference === "string") return { failed: `training on the CPU: ${reference}` };
  const ways = {} as Record<Mode, Way>;
  for (const mode of Object.keys(modes) as Mode[]) {
    ways[mode] = await goOneWay(check, mode, reference);
    if (check.left() <= 0) return { failed: `no end in time, at "${mode}"`, timedOut: true, details: matrix(ways).split("\n") };
  }
  const where = located(ways);
  const whys = Object.entries(ways).flatMap(([mode, { failures, training }]) => [
    ...firstOfEach(failures).map(({ text }) => `${mode}: ${text}`),
    ...(training === undefined ? [] : [`${mode}: training: ${training}`]),
  ]);
  const lines = matrix(ways).split("\n");
  writeFileSync(join(check.out, "modes.txt"), `${[...lines, where, ...whys].join("\n")}\n`);
  return Object.values(ways).some(fails)
    ? { failed: where, details: [...lines, ...whys] }
    : { figure: `${where}: ${Object.keys(modes).join(", ")}` };
}
