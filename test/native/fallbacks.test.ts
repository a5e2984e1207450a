// time limit: 900 s
// A part of CUDA that fails, played by the emulated GPU, and what goes on in its place: training ends where it ends without the failure.
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ProgramStats } from "../../src/engine/addon.js";
import { temporaryFolder } from "../cli/command.js";
import { runChild } from "../support/child.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { relError } from "../support/reference.js";
import { skip } from "../support/skip.js";
import { emu, run } from "./orders.js";

const test = suite("native/fallbacks");
const root = fileURLToPath(new URL("../../", import.meta.url));

interface Trained {
  digest: string;
  weights: number[];
  stats: ProgramStats;
}

async function train(env: Record<string, string>): Promise<Trained> {
  const ended = await runChild("train", ["3", "1"], emulated(emu, env), 300);
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}

let undisturbed: Promise<Trained> | undefined;
const usual = (): Promise<Trained> => (undisturbed ??= train({}));

interface Fallback {
  env: Record<string, string>;
  /** Steps are a CUDA graph, all the same. */
  graph: boolean;
  /** All products are cuBLAS's, so that the bits are the same; or some of them are; or none. */
  cublas: "all" | "some" | "none";
  note: RegExp | undefined;
}

const folder = temporaryFolder();
if (haveEmulation(emu)) copyFileSync(join(emu, "libcublas.so.13"), join(folder, "libcublas.so.12"));
const oldDriver = { LCONV_EMU_DRIVER: "12020", LCONV_EMU_RUNTIME: "12000" };

const fallbacks: Record<string, Fallback> = {
  "no graphs on request": { env: { LCONV_CUDA_GRAPH: "0" }, graph: false, cublas: "all", note: /LCONV_CUDA_GRAPH=0/ },
  ...Object.fromEntries(
    [
      ...[
        "cudaFuncGetAttributes",
        "cudaStreamBeginCapture",
        "cudaStreamEndCapture",
        "cudaGraphGetNodes",
        "cudaGraphInstantiateWithFlags",
        "cudaGraphUpload",
      ],
    ].map((call): [string, Fallback] => [
      `${call} fails`,
      { env: { LCONV_EMU_FAIL_CALL: call }, graph: false, cublas: "all", note: new RegExp(`one by one: ${call}`) },
    ]),
  ),
  "cuBLAS finds no kernel in a capture": {
    env: { LCONV_EMU_CUBLAS_CAPTURE: "14" },
    graph: false,
    cublas: "all",
    note: /one by one: cublasGemm\w+ failed: CUBLAS_STATUS_INTERNAL_ERROR/,
  },
  "cuBLAS does not start": {
    env: { LCONV_EMU_CUBLAS_CREATE: "13" },
    graph: true,
    cublas: "none",
    note: /own kernels: cuBLAS cannot be used.*cublasCreate failed: CUBLAS_STATUS_NOT_INITIALIZED/s,
  },
  "cuBLAS is too old": { env: { LCONV_EMU_CUBLAS_VERSION: "110000" }, graph: true, cublas: "none", note: /cuBLAS 11\.0/ },
  "cuBLAS refuses the first product": { env: { LCONV_EMU_CUBLAS_FAIL: "1" }, graph: true, cublas: "some", note: /EXECUTION_FAILED/ },
  "cuBLAS refuses every product": { env: { LCONV_EMU_CUBLAS_FAIL: "1+" }, graph: true, cublas: "none", note: /EXECUTION_FAILED/ },
  "cuBLAS refuses a product in a step": {
    env: { LCONV_EMU_CUBLAS_FAIL: "12", LCONV_CUDA_GRAPH: "0" },
    graph: false,
    cublas: "some",
    note: /EXECUTION_FAILED/,
  },
  "a driver that loads no kernel in a capture": {
    env: { ...oldDriver, LCONV_CUBLAS: join(folder, "libcublas.so.12") },
    graph: true,
    cublas: "all",
    note: undefined,
  },
  "the first cuBLAS does not start": {
    env: { LD_LIBRARY_PATH: `${emu}:${folder}`, LCONV_EMU_CUBLAS_CREATE: "13" },
    graph: true,
    cublas: "all",
    note: undefined,
  },
  "the driver is too old for the first cuBLAS": {
    env: { ...oldDriver, LD_LIBRARY_PATH: `${emu}:${folder}` },
    graph: true,
    cublas: "all",
    note: undefined,
  },
  "a driver that is older than cuBLAS": { env: oldDriver, graph: true, cublas: "none", note: /too old for cuBLAS 13/ },
  "no cuBLAS on request": { env: { LCONV_CUDA_GEMM: "tiles" }, graph: true, cublas: "none", note: /LCONV_CUDA_GEMM=tiles/ },
  "one branch": { env: { LCONV_CUDA_BRANCHES: "1" }, graph: true, cublas: "all", note: undefined },
  "a wait after every launch": { env: { LCONV_CUDA_SYNC: "1" }, graph: false, cublas: "all", note: /LCONV_CUDA_SYNC=1/ },
};

