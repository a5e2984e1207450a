import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { mul } from "../../src/ops/arithmetic.js";
import { biasActivation, biasActivationGrad } from "../../src/ops/bias.js";
import { sum } from "../../src/ops/reduce.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { randomProgram } from "../support/randomProgram.js";
import { randn } from "../support/reference.js";

const test = suite("engine/planner");

const bits = (t: Tensor): string => Buffer.from(new Uint8Array((t.dataSync() as Float32Array).buffer)).toString("hex");
const makeInputs = (seed: number) =>
  [
    [3, 4],
    [1, 5],
    [6, 2],
  ].map((shape, i) => tensor(Float32Array.from(randn(shape, 10 * seed + i).data), { shape, requiresGrad: true }));

test("300 random programs: every kept result equals the eager one bit for bit, after one step and after three", async () => {
  let arena = 0;
  let separate = 0;
  for (let seed = 1; seed <= 300; seed++) {
    await scope(async () => {
      const inputs = makeInputs(seed);
      const before = device().memory().bytes;
      const want = randomProgram(seed, inputs).map(bits);
      separate += device().memory().bytes - before;
      let kept: Tensor[] = [];
      const program = record(() => (kept = randomProgram(seed, inputs)));
      arena += program.arenaBytes;
      for (const steps of [1, 2]) {
        await program.run({ steps });
        kept.forEach((t, i) => {
          assert.is(bits(t), want[i], `seed ${seed}, result ${i} of ${kept.length}, shape [${t.shape}]`);
        });
      }
      program.dispose();
    });
  }
  assert.ok(arena < 0.7 * separate, `the arenas took ${arena} bytes, separate tensors ${separate}`);
  assert.is(device().memory().arenaBytes, 0);
});

test("an activation's gradient takes the place of what nobody reads any more, and of nothing else", async () => {
  const [B, m, d] = [3, 4, 1000];
  const size = 4 * B * m * d;
  // y and its gradient are there when the gradient before the activation is made: a third place only where both are read later.
  for (const [later, places] of [
    [[], 2],
    [["y"], 2],
    [["dy"], 2],
    [["y", "dy"], 3],
  ] as const) {
    await scope(async () => {
      const make = (shape: number[], seed: number): Tensor =>
        tensor(Float32Array.from(randn(shape, seed).data), { shape, requiresGrad: true });
      const [x, b, c] = [make([B, m, d], 1), make([m], 2), make([B, m, d], 3)];
      const step = (): Tensor[] => {
        const y = biasActivation(x, b, { name: "relu" });
        const dy = mul(c, 2);
        const [dx, db] = biasActivationGrad({ outer: B, channels: m, inner: d }, { name: "relu" }, y, dy);
        return [dx, db, ...later.map((name) => ({ y, dy })[name])].map((t) => sum(t));
      };
      const want = step().map(bits);
      let got: Tensor[] = [];
      const program = record(() => (got = step()));
      for (const steps of [1, 2]) {
        await program.run({ steps });
        assert.equal(got.map(bits), want, `read later: ${later}`);
      }
      assert.is(Math.floor(program.arenaBytes / size), places, `read later: ${later}`);
      program.dispose();
    });
  }
});

test("new inputs of a program give new results", async () => {
  await scope(async () => {
    const inputs = makeInputs(1);
    let kept: Tensor[] = [];
    const program = record(() => (kept = randomProgram(77, inputs)));
    for (let round = 0; round < 5; round++) {
      inputs.forEach((x, i) => {
        x.set(Float32Array.from(randn(x.shape, 100 + 10 * round + i).data));
      });
      await program.run();
      assert.equal(kept.map(bits), randomProgram(77, inputs).map(bits));
    }
    program.dispose();
  });
});

test.run();
