// Everything that needs a GPU, in one command of at most eight minutes, for a machine that is lent for a short while:
//
//   npm run gpu-check -- [--short] [--python VENV/bin/python] [--only parity,steps,…] [--minutes 8] [--quick] [--out FOLDER]
//
// Each step is a process of its own: one that fails or takes too long does not stop the others. --short is the most telling half, in three minutes.
// Raw output goes to bench/results/<date>-<gpu>-gpu-check/, with the table at the end, and all of it into one archive, whose path is the last line.
// With the emulated GPU (LD_LIBRARY_PATH and LCONV_CUDA name it) the same steps run for what they compute, and no time is reported.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../src/cli/terminal/output.js";
import { budget } from "./gpuBudget.js";
import type { Check, Outcome } from "./gpuStep.js";
import { steps } from "./gpuSteps.js";
import { runProcess, typescript } from "./process.js";
import { activate } from "./python.js";

const { values } = parseArgs({
  options: {
    python: { type: "string" },
    only: { type: "string" },
    short: { type: "boolean", default: false },
    minutes: { type: "string" },
    quick: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
activate(values.python);
const root = fileURLToPath(new URL("../", import.meta.url));
const DOCTOR_SECONDS = 15;
const WIDTH = 110; // of a figure in the table; longer ones follow it
const seconds = 60 * Number(values.minutes ?? (values.short ? 3 : 8));
if (!(seconds > 0)) throw new Error(`--minutes must be a positive number, got "${values.minutes}"`);
const only = values.only?.split(",");
const unknown = only?.find((name) => name !== "doctor" && !steps.some((step) => step.name === name));
if (unknown !== undefined) throw new Error(`unknown step "${unknown}"; known: doctor, ${steps.map(({ name }) => name).join(", ")}`);

interface Row {
  step: string;
  verdict: "ok" | "FAILED" | "TIMED OUT" | "skipped" | "not run";
  figure: string;
  seconds: number;
  details?: string[];
}

interface Gpu {
  there: boolean; // as far as is known: what it fails at is for the steps to say
  available: boolean;
  name: string;
  reason: string;
  path?: string; // how programs run on it
}

interface Doctor {
  devices: Omit<Gpu, "there">[];
  cuda?: { driver?: number; gpus?: { name: string }[]; cublas?: { version: number; path: string } };
}

/** The GPU, what is said of it in one line, and all that doctor says. */
async function findGpu(): Promise<{ gpu: Gpu; figure: string; found: string }> {
  const command = typescript("src/cli/main.ts", "doctor", "--json");
  const { stdout, stderr, timedOut } = await runProcess(command, { cwd: root, seconds: DOCTOR_SECONDS });
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (!line) {
    const reason = `doctor ${timedOut ? "does not end" : "gave nothing"}: ${stderr.trim()}`;
    return { gpu: { there: true, available: false, name: "", reason }, figure: reason, found: stdout };
  }
  const { devices, cuda } = JSON.parse(line) as Doctor;
  const gpu = devices.find(({ name }) => name.startsWith("cuda")) ?? { available: false, name: "", reason: "no GPU" };
  const name = cuda?.gpus?.[0]?.name ?? "";
  const facts = [
    name,
    `driver for CUDA ${(cuda?.driver ?? 0) / 1000}`,
    `cuBLAS ${cuda?.cublas?.version} (${cuda?.cublas?.path})`,
    gpu.path ?? "",
  ];
  return { gpu: { ...gpu, there: name !== "", name }, figure: gpu.available ? facts.join(", ") : gpu.reason.split("\n")[0], found: line };
}

const folderName = (gpu: string): string =>
  /H\d00/i.exec(gpu)?.[0].toLowerCase() ?? (gpu.toLowerCase().replace(/\W+/g, "-") || "no-gpu").replace(/-gpu$/, "");

const elapsed = (): number => performance.now() / 1e3; // since the process began
const { gpu, figure: about, found } = await findGpu();
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
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => {
    close(`stopped by ${signal}`);
    process.exit(code);
  });
if (!only || only.includes("doctor")) {
  add({ step: "doctor", verdict: gpu.available ? "ok" : "FAILED", figure: about, seconds: elapsed() });
}

let end = 0; // of the step that runs
const check: Check = {
  ...{ root, out, scratch, emulated, quick, short: values.short },
  python: values.python?.includes("/") ? resolve(values.python) : values.python, // steps run in the root
  parity: join(root, "build/Release/parity"),
  failing: new Set(),
  left: () => end - elapsed(),
  async run(name, command, options = {}) {
    const ended = await runProcess(command, {
      cwd: root,
      ...options,
      seconds: Math.max(0.1, Math.min(options.seconds ?? end, end - elapsed())),
    });
    writeFileSync(join(out, `${name}.txt`), ended.stdout + (ended.stderr ? `\n-- stderr\n${ended.stderr}` : ""));
    return ended;
  },
};

const chosen = steps.filter((step) => (only ? only.includes(step.name) : !values.short || step.short > 0));
for (const share of budget(chosen, seconds, { before: DOCTOR_SECONDS, short: values.short && !only })) {
  const { name, run, always } = share.step;
  const start = elapsed();
  end = share.end;
  if (share.least > 0 && end - start < share.least) {
    add({ step: name, verdict: "not run", figure: `${Math.max(0, end - start).toFixed(0)} s are left for it`, seconds: 0 });
    continue;
  }
  const runs = gpu.there || always;
  const outcome: Outcome = runs ? await run(check).catch((error: unknown) => ({ failed: String(error) })) : { skipped: "no GPU" };
  add({ step: name, ...judge(outcome), seconds: elapsed() - start });
}
close();

function judge(outcome: Outcome): Pick<Row, "verdict" | "figure" | "details"> {
  if ("skipped" in outcome) return { verdict: "skipped", figure: outcome.skipped };
  const { details = [] } = outcome;
  if ("failed" in outcome) return { verdict: outcome.timedOut ? "TIMED OUT" : "FAILED", figure: outcome.failed, details };
  return { verdict: "ok", figure: outcome.figure, details };
}

function add(row: Row): void {
  rows.push(row);
  console.log(`${row.verdict.padEnd(10)} ${row.step}: ${row.figure} (${row.seconds.toFixed(0)} s)`);
  for (const line of row.details ?? []) console.log(`  ${line}`);
}

/** The table with the details of what failed, and everything as one file. */
function close(ending = ""): void {
  const number = (...verdicts: Row["verdict"][]): number => rows.filter(({ verdict }) => verdicts.includes(verdict)).length;
  const failed = number("FAILED", "TIMED OUT");
  const cells = table(rows.map(({ step, verdict, seconds }) => [step, verdict, `${seconds.toFixed(0)} s`])).split("\n");
  const lines = rows.map(({ figure }, i) => `${cells[i]}  ${figure.slice(0, WIDTH)}`);
  const counts = [`${number("ok")} ok`, `${failed} failed`, `${number("skipped")} skipped`, `${number("not run")} not run`];
  const closing = [`${counts.join(", ")}, in ${elapsed().toFixed(0)} s, on ${where}`, ...(ending ? [ending] : [])];
  const details = rows.flatMap(({ step, verdict, figure, details = [] }) =>
    verdict !== "skipped" && (details.length > 0 || figure.length > WIDTH)
      ? [`\n${step}: ${figure}`, ...details.map((line) => `  ${line}`)]
      : [],
  );
  const summary = [...lines, ...closing].join("\n");
  writeFileSync(join(out, "table.txt"), `${[summary, ...details].join("\n")}\n`);
  console.log(`\n${summary}\n`);
  process.exitCode = failed > 0 ? 1 : 0;
  const archive = `${out}.tar.gz`;
  const packed = spawnSync("tar", ["-czf", archive, "-C", dirname(out), basename(out)], { encoding: "utf8" });
  console.log(packed.status === 0 ? archive : `tar failed (${packed.error?.message ?? packed.stderr.trim()}); all of it is in ${out}`);
}
