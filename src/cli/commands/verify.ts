import { join } from "node:path";
import { defined } from "../../defined.js";
import { check, oneOf } from "../../errors.js";
import { type Prop2Options, prop2Defaults } from "../../experiments/verify/prop2.js";
import { type Verdict, type VerificationName, verificationNames } from "../../experiments/verify/verdict.js";
import { verify as runVerifications } from "../../experiments/verify/verify.js";
import { writeAtomic } from "../../io/atomic.js";
import { removeLitterOf } from "../../io/folders.js";
import { significant } from "../../report/svg.js";
import { bounds, renderVerdicts } from "../../report/verdicts.js";
import { chosenDevice, deviceFlag, progressFlag, threadsFlag } from "../run/flags.js";
import { created } from "../run/modelReport.js";
import { type Context, withReporter } from "../terminal/context.js";
import { type Given, integer, number, text } from "../terminal/flags.js";

export const verifyFlags = {
  d: { value: "D", kind: integer(3, 512), help: "prop2: number of points on the circle", default: prop2Defaults.d },
  shift: { value: "T", kind: number, help: "prop2: the shift, in points", default: prop2Defaults.shift },
  n: {
    value: "N,N",
    kind: text("whole numbers with commas", /^\d+(,\d+)*$/),
    help: "prop2: numbers of layers to compare",
    default: prop2Defaults.n.join(","),
  },
  out: { value: "DIR", kind: text("a folder"), help: "also write verify.html and verify.json there" },
  device: deviceFlag,
  threads: threadsFlag,
  progress: progressFlag,
} as const;

/** `lconv verify`: the statements of the paper as experiments; exit code 1 when one does not hold. */
export async function verify(name: string | undefined, flags: Given<typeof verifyFlags>, { out, signal }: Context): Promise<void> {
  const names = chosen(name);
  const options = prop2Options(flags, names);
  const device = chosenDevice(flags);
  const verdicts: Verdict[] = [];
  const start = performance.now();
  await withReporter(flags.progress, async (reporter) => {
    const onProgress = (value: number, total: number): void =>
      reporter.event({ type: "task", name: `verify ${names[verdicts.length]}`, value, total, unit: "runs" });
    for await (const verdict of runVerifications(names, { device, signal, onProgress }, options)) {
      verdicts.push(verdict);
      out.emit({ event: "verdict", ...verdict });
      out.text(show(verdict));
    }
  });
  const failed = verdicts.filter(({ passed }) => !passed).length;
  const seconds = Number(((performance.now() - start) / 1e3).toFixed(1));
  const done = { event: "done", ok: failed === 0, held: verdicts.length - failed, failed, seconds, device: device.name };
  if (flags.out !== undefined) writeResults(flags.out, verdicts, done);
  out.emit(done);
  out.text(`${done.held} of ${verdicts.length} statements hold (${seconds} s)`);
  if (failed > 0) process.exitCode = 1;
}

function chosen(name: string | undefined): readonly VerificationName[] {
  return name === undefined ? verificationNames : [oneOf("verify", "statement", name, verificationNames)];
}

function prop2Options({ d, shift, n }: Given<typeof verifyFlags>, names: readonly VerificationName[]): Prop2Options {
  const given = defined({ d, shift, n: n?.split(",").map(Number) });
  check(
    Object.keys(given).length === 0 || names.includes("prop2"),
    "ERR_LCONV_ARGUMENT",
    () => `verify: --d, --shift and --n belong to prop2, got ${names.join(", ")}`,
  );
  return given;
}

function show({ name, statement, passed, checks, notes = [] }: Verdict): string {
  const lines = checks.map((check) => {
    return `  ${check.passed ? "ok " : "BAD"} ${check.what}: ${significant(check.value, 4)} (${bounds(check)})`;
  });
  return [`${passed ? "holds" : "FAILS"}  ${name}: ${statement}`, ...lines, ...notes.map((note) => `      ${note}`)].join("\n");
}

function writeResults(folder: string, verdicts: readonly Verdict[], done: object): void {
  const head = { title: "The statements of the paper", summary: "Each is an experiment of its own: lconv verify.", created: created() };
  const files = { "verify.html": renderVerdicts(head, verdicts), "verify.json": `${JSON.stringify({ ...done, verdicts }, null, 2)}\n` };
  removeLitterOf(folder, Object.keys(files));
  for (const [name, content] of Object.entries(files)) writeAtomic(join(folder, name), content);
}
