// terminate PURSUIT COUNT [SEED]: ends COUNT workers at random moments of what they do, up to three alive at once, most by terminate(), some by
// process.exit() or an uncaught error, and looks what is left of them. Prints counts, what there was before and after, and what went wrong as JSON; the
// exit code is 1 where anything did.
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Philox, streams } from "../../../src/engine/random.js";
import { type Doomed, doomedWorker, LEFT, type Pursuit } from "../doomed.js";
import { smallTraining } from "../smallTraining.js";

const [pursuit, count, seed] = [process.argv[2] as Pursuit, Number(process.argv[3]), Number(process.argv[4] ?? 1)];
const AT_ONCE = 3;
/** What the process may grow by; twelve workers that left their tensors behind would take four times as much. */
const MOST_BYTES = 100 * 2 ** 20;
const random = new Philox(seed, streams.user);
const draw = (): number => random.uniform(1)[0];
const ended = { terminate: 0, exit: 0, throw: 0 };
const wrong: string[] = [];

/** How long a worker takes to be ready and from there to be up, in milliseconds; measured, as it depends on the machine. */
interface Span {
  ready: number;
  up: number;
}

/** Ends one worker and returns when it has ended. */
async function endOne(span: Span): Promise<void> {
  const how = draw() < 0.8 ? "terminate" : draw() < 0.5 ? "exit" : "throw";
  const fromStart = how === "terminate" && pursuit === "startup" && draw() < 0.3;
  const after = draw() < 0.1 ? 0 : draw() * (fromStart ? 1.1 * span.ready : pursuit === "startup" ? 1.5 * span.up : 2 * span.up + 50);
  const order: Doomed = { pursuit, ...(how !== "terminate" && { leave: { how, after } }) };
  const worker = doomedWorker(order);
  const exited = new Promise<number>((done) => worker.once("exit", done));
  const ready = new Promise<void>((done) => worker.once("message", done));
  let error: Error | undefined;
  worker.once("error", (thrown) => (error = thrown));
  if (how === "terminate") {
    if (!fromStart) await Promise.race([ready, exited]);
    if (after > 0) await sleep(after);
    await worker.terminate();
  }
  const code = await exited;
  ended[how]++;
  const expected = { terminate: [0, 1], exit: [7], throw: [1] }[how]; // 0 where it had not begun yet
  if (!expected.includes(code)) wrong.push(`${how}: exit code ${code}`);
  if (error?.message !== (how === "throw" ? LEFT : undefined)) wrong.push(`${how}: ${error?.stack ?? "no error"}`);
}

async function measure(): Promise<Span> {
  const worker = doomedWorker({ pursuit });
  const start = performance.now();
  const times: number[] = [];
  await new Promise<void>((done) => worker.on("message", () => times.push(performance.now() - start) === 2 && done()));
  await worker.terminate();
  return { ready: times[0], up: times[1] - times[0] };
}

async function digest(): Promise<string> {
  const training = smallTraining(1);
  const program = training.program();
  await program.run({ steps: 5 });
  const found = training.digest();
  for (const thing of [program, training.optimizer, ...training.parameters]) thing.dispose();
  return found;
}

const entries = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);

/** Open descriptors, but those of modules: Node loses the one of a module that it is reading when its worker is terminated. */
function descriptors(): number {
  const targets = entries("/proc/self/fd").map((file) => {
    try {
      return readlinkSync(`/proc/self/fd/${file}`);
    } catch {
      return ".js"; // it was that of the folder
    }
  });
  return targets.filter((path) => !/\.[cm]?[jt]s$/.test(path)).length;
}

/** Threads, open descriptors and resident bytes of this process, where the system tells. */
const standing = () => ({
  threads: entries("/proc/self/task").length,
  descriptors: descriptors(),
  rss: process.memoryUsage.rss(),
});

/** As it was, or as it is after 10 s: threads of a worker end, and its heap goes, a little later than it. */
async function settled(before: ReturnType<typeof standing>) {
  for (let tries = 0; ; tries++) {
    const now = standing();
    if (tries === 100 || (now.threads <= before.threads && now.descriptors <= before.descriptors && now.rss <= before.rss + MOST_BYTES))
      return now;
    await sleep(100);
  }
}

const weights = await digest();
const span = await measure();
await Promise.all(Array.from({ length: AT_ONCE }, measure));
const before = standing();
for (let left = count; left > 0; ) {
  const together = Math.min(left, 1 + Math.floor(AT_ONCE * draw()));
  const meanwhile = draw() < 0.2 ? digest() : weights;
  await Promise.all(Array.from({ length: together }, () => endOne(span)));
  if ((await meanwhile) !== weights) wrong.push("a training run of the main thread meanwhile got other weights");
  left -= together;
}
const after = await settled(before);
if ((await digest()) !== weights) wrong.push("a training run of the main thread afterwards got other weights");
if (after.threads > before.threads) wrong.push("threads are left");
if (after.descriptors > before.descriptors) wrong.push("descriptors are left");
if (after.rss > before.rss + MOST_BYTES) wrong.push("memory is left");
console.log(JSON.stringify({ pursuit, seed, ended, span, before, after, wrong }));
process.exit(wrong.length > 0 ? 1 : 0);