for (const [name, { env, graph, cublas, note }] of Object.entries(fallbacks)) {
  test(name, async () => {
    if (!haveEmulation(emu)) return skip("no emulated GPU was built (build/emu)");
    const [expected, { digest, weights, stats }] = await Promise.all([usual(), train(env)]);
    if (cublas === "all") assert.is(digest, expected.digest);
    assert.ok(relError(weights, expected.weights) < 1e-5, `${relError(weights, expected.weights)}`);
    assert.is(stats.graphNodes > 0, graph, stats.note);
    const products = expected.stats.cublasProducts + expected.stats.ownProducts;
    assert.is(stats.cublasProducts + stats.ownProducts, products);
    if (cublas === "all") assert.is(stats.ownProducts, expected.stats.ownProducts);
    else assert.is(cublas === "none" ? stats.cublasProducts === 0 : 0 < stats.cublasProducts && stats.cublasProducts < products, true);
    assert.is(stats.branches > 1, name !== "one branch");
    if (note) assert.match(stats.note ?? "", note);
    else assert.is(stats.note, undefined);
  });
}

async function trainModels(env: Record<string, string>): Promise<Record<string, number[]>> {
  const ended = await runChild("models", [], emulated(emu, env), 300);
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}

test("every model trains without graphs, to the same bits, and without cuBLAS", async () => {
  if (!haveEmulation(emu)) return skip("no emulated GPU was built (build/emu)");
  const [usual, streams, tiles] = await Promise.all([{}, { LCONV_CUDA_GRAPH: "0" }, { LCONV_CUDA_GEMM: "tiles" }].map(trainModels));
  assert.equal(streams, usual);
  assert.ok(Object.keys(usual).length >= 8);
  for (const [name, weights] of Object.entries(usual)) {
    const error = relError(tiles[name], weights);
    assert.ok(error < 1e-5, `${name}: ${error}`);
  }
});

test("the rows of the parity program by lconv's own products", async () => {
  if (!haveEmulation(emu)) return skip("no emulated GPU was built (build/emu)");
  const lines = (await run(join(root, "build/Release/parity"), ["--gpu"], emulated(emu, { LCONV_CUDA_GEMM: "tiles" }))).trim().split("\n");
  assert.match(lines.at(-1) ?? "", /^[1-9]\d* passed, 0 failed$/);
});

test("LCONV_CUDA_GEMM=cublas takes nothing else", async () => {
  if (!haveEmulation(emu)) return skip("no emulated GPU was built (build/emu)");
  for (const failing of [{ LCONV_EMU_CUBLAS_FAIL: "1" }, { LCONV_EMU_CUBLAS_CREATE: "13" }]) {
    const ended = await runChild("train", ["1", "1"], emulated(emu, { LCONV_CUDA_GEMM: "cublas", ...failing }), 300);
    assert.is(ended.code, 1);
    assert.match(ended.stderr, /ERR_LCONV_CUDA(_CUBLAS)?\b/);
  }
});

test("LCONV_CUDA_SYNC=1 names the operation of a launch that fails", async () => {
  if (!haveEmulation(emu)) return skip("no emulated GPU was built (build/emu)");
  const ended = await runChild("train", ["3", "1"], emulated(emu, { LCONV_CUDA_SYNC: "1", LCONV_EMU_FAIL_LAUNCH_AT: "60" }), 300);
  assert.is(ended.code, 1);
  assert.match(ended.stderr, /cudaStreamSynchronize after conv2d\w+ failed: cudaErrorIllegalAddress.*ERR_LCONV_CUDA_LOST/s);
});

test("a setting that is misspelled is refused", async () => {
  if (!haveEmulation(emu)) return skip("no emulated GPU was built (build/emu)");
  for (const setting of [
    "LCONV_CUDA_GEMM",
    "LCONV_CUDA_GRAPH",
    "LCONV_CUDA_BRANCHES",
    "LCONV_CUDA_STEPS",
    "LCONV_CUDA_SYNC",
    "LCONV_CUDA_PROFILE",
  ]) {
    const ended = await runChild("train", ["1", "1"], emulated(emu, { [setting]: "maybe" }), 300);
    assert.match(ended.stderr, new RegExp(`${setting} must be .*, got "maybe".*ERR_LCONV_ARGUMENT`, "s"));
  }
});

test.run();
