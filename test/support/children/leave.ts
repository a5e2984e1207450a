// leave HOW: ends this process, or a worker in it, in the middle of a run that would take hours.
import { isMainThread, parentPort } from "node:worker_threads";
import { device } from "../../../src/engine/device.js";
import { makeModel } from "../../../src/models/models.js";
import { Predictor } from "../../../src/predict/index.js";
import { smallTraining } from "../smallTraining.js";
import { tsWorker } from "../tsWorker.js";

const how = process.argv[2];

function startLongRun(then: () => void): void {
  const training = smallTraining(1);
  training
    .program()
    .run({ steps: 1e9, chunkMs: 1e6 })
    .catch((error) => console.error(String(error)));
  setTimeout(then, 300);
}

if (!isMainThread) {
  startLongRun(() => (how === "worker-exit" ? process.exit(0) : parentPort?.postMessage("running")));
} else if (how === "exit") {
  startLongRun(() => process.exit(7));
} else if (how.startsWith("predict")) {
  // The first product of the process is made in the program, so oneDNN prepares its end after everything else did.
  const input = { channels: 1, height: 28, width: 28, classes: 10 };
  const model = new Predictor(makeModel("lconv", input, device("cpu", { threads: 2 })), { input });
  model.predict(new Uint8Array(784 * 200_000)).catch((error) => console.error(String(error)));
  setTimeout(() => process.exit(7), Number(how.split(" ")[1]));
} else if (how === "throw") {
  startLongRun(() => {
    throw new Error("on purpose");
  });
} else if (how === "finish") {
  // Nobody waits for this run, yet it keeps the process alive until it is done.
  const training = smallTraining(1);
  void training.program().run({ steps: 5 });
  process.on("exit", () => console.log(`steps ${training.optimizer.steps.item()}`));
} else if (how === "running-main") {
  // A worker ends while the main thread runs a program, too.
  const training = smallTraining(2);
  const worker = tsWorker(import.meta.url, { argv: ["worker-exit"] });
  const run = training.program().run({ steps: 20 });
  await new Promise((done) => worker.once("exit", done));
  console.log(`steps ${await run}`);
} else {
  for (let i = 0; i < 3; i++) {
    const worker = tsWorker(import.meta.url, { argv: [how] });
    await new Promise((done) => worker.once(how === "worker-exit" ? "exit" : "message", done));
    await worker.terminate();
  }
  console.log("steps 0");
}
