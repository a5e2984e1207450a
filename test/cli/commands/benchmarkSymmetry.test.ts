import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { benchmarkSymmetry, symmetryFlags } from "../../../src/cli/commands/benchmarkSymmetry.js";
import { parseFlag } from "../../../src/cli/terminal/flags.js";
import { Interrupted } from "../../../src/cli/terminal/interrupt.js";
import { Output } from "../../../src/cli/terminal/output.js";
import { cellsOf } from "../../../src/experiments/symbench/grid.js";
import type { Row } from "../../../src/experiments/symbench/score.js";
import { PAIRS, systems, systemsFor } from "../../../src/experiments/symbench/systems.js";
import { rowOf } from "../../experiments/symbenchRows.js";
import { assertWellFormed } from "../../report/wellFormed.js";
import { rejectsCode, throwsCode } from "../../support/throws.js";
import { lconv, temporaryFolder } from "../command.js";

const test = suite("cli/benchmarkSymmetry");
const folder = temporaryFolder();
const benchmark = (...args: string[]) => lconv(folder, ["benchmark", "symmetry", ...args]);

/** A ledger with the answers of our systems to the quick cells of some truths, all right. */
function writeLedger(name: string, truths: readonly string[], more: Partial<Row> = {}): string {
  const rows = cellsOf("quick", truths).flatMap(({ truth, ...setting }) =>
    systemsFor(truth, setting).map((system) =>
      rowOf(truth.name, { ...setting, system, dimension: truth.generators?.n_L ?? 0, algebra: truth.algebra, angle: 0.2, ...more }),
    ),
  );
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, "ledger.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return join(folder, name);
}

const summaryIn = (path: string) => JSON.parse(readFileSync(join(path, "summary.json"), "utf8"));

test("--report runs nothing, and tells of all ledgers: goals, a table, a page and a file", async () => {
  const path = writeLedger("report", ["so2", "none-waves"]);
  const theirs = { system: "theirs", truth: "so3", samples: 3000, noise: 0.1, cond: 1, seed: 0, dimension: 2 };
  writeFileSync(join(path, "ledger-theirs.jsonl"), `${JSON.stringify(theirs)}\n{"system":"the`);
  const { code, stdout, stderr } = await benchmark("--report", "--quick", "--out", "report");
  assert.is(code, 0, stderr);
  assert.match(stdout, /^1 line that a kill cut off is left out$/m);
  assert.match(stdout, /^dimension right +100 % +at least 95 % +2 +reached +3,000$/m);
  assert.match(stdout, /^coverage of the 95 % bound +– +90 to 99 % +0 +not measured +not reached$/m);
  assert.match(stdout, /^theirs +1 +0 % +0 /m);
  assert.match(stdout, /^2 of \d+ cells complete, 11 rows; report: report\/symbench.html$/m);
  assertWellFormed(readFileSync(join(path, "symbench.html"), "utf8"));
  const { created, rows, cells, systems: summaries } = summaryIn(path);
  assert.match(created, "UTC");
  assert.equal([rows, cells.done, summaries.length], [11, 2, [...systems, PAIRS, "theirs"].length]);
});

/** The command in this process, which is faster: the events that it emits. */
async function run(flags: Parameters<typeof benchmarkSymmetry>[0], signal = new AbortController().signal): Promise<Done[]> {
  const events: Done[] = [];
  const out = Object.assign(new Output(true), { emit: (event: Done) => events.push(event) });
  try {
    await benchmarkSymmetry({ quick: true, progress: "silent", ...flags }, { out, signal });
  } catch (error) {
    assert.is(error, signal.reason, String(error));
  }
  return events;
}

interface Done {
  event: string;
  cells: { done: number; of: number };
  goals: { name: string; reached: boolean | null }[];
}

test("cells that are there are not run again, and the last event has the goals", async () => {
  const path = writeLedger("resumed", ["so2"]);
  const before = readFileSync(join(path, "ledger.jsonl"), "utf8");
  const events = await run({ truths: "so2", out: path });
  assert.equal(
    events.map(({ event, cells }) => [event, cells]),
    [["done", { done: 1, of: 1 }]],
  );
  assert.equal([events[0].goals[0].name, events[0].goals[0].reached], ["dimension right", true]);
  assert.is(readFileSync(join(path, "ledger.jsonl"), "utf8"), before);
});

test("--systems runs those alone, into a ledger of their own", async () => {
  const out = join(folder, "alone");
  for (const _ of [0, 1]) {
    const [done] = (await run({ systems: "distribution", truths: "so2,samples-discrete-c4", out })).slice(-1);
    assert.equal(done!.cells, { done: 1, of: 1 });
    const rows = readFileSync(join(out, "ledger-distribution.jsonl"), "utf8").trim().split("\n");
    assert.equal(rows.map((line) => [JSON.parse(line).system, JSON.parse(line).truth]), [["distribution", "samples-discrete-c4"]]); // biome-ignore format: one line
  }
});

test("a run that is stopped leaves a summary of what is there", async () => {
  const path = writeLedger("stopped", ["so2"]);
  const events = await run({ truths: "so2,so3", out: path }, AbortSignal.abort(new Interrupted("SIGINT")));
  assert.equal(
    events.map(({ event, cells }) => [event, cells]),
    [["done", { done: 1, of: 2 }]],
  );
  assert.equal(summaryIn(path).cells, { done: 1, of: 2 });
  assert.match(readFileSync(join(path, "symbench.html"), "utf8"), "answered 1 of its 2 cells");
});

test("misuse is told before anything is done or written", async () => {
  const out = join(folder, "none");
  const context = { out: new Output(true), signal: new AbortController().signal };
  for (const [message, flags, code = "ERR_LCONV_ARGUMENT"] of [
    ["--share K/N needs 1 <= K <= N, got 3/2", { share: "3/2" }],
    ['unknown truth "so3-equivariance"; did you mean "so3-equivariant"?', { truths: "so2,so3-equivariance" }],
    ['unknown system "distributions"; did you mean "distribution"?', { systems: "distributions" }],
    ["there is no folder", { report: true }],
    ["cpu", { device: "cpv" }, "ERR_LCONV_DEVICE"],
  ] as const) {
    await rejectsCode(benchmarkSymmetry({ out, ...flags }, context), code, message);
    assert.not(existsSync(out));
  }
  throwsCode(() => parseFlag("share", symmetryFlags.share.kind, "half"), "ERR_LCONV_ARGUMENT", "expected two whole numbers such as 1/2");
});

test.run();
