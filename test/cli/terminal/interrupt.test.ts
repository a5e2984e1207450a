// time limit: 900 s
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { breathe, breathing, inOneGo, inPieces, type Pieces } from "../../../src/engine/breathe.js";
import { start, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/interrupt");
const folder = temporaryFolder();
const images = join(folder, "tiny.npz");
writeTinyImages(images);

/** Long ones: each must be in the middle of its work after the time that it takes to start. */
const commands: Readonly<Record<string, readonly string[]>> = {
  plan: ["plan", "--layers", "2", "--dataset", "cifar100"],
  verify: ["verify"],
  "discover, pairs": ["discover", "--experiment", "so2", "--seeds", "50"],
  "discover, a network": ["discover", "--experiment", "so13", "--seeds", "50"],
  "discover, the authors'": ["discover", "--experiment", "random-rot", "--size", "32", "--samples", "20000"],
  bench: ["bench", "steps", "--seconds", "30"],
  data: ["data", "glyphs", "g.npz"],
  compare: ["compare", "--dataset", "glyphs", "--epochs", "500", "--out", "compared"],
  train: ["train", "--dataset", "glyphs", "--variant", "rotated", "--epochs", "500", "--out", "trained"],
};
const LIMIT_MS = 20_000; // of a machine that does much else; alone it takes a fraction of a second
const MOMENTS_MS = [500, 1500];

for (const [name, args] of Object.entries(commands))
  test(`Ctrl-C ends ${name} with 130`, async () => {
    for (const moment of MOMENTS_MS) {
      const child = start(folder, args);
      await new Promise((resolve) => setTimeout(resolve, moment));
      const sent = performance.now();
      child.kill("SIGINT");
      const { code, stderr } = await child.ended;
      const ms = performance.now() - sent;
      // null: it was hit before it listened. A fast machine may have been ready.
      assert.ok(code === 130 || code === null || (code === 0 && (name === "data" || name === "plan")), `${moment} ms: ${code} ${stderr}`);
      assert.ok(ms < LIMIT_MS, `${moment} ms: it took ${ms.toFixed(0)} ms`);
    }
  });

/** Keeps the processor busy in pieces of 5 ms. */
function* busy(pieces: number): Pieces<number> {
  for (let i = 0; i < pieces; i++) {
    for (const end = performance.now() + 5; performance.now() < end; );
    yield;
  }
  return pieces;
}

test("work in pieces lets timers run, hears its signal, and is the same in one go", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  assert.is(await breathing(busy(100)), 100);
  clearInterval(timer);
  assert.ok(turns >= 3, `${turns} turns of the event loop in 500 ms`);
  assert.is(inOneGo(busy(2)), 2);

  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("stopped")), 100);
  let closed = false;
  const endless = (function* (): Pieces<void> {
    try {
      for (;;) yield* busy(1);
    } finally {
      closed = true;
    }
  })();
  try {
    await breathing(endless, controller.signal);
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "stopped");
  }
  assert.ok(closed, "what the work holds is released");
  try {
    await breathe(controller.signal);
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "stopped");
  }
  assert.equal(inOneGo(inPieces(["a", "b"], (item, i) => item + i)), ["a0", "b1"]);
});

test.run();
