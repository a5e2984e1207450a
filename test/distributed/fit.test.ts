// time limit: 600 s
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { glyphs } from "../../src/data/glyphs.js";
import { prepare } from "../../src/data/transform.js";
import { Group, init } from "../../src/distributed/group.js";
import { device } from "../../src/engine/device.js";
import { makeModel } from "../../src/models/models.js";
import { sgd } from "../../src/optim/optimizer.js";
import { keep, tensor, zeros } from "../../src/tensor/tensor.js";
import { fit } from "../../src/train/fit.js";
import { upload } from "../../src/train/samples.js";
import { recordTrainStep, shareOf } from "../../src/train/step.js";
import { alone, launchers, runRanks, whyNoRanks } from "../support/ranks.js";
import { relError } from "../support/reference.js";
import { skip } from "../support/skip.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("distributed/fit");
const folder = mkdtempSync(join(tmpdir(), "lconv-ranks-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const [launcher] = launchers;

type Result = {
  rank: number;
  digest: string;
  weights: number[];
  losses: number[];
  accuracies: (number | null)[][];
  valLosses: number[];
  events: string[];
};

/** What `size` ranks come to; one rank is a process that no launcher started. */
async function trained(size: number, options: object, which = launcher): Promise<Result[]> {
  const { code, stderr, stdout, ranks } = await runRanks(size === 1 ? alone : (which ?? alone), size, "train", options);
  assert.is(code, 0, stderr + stdout.slice(0, 2000));
  assert.is(ranks.length, size);
  return ranks as unknown as Result[];
}

/** All ranks have the same weights and results. */
function same(results: readonly Result[]): Result {
  const [first] = results;
  for (const { rank, weights: _, ...rest } of results) {
    const { rank: _rank, weights: _weights, ...expected } = first!;
    assert.equal(rest, expected, `rank ${rank}`);
  }
  return first!;
}

test("shares of a batch: all of it, each once, none larger than another by more than one", () => {
  for (const count of [0, 1, 7, 64, 65])
    for (const size of [1, 2, 3, 8]) {
      const shares = Array.from({ length: size }, (_, rank) => shareOf(count, { rank, size }));
      let next = 0;
      for (const share of shares) {
        assert.is(share.first, next);
        next += share.count;
      }
      assert.is(next, count);
      const counts = shares.map((share) => share.count);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
    }
});

test("a group of one records what no group records", async () => {
  const d = device("cpu", { threads: 1 });
  const data = upload((await prepare(glyphs({ train: 80, test: 10 }), { variant: "default" })).train, d);
  const world = await init();
  const commands = (group?: Group): number => {
    const net = makeModel("lconv", { channels: 1, height: 28, width: 28, classes: 10 }, d, { filters: 2, generators: 1, rank: 1 });
    const optimizer = sgd(net.parameters());
    const order = keep(zeros([64], { dtype: "int32", device: d }));
    const metrics = { loss: keep(zeros([2], { device: d })), correct: keep(zeros([2], { device: d })) };
    const rates = keep(tensor([0.1, 0.1], { device: d }));
    const parts = { model: net, optimizer, data, batch: 32, order, rates, metrics, ...(group && { group }) };
    return recordTrainStep(parts).commands;
  };
  assert.is(commands(world), commands());
});

test("options that no group can serve", async () => {
  const data = await prepare(glyphs({ train: 80, test: 10 }), { variant: "default" });
  const d = device("cpu", { threads: 1 });
  const net = makeModel("cnn", { channels: 1, height: 28, width: 28, classes: 10 }, d, { filters: 2 });
  const of = (size: number): Group => new Group({ rank: 0, size, localRank: 0, localSize: size }, "mpi");
  await rejectsCode(fit(net, data, { group: { size: 2 } as Group, device: d }), "ERR_LCONV_ARGUMENT", "distributed.init()");
  await rejectsCode(
    fit(net, data, { group: of(9), batch: 8, device: d }),
    "ERR_LCONV_ARGUMENT",
    "a batch of 8 cannot be shared by 9 ranks",
  );
});

test("a group trains one network at a time", async () => {
  const group = new Group({ rank: 0, size: 2, localRank: 0, localSize: 2 }, "mpi");
  const back = group.take();
  throwsCode(() => group.take(), "ERR_LCONV_BUSY", "trains another network already");
  back();
  group.take()();
  await rejectsCode(group.broadcast(Uint8Array.of(1), 2), "ERR_LCONV_ARGUMENT", "root must be an integer from 0 to 1");
});

if (launchers.length === 0) test("ranks", () => skip(whyNoRanks));
else {
  const big = { samples: 640, fit: { epochs: 2, batch: 64, optimizer: "rmsprop" } };

  for (const which of launchers)
    test(`${which.name}: two ranks of 32 samples have, bit for bit, the weights of one process with passes of 32`, async () => {
      const single = same(await trained(1, big));
      const two = same(await trained(2, big, which));
      assert.is(two.digest, single.digest);
      assert.equal(two.losses, single.losses);
      assert.equal(two.accuracies, single.accuracies);
      assert.equal(two.valLosses, single.valLosses);
    });

  const small = { network: { filters: 4, generators: 2, rank: 2 }, weights: true };
  const cases: [string, object, number[]?][] = [
    ["sgd", { fit: { optimizer: "sgd", lr: 0.05 } }, [2, 3, 4]],
    ["sgd with momentum, clipped", { fit: { optimizer: "sgd", lr: 0.05, momentum: 0.9, clipNorm: 0.5 } }],
    ["sgd, regularised", { fit: { optimizer: "sgd", lr: 0.02, regularize: { orthogonality: 0.01 } } }],
    ["sgd, augmented", { fit: { optimizer: "sgd", lr: 0.05 }, augment: true }],
    ["sgd, a batch that ranks cannot share alike", { fit: { optimizer: "sgd", lr: 0.05, batch: 50 } }],
    ["sgd of a cnn", { model: "cnn", network: { filters: 4 }, fit: { optimizer: "sgd", lr: 0.05 } }],
  ];
  for (const [what, options, sizes = [3]] of cases)
    test(`${what}: one process and ${sizes.join(", ")} ranks agree`, async () => {
      const single = same(await trained(1, { ...small, ...options }));
      const limit = "model" in options ? 1e-5 : 2e-6; // relu of a CNN may cut at another sample
      for (const size of sizes) {
        const together = same(await trained(size, { ...small, ...options }));
        const error = relError(together.weights, single.weights);
        assert.ok(error < limit, `${size} ranks: ${error}`);
        together.losses.forEach((loss, i) => assert.ok(Math.abs(loss - single.losses[i]!) < 2e-6, `loss ${i} of ${size} ranks`));
      }
    });

  test("the same ranks make the same bits again", async () => {
    const options = { ...small, fit: { optimizer: "rmsprop", batch: 63 } };
    assert.is(same(await trained(3, options)).digest, same(await trained(3, options)).digest);
  });

  test("a run that is stopped by one rank goes on to the same bits", async () => {
    const fitted = (checkpoint: string) => ({ optimizer: "rmsprop", epochs: 3, checkpoint, resume: true });
    const whole = same(await trained(2, { ...small, fit: fitted(join(folder, "whole.safetensors")) }));
    const options = { ...small, fit: fitted(join(folder, "stopped.safetensors")) };
    const stopped = await runRanks(launcher!, 2, "train", { ...options, stopAt: { rank: 1, step: 3 } });
    assert.equal(
      stopped.ranks.map((rank) => rank["name"]),
      ["AbortError", "AbortError"],
      stopped.stderr,
    );
    assert.is(same(await trained(2, options)).digest, whole.digest);
  });

  test("a run goes on with another number of ranks: 2, 4, 1", async () => {
    const options = (epochs: number, checkpoint: string) => ({
      ...small,
      fit: { optimizer: "sgd", lr: 0.05, epochs, checkpoint: join(folder, checkpoint), resume: true },
    });
    const whole = same(await trained(1, options(3, "one.safetensors")));
    await trained(2, options(1, "moved.safetensors"));
    await trained(4, options(2, "moved.safetensors"));
    const [moved] = await trained(1, options(3, "moved.safetensors"));
    assert.ok(relError(moved!.weights, whole.weights) < 2e-6);
    assert.is(moved!.losses.length, 3);
  });

  /** All ranks end with an error of this code, whose message has `texts`. */
  async function fails(size: number, options: object, code: string, ...texts: string[]): Promise<void> {
    const { ranks, stderr } = await runRanks(launcher!, size, "train", options);
    assert.equal(
      ranks.map((rank) => rank["code"]),
      Array.from({ length: size }, () => code),
      stderr + JSON.stringify(ranks),
    );
    for (const { message } of ranks) for (const text of texts) assert.match(String(message), text);
  }

  test("ranks with other options, samples or networks are told apart before the first step", async () => {
    await fails(3, { ...small, own: { 2: { lr: 0.5 } } }, "ERR_LCONV_RANKS", "lr is 0.5 on rank 2", "on rank 0");
    await fails(2, { ...small, own: { 1: { samples: 650 } } }, "ERR_LCONV_RANKS", "samples is");
    await fails(2, { ...small, own: { 1: { batch: 32 } } }, "ERR_LCONV_RANKS", "batch is 32 on rank 1, and 64 on rank 0");
    await fails(2, { ...small, own: { 1: { epochs: 5 } } }, "ERR_LCONV_RANKS", "epochs is 5 on rank 1");
  });

  test("a loss that is no number on one rank's samples ends all", () =>
    fails(2, { ...small, fit: { optimizer: "sgd", lr: 1e30 } }, "ERR_LCONV_NONFINITE", "the loss is"));

  test("a checkpoint that rank 0 cannot write, or read, ends all", async () => {
    const other = join(folder, "other.safetensors");
    writeFileSync(other, "no checkpoint");
    await fails(2, { ...small, fit: { checkpoint: join(other, "c.safetensors") } }, "ERR_LCONV_IO");
    await fails(2, { ...small, fit: { checkpoint: other, resume: true } }, "ERR_LCONV_FORMAT");
  });

  test("ranks whose weights have come to differ are told so at the next checkpoint", () =>
    fails(2, { ...small, spoil: 1, fit: { checkpoint: join(folder, "spoiled.safetensors") } }, "ERR_LCONV_DIVERGED", "on rank 0"));
}

test.run();
