// Everything that needs a GPU, in one command of at most eight minutes, for a machine that is lent for a short while:
//
//   npm run gpu-check -- [--python VENV/bin/python] [--only doctor,tests,…] [--minutes 8] [--quick] [--out FOLDER]
//
// Each step is a process of its own: one that fails or takes too long does not stop the others. Raw output goes to
// bench/results/<date>-<gpu>-gpu-check/, the table at the end is also its table.txt. With the emulated GPU (LD_LIBRARY_PATH and LCONV_CUDA
// name it) the same steps run for what they compute, and no time is reported.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../src/cli/terminal/output.js";
import { type Check, type Outcome, steps } from "./gpuSteps.js";
import { runProcess, typescript } from "./process.js";
import { activate } from "./python.js";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    only: { type: "string" },
    minutes: { type: "string", default: "8" },
    quick: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
activate(values.python);
const root = fileURLToPath(new URL("../", import.meta.url));
const deadline = performance.now() + 60e3 * Number(values.minutes);
const only = values.only?.split(",");
const unknown = only?.find((name) => !steps.some((step) => step.name === name));
if (unknown !== undefined) throw new Error(`unknown step "${unknown}"; known: ${steps.map(({ name }) => name).join(", ")}`);

interface Row {
  step: string;
  verdict: "ok" | "FAILED" | "TIMED OUT" | "skipped";
  figure: string;
  seconds: number;
}

interface Gpu {
  available: boolean;
  name: string;
  reason: string;
}

async function findGpu(): Promise<{ gpu: Gpu; found: string }> {
  const { stdout, stderr } = await runProcess(typescript("src/cli/main.ts", "doctor", "--json"), { cwd: root, seconds: 60 });
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (!line) return { gpu: { available: false, name: "", reason: `doctor gave nothing: ${stderr.trim()}` }, found: stdout };
  const { devices, cuda } = JSON.parse(line) as { devices: Gpu[]; cuda?: { gpus?: { name: string }[] } };
  const { available, reason } = devices.find(({ name }) => name.startsWith("cuda")) ?? { available: false, reason: "no GPU" };
  return { gpu: { available, name: cuda?.gpus?.[0]?.name ?? "", reason }, found: line };
}

const folderName = (gpu: string): string =>
  /H\d00/i.exec(gpu)?.[0].toLowerCase() ?? (gpu.toLowerCase().replace(/\W+/g, "-") || "no-gpu").replace(/-gpu$/, "");

const begin = performance.now();
const { gpu, found } = await findGpu();
const emulated = gpu.name === "Emulated GPU";
const quick = values.quick || emulated;
const date = new Date().toISOString().slice(0, 10);
const out = resolve(values.out ?? join(root, `bench/results/${date}-${folderName(gpu.name)}-gpu-check`));
mkdirSync(out, { recursive: true });
const scratch = mkdtempSync(join(tmpdir(), "lconv-gpu-check-"));
process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));

const where = emulated ? "the EMULATED GPU: what it computes is checked, no time is reported" : gpu.name || "no GPU";
console.log(`gpu-check on ${where}${quick ? ", reduced sizes" : ""}\nraw output: ${out}`);
writeFileSync(join(out, "doctor.json"), `${found}\n`);
const rows: Row[] = [];
if (!only || only.includes("doctor")) {
  const figure = gpu.available ? gpu.name : gpu.reason.split("\n")[0];
  add({ step: "doctor", verdict: gpu.available ? "ok" : "FAILED", figure, seconds: (performance.now() - begin) / 1e3 });
}

const check: Check = {
  root,
  out,
  scratch,
  emulated,
  quick,
  python: values.python?.includes("/") ? resolve(values.python) : values.python, // steps run in the root
  async run(name, command, options) {
    const seconds = Math.min(options.seconds, (deadline - performance.now()) / 1e3);
    if (seconds <= 0) return { ...nothing, timedOut: true };
    const ended = await runProcess(command, { cwd: root, ...options, seconds });
    writeFileSync(join(out, `${name}.txt`), ended.stdout + (ended.stderr ? `\n-- stderr\n${ended.stderr}` : ""));
    return ended;
  },
};
const nothing = { code: null, stdout: "", stderr: "" };

for (const { name, run } of steps) {
  if (name === "doctor" || (only && !only.includes(name))) continue;
  const start = performance.now();
  const outcome: Outcome = gpu.available ? await run(check).catch((error: unknown) => ({ failed: String(error) })) : { skipped: "no GPU" };
  add({ step: name, ...judge(outcome), seconds: (performance.now() - start) / 1e3 });
}

function judge(outcome: Outcome): Pick<Row, "verdict" | "figure"> {
  if ("skipped" in outcome) return { verdict: "skipped", figure: outcome.skipped };
  if ("failed" in outcome) return { verdict: outcome.timedOut ? "TIMED OUT" : "FAILED", figure: outcome.failed };
  return { verdict: "ok", figure: outcome.figure };
}

function add(row: Row): void {
  rows.push(row);
  console.log(`${row.verdict.padEnd(10)} ${row.step}: ${row.figure} (${row.seconds.toFixed(0)} s)`);
}

const number = (...verdicts: Row["verdict"][]): number => rows.filter(({ verdict }) => verdicts.includes(verdict)).length;
const failed = number("FAILED", "TIMED OUT");
const cells = rows.map(({ step, verdict, figure, seconds }) => [step, verdict, `${seconds.toFixed(0)} s`, figure.slice(0, 110)]);
const closing = `${number("ok")} ok, ${failed} failed, ${number("skipped")} skipped, on ${where}`;
const summary = `${table([["step", "verdict", "time", "figure"], ...cells])}\n${closing}\n`;
writeFileSync(join(out, "table.txt"), summary);
console.log(`\n${summary}`);
process.exitCode = failed > 0 ? 1 : 0;
