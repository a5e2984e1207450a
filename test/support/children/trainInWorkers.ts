// Two workers train at once: prints the digests of seeds 1 and 2 from the workers, then the same from this thread.
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { smallTraining } from "../smallTraining.js";
import { tsWorker } from "../tsWorker.js";

async function digestOf(seed: number): Promise<string> {
  const training = smallTraining(seed);
  await training.program().run({ steps: 20 });
  return training.digest();
}

if (isMainThread) {
  const fromWorker = (seed: number) =>
    new Promise<string>((done, fail) => {
      tsWorker(import.meta.url, { workerData: seed })
        .once("message", done)
        .once("error", fail);
    });
  const workers = await Promise.all([1, 2].map(fromWorker));
  const here = [await digestOf(1), await digestOf(2)];
  process.stdout.write(JSON.stringify({ workers, here }));
} else {
  parentPort?.postMessage(await digestOf(workerData));
}
