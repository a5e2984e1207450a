import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { native } from "../../src/engine/native.js";
import { matmul } from "../../src/ops/matmul.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { ones, type Tensor, zeros } from "../../src/tensor/tensor.js";
import { tsWorker } from "./tsWorker.js";

/** What a worker is doing when it ends. */
export const pursuits = ["startup", "eager", "run", "chunks", "readAsync"] as const;
export type Pursuit = (typeof pursuits)[number];

/** A worker that never ends on its own, unless `leave` says how, and after how many milliseconds. */
export interface Doomed {
  pursuit: Pursuit;
  leave?: { how: "exit" | "throw"; after: number };
}

/** It says "ready" before it opens the engine, and "up" when its pursuit is under way. */
export const doomedWorker = (workerData: Doomed) => tsWorker(import.meta.url, { workerData });
export const LEFT = "left on purpose";

// Above the largest block that glibc takes from its arenas, so that the kernel knows at once when it is freed.
const HELD_BYTES = 36 * 2 ** 20;
const held: Tensor[] = [];

/** Opens the engine and takes the memory that would be missed. */
function takeMemory(): void {
  held.push(ones([HELD_BYTES / 4]));
}

async function eager(): Promise<void> {
  const [a, b] = [ones([64, 64]), ones([64, 64])];
  for (;;) {
    for (let i = 0; i < 50; i++) scope(() => matmul(matmul(a, b), zeros([64, 32])).slice(0, 8));
    await nextTurn();
  }
}

async function replay(steps: number, chunkMs: number): Promise<void> {
  const [a, b] = [ones([64, 64]), zeros([64, 64])];
  const program = record(() => void scope(() => matmul(matmul(a, b), a)));
  await program.run({ steps: 1 }); // so that the next one knows how many steps its chunk has
  await program.run({ steps, chunkMs });
}

async function readAsync(): Promise<void> {
  const device = native().openDevice("cpu", 2, 0);
  const readAgain = async (elements: number): Promise<void> => {
    const buffer = device.alloc(4 * elements, 0);
    for (;;) await device.readAsync(buffer, new Float32Array(elements), 0);
  };
  await Promise.all([1, 10, 100, 1000, 1e5, 1e6, 3e6, 3e6].map(readAgain));
}

const work: Record<Pursuit, () => void | Promise<void>> = {
  startup: () => {},
  eager,
  run: () => replay(1e15, 1e9),
  chunks: () => replay(1e15, 0.2),
  readAsync,
};

if (parentPort && workerData?.pursuit) {
  const { pursuit, leave } = workerData as Doomed;
  setInterval(() => {}, 1e6); // keeps the event loop alive
  if (leave) setTimeout(() => end(leave.how), leave.after);
  parentPort.postMessage("ready");
  takeMemory();
  parentPort.postMessage("up");
  void work[pursuit]();
}

function end(how: "exit" | "throw"): void {
  if (how === "exit") process.exit(7);
  throw new Error(LEFT);
}
