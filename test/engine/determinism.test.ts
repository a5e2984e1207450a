// time limit: 900 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { relError } from "../support/reference.js";
import { skip } from "../support/skip.js";

const test = suite("engine/determinism");

interface Trained {
  digest: string;
  weights: number[];
  info: { isa: string; oneDNN?: string; gemmNote?: string };
}

const trained = new Map<string, Promise<Trained>>();
/** As train, once for the same settings. */
function trainOnce(env: NodeJS.ProcessEnv): Promise<Trained> {
  const key = JSON.stringify(env);
  const made = trained.get(key) ?? train(2, 1, env);
  trained.set(key, made);
  return made;
}

async function train(steps: number, seed: number, env: NodeJS.ProcessEnv): Promise<Trained> {
  const ended = await runChild("train", [String(steps), String(seed)], env, 300);
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}

for (const [name, gemm, threadCounts] of [
  ["oneDNN", "", ["1", "2"]],
  ["the built-in GEMM", "builtin", ["2"]],
] as const) {
  for (const threads of threadCounts) {
    test(`${name}, ${threads} threads: the same seed gives the same bits over 50 steps, another seed others`, async () => {
      const env = { LCONV_GEMM: gemm, LCONV_THREADS: threads };
      const [first, second] = [await train(50, 1, env), await train(50, 1, env)];
      if (gemm === "" && !first.info.oneDNN) return skip("this build has no oneDNN");
      assert.is(first.info.oneDNN === undefined, gemm === "builtin");
      assert.is(first.digest, second.digest);
      assert.ok(first.weights.every(Number.isFinite));
      if (threads === "2") assert.is.not((await train(50, 2, env)).digest, first.digest);
    });
  }
}

for (const isa of ["baseline", "avx2", "avx512", "avx512_bf16"]) {
  test(`LCONV_ISA=${isa} agrees with the best instruction set within 1e-5`, async () => {
    for (const gemm of ["", "builtin"]) {
      const got = await trainOnce({ LCONV_ISA: isa, LCONV_GEMM: gemm });
      if (got.info.isa !== isa) return skip(`this processor has no ${isa}`);
      const best = await trainOnce({ LCONV_GEMM: gemm });
      assert.ok(relError(got.weights, best.weights) < 1e-5, `relative difference ${relError(got.weights, best.weights)}`);
    }
  });
}

test("the two GEMMs, and thread counts, agree within 1e-5", async () => {
  const [oneDNN, builtin, single] = [
    await trainOnce({ LCONV_GEMM: "" }),
    await trainOnce({ LCONV_GEMM: "builtin" }),
    await trainOnce({ LCONV_THREADS: "1" }),
  ];
  assert.ok(relError(oneDNN.weights, builtin.weights) < 1e-5);
  assert.ok(relError(oneDNN.weights, single.weights) < 1e-5);
});

test.run();
