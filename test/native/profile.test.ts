// time limit: 600 s
// What LCONV_CUDA_PROFILE and LCONV_CUDA_DOT write about programs on a GPU, here the emulated one, and that they change no result.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ProgramStats } from "../../src/engine/addon.js";
import { temporaryFolder } from "../cli/command.js";
import { runChild } from "../support/child.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { skip } from "../support/skip.js";
import { emu } from "./orders.js";

const test = suite("native/profile");

function profileTest(name: string, body: () => Promise<void>): void {
  test(name, () => (haveEmulation(emu) ? body() : skip("no emulated GPU was built (build/emu)")));
}

interface Printed {
  digest: string;
  count: number;
  stats: ProgramStats;
}

async function run(child: string, args: string[], env: Record<string, string>): Promise<Printed & { stderr: string }> {
  const ended = await runChild(child, args, emulated(emu, env), 300);
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  return { ...JSON.parse(ended.stdout), stderr: ended.stderr };
}

interface Row {
  branch: string;
  us: number;
  bytes: number;
  launch: string;
}

/** The table of one program, read back from stderr. */
function tableOf(stderr: string): { steps: number; rows: Row[]; sum: number; chain: number } {
  const heads = [...stderr.matchAll(/^lconv profile, program 1: (\d+) launches in turn, (\d+) steps$/gm)];
  assert.is(heads.length, 1, stderr);
  const rows = [...stderr.matchAll(/^ *\d+ +(\d) +([\d.]+) +[\d.]+% +(\d+|-) +[\d.-]+ +[\d.-]+ {2}(.*)$/gm)].map(
    ([, branch, us, bytes, launch]): Row => ({ branch, us: Number(us), bytes: Number(bytes), launch }),
  );
  assert.is(rows.length, Number(heads[0][1]), stderr);
  const [, sum, chain] = /sum ([\d.]+) us, longest chain ([\d.]+) us, events alone [\d.]+ us\n$/.exec(stderr) ?? [];
  return { steps: Number(heads[0][2]), rows, sum: Number(sum), chain: Number(chain) };
}

const PROFILE = { LCONV_CUDA_PROFILE: "1" };
const ways: Record<string, Record<string, string>> = {
  "as a graph": {},
  "with launches issued one by one": { LCONV_CUDA_GRAPH: "0" },
  "where a graph cannot be made": { LCONV_EMU_FAIL_CALL: "cudaGraphInstantiateWithFlags:2" },
  "on one branch": { LCONV_CUDA_BRANCHES: "1" },
};

for (const [name, env] of Object.entries(ways)) {
  profileTest(`a table of all launches of a training, and the same weights: ${name}`, async () => {
    const [usual, { digest, stats, stderr }] = await Promise.all([
      run("train", ["3", "1"], {}),
      run("train", ["3", "1"], { ...env, ...PROFILE }),
    ]);
    assert.is(digest, usual.digest);
    assert.is(usual.stderr, "");
    const { steps, rows, sum, chain } = tableOf(stderr);
    assert.equal([steps, rows.length], [3, stats.launches]);
    assert.is(new Set(rows.map(({ branch }) => branch)).size, stats.branches);
    const total = rows.reduce((us, row) => us + row.us, 0);
    assert.ok(Math.abs(total - sum) <= 0.01 * rows.length, `${total} is not ${sum}`);
    if (stats.branches === 1) assert.ok(Math.abs(chain - sum) <= 0.02, `${chain} is not ${sum}`);
    else assert.ok(Math.max(...rows.map(({ us }) => us)) <= chain + 0.01 && chain < sum, `${chain} of ${sum}`);
    // The output layer of smallTraining: 64 samples, 392 features, 10 classes; its factors and its result are moved once.
    const product = rows.find(({ launch }) => /^gemm +product 64x10x392$/.test(launch));
    assert.is(product?.bytes, 4 * (64 * 392 + 392 * 10 + 64 * 10));
  });
}

profileTest("a hundred steps are timed; the others are the usual graph", async () => {
  const folder = temporaryFolder();
  const report = join(folder, "report.json");
  const { count, stats, stderr } = await run("countSteps", ["250"], { ...PROFILE, LCONV_EMU_REPORT: report });
  assert.is(count, 250);
  assert.equal([stats.graphNodes, stats.note], [1, undefined]);
  assert.is(tableOf(stderr).steps, 100);
  const { events, executables, graphs } = JSON.parse(readFileSync(report, "utf8").trim().split("\n").at(-1) ?? "");
  assert.equal({ events, executables, graphs }, { events: 0, executables: 0, graphs: 0 });
});

profileTest("LCONV_CUDA_DOT draws the graph that runs", async () => {
  const folder = temporaryFolder();
  const { stats } = await run("train", ["1", "1"], { LCONV_CUDA_DOT: folder, ...PROFILE });
  const files = readdirSync(folder);
  assert.is(files.length, 1);
  assert.match(files[0], /^graph-\d+-1\.dot$/);
  const text = readFileSync(join(folder, files[0]), "utf8");
  assert.match(text, /^digraph/);
  assert.is(text.match(/label=/g)?.length, stats.graphNodes);
  assert.match(text, " -> ");
});

profileTest("a drawing that cannot be written is noted, and costs nothing else", async () => {
  const { count, stats } = await run("countSteps", ["2"], { LCONV_CUDA_DOT: "/nowhere" });
  assert.equal([count, stats.graphNodes], [2, 1]);
  assert.match(stats.note ?? "", /^LCONV_CUDA_DOT: cannot write \/nowhere\/graph-\d+-1\.dot/);
});

test.run();
