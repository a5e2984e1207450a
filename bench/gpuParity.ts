// The rows of the parity program on the GPU. A GPU that is lost, or a process that crashes or hangs, ends one process and one row: another process goes on
// behind it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Check, lastLine, type Outcome } from "./gpuStep.js";

/** Seconds without a further row after which a process hangs. */
const SILENT = 20;

export interface Failure {
  /** "GPU eager", "GPU compiled", …; empty for programs of several commands. */
  target: string;
  operation: string;
  /** The line that says what failed, with the sizes of the row. */
  text: string;
}

export interface ParityResult {
  passed: number;
  failures: Failure[];
  /** Why not all rows were run. */
  unfinished?: string;
}

interface Part {
  passed: number;
  failures: Failure[];
  /** The check that ran last, and how it ended the process; undefined where the process came to its end. */
  ended: { check: number; name: string; how: string } | undefined;
}

/** "GPU eager gemm(1,2): y[0] is 1" as a failure; what is no row, such as "program 7: …", is one of "programs". */
export function failureOf(text: string): Failure {
  const [, target = "", operation = "programs"] = /^(GPU \w+) (\w+)/.exec(text) ?? [];
  return { target, operation, text };
}

/** Reads what a parity process with --from printed; `how` is said of a process that did not come to its end. */
export function readPart(stdout: string, how: string): Part {
  const failures = [...stdout.matchAll(/^failed: (.*)$/gm)].map(([, text]) => failureOf(text));
  const checks = [...stdout.matchAll(/^check (\d+): (.*)$/gm)];
  const whole = /^(\d+) passed, \d+ failed(, \d+ skipped)?$/m.exec(lastLine(stdout));
  if (whole) return { passed: Number(whole[1]), failures, ended: undefined };
  const [, check = "-1", name = "the beginning"] = checks.at(-1) ?? [];
  return {
    passed: Math.max(0, checks.length - failures.length - (how === "" ? 0 : 1)),
    failures,
    ended: { check: Number(check), name, how },
  };
}

export interface ParityOptions {
  /** Every such row. */
  step: number;
  /** Parts of the names of rows; all by default. */
  filters?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** In so many processes the GPU may be lost before the rest is left out. */
  processes?: number;
}

export async function runParity(
  check: Check,
  name: string,
  { step, filters = [], env, processes: most = 12 }: ParityOptions,
): Promise<ParityResult> {
  const result: ParityResult = { passed: 0, failures: [] };
  for (let from = 0, processes = 1; ; processes++) {
    const command = [check.parity, "--gpu", String(step), "--from", String(from), ...filters];
    if (check.left() <= 0) return { ...result, unfinished: `no time left at check ${from}` };
    const ended = await check.run(processes === 1 ? name : `${name}-${processes}`, command, { silent: SILENT, ...(env && { env }) });
    const how = ended.silent
      ? `hangs: no sign of life for ${SILENT} s`
      : ended.code === 3
        ? ""
        : `ends the process (${ended.signal ?? `exit code ${ended.code}`})`;
    const part = readPart(ended.stdout, how);
    result.passed += part.passed;
    result.failures.push(...part.failures);
    if (part.ended === undefined) return result;
    if (ended.timedOut) return { ...result, unfinished: `no end in time, at ${part.ended.name}` };
    if (part.ended.check < 0) return { ...result, unfinished: `parity does not start: ${lastLine(ended.stderr)}` };
    if (how !== "") result.failures.push(failureOf(`${part.ended.name}: ${how}`));
    if (processes === most) return { ...result, unfinished: `the GPU was lost ${most} times, the last time at ${part.ended.name}` };
    from = part.ended.check + 1;
  }
}

/** The first failure of each operation. */
export function firstOfEach(failures: readonly Failure[]): Failure[] {
  const first = new Map<string, Failure>();
  for (const failure of failures) if (!first.has(failure.operation)) first.set(failure.operation, failure);
  return [...first.values()];
}

/** Every row of every operation, with the first failing row of each. */
export async function parity(check: Check): Promise<Outcome> {
  const result = await runParity(check, "parity", { step: check.quick ? 10 : 1 });
  for (const { target, operation } of result.failures) if (target !== "") check.failing.add(operation);
  const firsts = firstOfEach(result.failures);
  const details = firsts.map(({ text }) => text);
  if (result.failures.length > 0)
    writeFileSync(join(check.out, "parity-failures.txt"), `${result.failures.map(({ text }) => text).join("\n")}\n`);
  const figure = `${result.passed} passed, ${result.failures.length} failed`;
  if (result.failures.length > 0)
    return {
      failed: `${figure}, of ${firsts.map(({ operation }) => operation).join(", ")}${result.unfinished ? `; ${result.unfinished}` : ""}`,
      details,
    };
  return result.unfinished ? { failed: `${figure}; ${result.unfinished}`, timedOut: /^no (end|time)/.test(result.unfinished) } : { figure };
}
