// time limit: 900 s
// Ranks with a GPU each: on emulated GPUs, which the processes of a machine have as many of as they like, with an emulated NCCL.
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { typescript } from "../../bench/process.js";
import { runAsRanks } from "../../bench/rankSteps.js";
import type { ProgramStats } from "../../src/engine/addon.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { launchers, runRanks, whyNoRanks } from "../support/ranks.js";
import { relError } from "../support/reference.js";
import { skip } from "../support/skip.js";

const test = suite("distributed/gpu");
const folder = "build/emu";
const [launcher] = launchers;

/** The environment of ranks with a GPU each; LCONV_NCCL=/nowhere has them do without NCCL. */
const gpus = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ ...emulated(folder, { LCONV_EMU_DEVICES: "4" }), ...more });
const noNccl = { LCONV_NCCL: "/nowhere" };
/** Sums in pairs, as the emulated NCCL does. */
const pairs = { OMPI_MCA_coll_tuned_use_dynamic_rules: "1", OMPI_MCA_coll_tuned_allreduce_algorithm: "3" };

if (!launcher) test("ranks", () => skip(whyNoRanks));
else if (!haveEmulation(folder)) test("ranks", () => skip("the emulated GPU is not built: npm run setup -- --tests"));
else {
  const run = async (size: number, task: string, options: object, more: NodeJS.ProcessEnv = {}) => {
    const { code, stderr, stdout, ranks } = await runRanks(launcher, size, task, options, { more: gpus(more), seconds: 300 });
    assert.is(code, 0, stderr + stdout.slice(0, 2000));
    assert.is(ranks.length, size);
    return ranks;
  };

  for (const size of [2, 4])
    for (const [what, more] of [
      ["NCCL", {}],
      ["memory of the host", noNccl],
    ] as const)
      test(`${size} GPUs, ${what}: sums of tensors, at once and recorded, and their gradient`, async () => {
        const sum = (size * (size + 1)) / 2;
        for (const rank of await run(size, "sums", {}, more)) {
          assert.is(rank["name"], `cuda:${rank["rank"]}`);
          assert.is(rank["way"], what === "NCCL" ? "nccl" : "mpi");
          if (what !== "NCCL")
            assert.match(String(rank["fault"]), /rank 0: NCCL cannot be opened; tried:[\s\S]*LCONV_NCCL names this file/);
          assert.equal(rank["eager"], [sum, 10 * sum, size / 2]);
          assert.equal(rank["gradient"], [sum, 2 * sum, 3 * sum]);
          // One eager sum, two of the gradient, three times two and two times one that were recorded.
          assert.is(rank["messages"], 3 + 6 + 2);
          const { launches, graphNodes, note } = rank["stats"] as ProgramStats;
          assert.equal([launches, graphNodes], [6, what === "NCCL" ? 6 : 0]);
          assert.is(
            note ?? "",
            what === "NCCL" ? "" : "the launches of a step are issued one by one: sums over ranks go through memory of the host",
          );
        }
      });

  const network = { filters: 4, generators: 2, rank: 2 };
  const options = { network, weights: true, fit: { optimizer: "sgd", lr: 0.05, epochs: 1 } };
  type Trained = { digest: string; weights: number[]; losses: number[] };
  const trained = async (size: number, more: NodeJS.ProcessEnv = {}, given: object = options): Promise<Trained> => {
    const ranks = (await run(size, "train", given, more)) as unknown as Trained[];
    for (const { digest, losses } of ranks) assert.equal([digest, losses], [ranks[0]!.digest, ranks[0]!.losses]);
    return ranks[0]!;
  };

  test("four GPUs in four processes: NCCL has the bits of MPI, and both train as one GPU does", async () => {
    const nccl = await trained(4);
    const mpi = await trained(4, { ...noNccl, ...pairs });
    assert.is(nccl.digest, mpi.digest);
    const single = await trained(1);
    assert.ok(relError(nccl.weights, single.weights) < 2e-6);
    nccl.losses.forEach((loss, i) => assert.ok(Math.abs(loss - single.losses[i]!) < 2e-6));
  });
  const wrong = (options: object, more: NodeJS.ProcessEnv = {}, size = 2) =>
    runRanks(launcher, size, "onGpu", options, { more: gpus({ LCONV_COLLECTIVE_TIMEOUT: "2", ...more }), seconds: 60 });
  type Fault = { rank: number; code?: string; message: string; seconds: number; error?: Fault; after?: Fault };

  for (const [what, more] of [
    ["NCCL", {}],
    ["memory of the host", noNccl],
  ] as const)
    for (const eager of [false, true])
      test(`${what}, ${eager ? "at once" : "recorded"}: a rank that does not come is an error after the time limit, and the device lives`, async () => {
        const { ranks } = await wrong({ late: 1, eager }, more);
        const { error, after, seconds } = ranks.find(({ rank }) => rank === 0) as unknown as Fault;
        assert.is(error?.code, "ERR_LCONV_COLLECTIVE");
        assert.match(String(error?.message), "rank 0 of 2 waited 2 s for the others");
        assert.is(after?.code, "ERR_LCONV_COLLECTIVE");
        assert.ok(seconds < 10, String(seconds));
      });

  test("a process that ends while its GPU waits for another rank ends", async () => {
    const begun = performance.now();
    const { ranks } = await wrong({ late: 1, leaves: true }, { LCONV_COLLECTIVE_TIMEOUT: "50" });
    assert.ok(ranks.some((rank) => rank["left"]));
    assert.ok(performance.now() - begun < 40_000);
  });

  test("sums of other lengths are an error, where NCCL would hang", async () => {
    const { ranks } = await wrong({ lengths: [1000, 1001] });
    for (const rank of ranks as unknown as Fault[]) {
      assert.is(rank.error?.code, "ERR_LCONV_RANKS");
      assert.match(String(rank.error?.message), "the ranks are about to sum other things");
    }
  });

  test("what may not be at once, or not together, is an error on all ranks", async () => {
    for (const rank of (await run(2, "wrong", {})) as Record<string, { code?: string }>[]) {
      assert.equal(
        [rank["second"]?.code, rank["eager"]?.code, rank["unequal"]?.code],
        ["ERR_LCONV_BUSY", "ERR_LCONV_BUSY", "ERR_LCONV_RANKS"],
      );
      assert.equal(rank["after"], [3, 2]);
    }
  });

  const refused: [string, object, NodeJS.ProcessEnv, (string | undefined)[], RegExp][] = [
    [
      "two ranks on one GPU",
      {},
      { CUDA_VISIBLE_DEVICES: "2" },
      ["ERR_LCONV_NCCL", "ERR_LCONV_NCCL"],
      /Duplicate GPU detected.*let CUDA_VISIBLE_DEVICES list one for each/,
    ],
    [
      "more ranks than GPUs",
      {},
      { LCONV_EMU_DEVICES: "1" },
      [undefined, "ERR_LCONV_CUDA_NO_GPU"],
      /there is no cuda:1: this machine has 1 GPU/,
    ],
    ["a rank on the CPU", { env: [{}, { LCONV_DEVICE: "cpu" }] }, {}, ["ERR_LCONV_RANKS", "ERR_LCONV_RANKS"], /computes on (cuda:0|cpu)/],
    [
      "ranks with other versions of NCCL",
      { env: [{}, { LCONV_EMU_NCCL_VERSION: "22000" }] },
      {},
      ["ERR_LCONV_RANKS", "ERR_LCONV_RANKS"],
      /NCCL 22000 and 23007/,
    ],
    [
      "a rank whose NCCL fails at the start",
      { env: [{}, { LCONV_EMU_NCCL_FAIL: "ncclCommInitRank" }] },
      {},
      ["ERR_LCONV_COLLECTIVE?", "ERR_LCONV_NCCL"],
      /waited 2 s|ncclCommInitRank failed: unhandled system error/,
    ],
    [
      "a graph on one rank alone",
      { env: [{}, { LCONV_CUDA_GRAPH: "0" }] },
      {},
      ["ERR_LCONV_RANKS", "ERR_LCONV_RANKS"],
      /rank 1 has LCONV_CUDA_GRAPH=0/,
    ],
    [
      "a capture that fails on one rank",
      { env: [{}, { LCONV_EMU_FAIL_CALL: "cudaStreamBeginCapture:1+" }] },
      {},
      [undefined, "ERR_LCONV_CUDA"],
      /set LCONV_CUDA_GRAPH=0 on all ranks/,
    ],
    [
      "no unique id",
      { env: [{ LCONV_EMU_NCCL_FAIL: "ncclGetUniqueId" }, {}] },
      {},
      ["ERR_LCONV_NCCL", "ERR_LCONV_NCCL"],
      /ncclGetUniqueId failed/,
    ],
    ["a sum that NCCL refuses", {}, { LCONV_EMU_NCCL_FAIL: "ncclAllReduce" }, ["ERR_LCONV_NCCL", "ERR_LCONV_NCCL"], /ncclAllReduce failed/],
  ];
  for (const [what, options, more, codes, text] of refused)
    test(`refused: ${what}`, async () => {
      const { ranks, code } = await wrong({ close: false, ...options }, more);
      assert.ok(code !== 0);
      codes.forEach((expected, i) => {
        if (expected === undefined) return;
        const rank = (ranks as unknown as Fault[]).find(({ rank }) => rank === i);
        if (rank === undefined && expected.endsWith("?")) return; // it was ended before it could say anything
        assert.is(rank?.code, expected.replace("?", ""), rank?.message);
        assert.match(String(rank?.message), text);
      });
    });

  test("where one rank has no NCCL, or an old one, none uses it", async () => {
    for (const own of [noNccl, { LCONV_EMU_NCCL_VERSION: "21304" }]) {
      const ranks = await run(2, "sums", { env: [{}, own] });
      for (const rank of ranks) {
        assert.is(rank["way"], "mpi");
        assert.match(String(rank["fault"]), /^rank 1: NCCL cannot be opened/);
      }
    }
  });

  test("the benchmark of several GPUs", async () => {
    const script = fileURLToPath(new URL("../../bench/gpuDistributed.ts", import.meta.url));
    const env = { ...launcher.env, ...gpus() };
    const time = (task: string) =>
      runAsRanks<{ ms?: number; sums?: number; seconds?: number }>(
        typescript(script, "--seconds", "0.01", "--rank", task),
        2,
        launcher.command[0]!,
        env,
      );
    const { ms, sums } = await time("steps mnist/lconv 4");
    assert.ok(ms! > 0);
    assert.is(sums, 2);
    assert.ok((await time("sums 65536")).seconds! > 0);
  });

  test("a rank that sees its own GPU alone takes that one", async () => {
    const ranks = await run(2, "sums", { env: [{ CUDA_VISIBLE_DEVICES: "3" }, { CUDA_VISIBLE_DEVICES: "1" }] });
    for (const rank of ranks) assert.equal([rank["name"], rank["way"]], ["cuda:0", "nccl"]);
  });
}

test.run();
