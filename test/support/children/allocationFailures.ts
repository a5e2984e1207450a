// allocationFailures FIRST LAST STRIDE HOW: a small training run again and again, in which allocation k of the native engine fails, for
// k = FIRST, FIRST + STRIDE, … up to LAST or to the last allocation there is; HOW is "one", or "all" for all from k on. It must end with
// ERR_LCONV_OOM or as if nothing had happened, leave nothing behind, and the next run must be right. Prints what happened as JSON.
// With `once K` the allocation that fails is the K-th of the process, LCONV_FAIL_AT=K, so that what is made once only can fail too.
// Needs LCONV_NATIVE to name the binary of native/test/allocation_faults.cpp.
import { createHash } from "node:crypto";
import { Device } from "../../../src/engine/device.js";
import { type Native, native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";
import { makeModel } from "../../../src/models/models.js";
import { evaluate } from "../../../src/train/evaluate.js";
import { fit } from "../../../src/train/fit.js";
import { disposeData, upload } from "../../../src/train/samples.js";
import { tinyData } from "../../train/tiny.js";

interface WithFaults extends Native {
  failAt(k: number, all: boolean): number;
  liveAllocations(): number;
}

const never = 2 ** 52;
let engine: WithFaults;
let allocations = 0; // of the run that ended last

/** Two epochs of an L-conv network on a device of its own, with an asynchronous read at the end; the SHA-256 of the weights. */
async function trainingRun(): Promise<string> {
  const [train, validation] = [tinyData(40), tinyData(20, 1)];
  const device = new Device("cpu", 2);
  try {
    const model = makeModel("lconv", train, device, { filters: 4, generators: 2, rank: 3, seed: 1 });
    await fit(model, { train, validation }, { epochs: 2, batch: 16, optimizer: "adam", device });
    const held = upload(validation, device);
    await evaluate(model, held);
    disposeData(held);
    const sum = createHash("sha256");
    for (const [, parameter] of model.namedParameters()) {
      const values = new Float32Array(parameter.size);
      await device.readAsync(parameter.buffer, values);
      sum.update(values);
    }
    model.dispose();
    return sum.digest("hex");
  } finally {
    allocations = engine?.failAt(0, false) ?? 0; // what follows is no part of the run
    device.dispose();
  }
}

const MOST_COLLECTIONS = 200; // a busy machine runs finalisers late

/** Collects what failed runs dropped, whose finalisers run later, until no more than `wanted` allocations are left or nothing more can be hoped for. */
async function settle(wanted = 0): Promise<void> {
  for (let i = 0; i < MOST_COLLECTIONS && engine.liveAllocations() > wanted; i++) {
    global.gc?.();
    await new Promise((done) => setTimeout(done, i));
  }
}

/** Faults are told and counted, not thrown: the next k is tried all the same. */
function fault(text: string): void {
  process.stderr.write(`${text}\n`);
  process.exitCode = 3;
}

function checkTyped(what: string, error: unknown): void {
  const whileLoading = error instanceof LconvError && error.code === "ERR_LCONV_NATIVE" && error.message.includes("out of memory");
  const noThread = error instanceof LconvError && error.code === "ERR_LCONV_NATIVE" && error.message.includes("no thread");
  const noMemory = error instanceof LconvError && error.code === "ERR_LCONV_OOM";
  if (!whileLoading && !noThread && !noMemory)
    fault(`${what}: expected ERR_LCONV_OOM, or that there is no thread, got ${error instanceof Error ? error.stack : String(error)}`);
}

/** Whether the run ended with ERR_LCONV_OOM; any other end but the right weights is a fault. */
async function failsWhole(what: string, right: string): Promise<boolean> {
  try {
    if ((await trainingRun()) !== right) fault(`${what}: the run ended with other weights`);
    return false;
  } catch (error) {
    engine.failAt(0, false); // the device itself may be what could not be made
    checkTyped(what, error);
    return true;
  }
}

async function inOneProcess(first: number, last: number, stride: number, all: boolean): Promise<object> {
  engine = native() as WithFaults;
  const right = await trainingRun();
  engine.failAt(never, false);
  await trainingRun();
  await settle();
  const live = engine.liveAllocations();
  const done = { allocations, tried: 0, failed: 0, survived: 0 };
  for (let k = first; k <= last; k += stride) {
    engine.failAt(k, all);
    const failed = await failsWhole(`allocation ${k}${all ? " and all after it" : ""}`, right);
    done.tried++;
    done[failed ? "failed" : "survived"]++;
    if (await failsWhole("the next run", right)) fault(`the run after that of allocation ${k} failed, too`);
    await settle(live);
    const held = engine.liveAllocations() - live;
    if (held > 0) fault(`allocation ${k}: ${held} allocations are left`);
    if (!failed && k > allocations) break; // the run has no more of them
  }
  return done;
}

/** The first run of a process, then a second one. */
async function once(): Promise<object> {
  let failed = false;
  try {
    engine = native() as WithFaults;
    await trainingRun();
  } catch (error) {
    failed = true;
    checkTyped(`allocation ${process.env["LCONV_FAIL_AT"]} of the process`, error);
  }
  engine = native() as WithFaults;
  engine.failAt(0, false);
  return { failed, digest: await trainingRun() };
}

const [first, last, stride, how] = process.argv.slice(2);
const result = first === "once" ? await once() : await inOneProcess(Number(first), Number(last), Number(stride), how === "all");
process.stdout.write(`${JSON.stringify(result)}\n`);
