import { suite } from "uvu";
import * as assert from "uvu/assert";
import { allReduceSeconds, linkOf, planRanks } from "../../src/cost/ranksPlan.js";
import { throwsCode } from "../support/throws.js";

const test = suite("cost/ranksPlan");
const near = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-9 * Math.max(1, Math.abs(want)), `${got}, ${want}`);

test("networks by their names", () => {
  near(linkOf("10Gb/s").bytesPerSecond, 1.25e9);
  near(linkOf("2.5Gb/s:30us").bytesPerSecond, 312.5e6);
  near(linkOf("2.5Gb/s:30us").latencySeconds, 30e-6);
  assert.is(linkOf("nvlink").bytesPerSecond, 300e9);
  for (const name of ["", "10", "10 Gb/s", "0Gb/s", "-1Gb/s", "ethernet", "10Gb/s:us"])
    throwsCode(() => linkOf(name), "ERR_LCONV_ARGUMENT", "such as 10Gb/s");
});

test("a sum over ranks: the faster of recursive doubling and of a ring", () => {
  const link = { name: "", bytesPerSecond: 1e6, latencySeconds: 1e-3 };
  assert.is(allReduceSeconds(5000, 1, link), 0);
  near(allReduceSeconds(1000, 2, link), 2e-3); // one message of 1,000 bytes
  near(allReduceSeconds(8, 8, link), 3 * (1e-3 + 8e-6)); // three messages
  near(allReduceSeconds(8e6, 8, link), 14 * (1e-3 + 1)); // a ring of 14 messages of 1 MB
  for (let ranks = 2; ranks < 64; ranks++) assert.ok(allReduceSeconds(1e5, ranks + 1, link) > 0);
});

const layers = [
  { share: 3, sizes: [100_000, 50_000] },
  { share: 1, sizes: [250_000] },
];

test("what the backward pass hides", () => {
  const fast = { name: "fast", bytesPerSecond: 1e12, latencySeconds: 0 };
  const plan = planRanks({ ms: 20, partMs: 10, layers }, 2, fast);
  assert.equal(plan.bucketBytes, [1_000_000, 600_000]); // the last layer first
  near(plan.bucketMs[0]!, 1e-3);
  near(plan.exposedMs, 0.6e-3); // the last bucket is made when the backward pass ends
  near(plan.stepMs, 10.0006);
  near(plan.speedup, 20 / 10.0006);
});

test("a network that is slower than the step: one bucket waits for the other", () => {
  const slow = { name: "slow", bytesPerSecond: 1e8, latencySeconds: 0 };
  const plan = planRanks({ ms: 20, partMs: 10, layers }, 2, slow);
  // The first is made after the forward pass and a quarter of the backward pass, 5 ms, and takes 10; the second takes 6.
  near(plan.exposedMs, 5 + 10 + 6 - 10);
  near(plan.speedup, 20 / 21);
});

test("small networks travel in one message, when all of it is made", () => {
  const link = { name: "", bytesPerSecond: 1e9, latencySeconds: 1e-4 };
  const plan = planRanks(
    {
      ms: 2,
      partMs: 1,
      layers: [
        { share: 1, sizes: [1000] },
        { share: 1, sizes: [500, 500] },
      ],
    },
    4,
    link,
  );
  assert.equal(plan.bucketBytes, [8000]);
  near(plan.exposedMs, 2 * (0.1 + 8e-3));
});

test("misuse", () => {
  for (const ranks of [0, 1, 2.5, 5000])
    throwsCode(() => planRanks({ ms: 1, partMs: 1, layers }, ranks, linkOf("nvlink")), "ERR_LCONV_ARGUMENT", "ranks must be an integer");
});

test.run();
