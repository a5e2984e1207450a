// hostile cases [NAME]: the attacks of ../hostile/cases.ts. Prints their names in JSON, then a line for each, "NAME: ok" or "NAME: " and why not.
// hostile calls SEED COUNT: COUNT hostile calls of everything that the native engine exports. Each returns, or throws a typed error, the very
//   error that hostile code threw, or, where the receiver or the way of calling is wrong, a TypeError. All else is a fault: exit code 3.
// hostile classes SEED COUNT: the same with hostile classes of errors, where a call may throw whatever they make of it.
// Prints { calls, ran } of each function. The same seed gives the same calls but for what threads and the garbage collector decide.
// LCONV_FUZZ_TRACE=1 shows each call before it is made.
import { readFileSync } from "node:fs";
import { device } from "../../../src/engine/device.js";
import { native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";
import { scope } from "../../../src/tensor/scope.js";
import { quietAct } from "../hostile/acts.js";
import { cases, releasePool } from "../hostile/cases.js";
import { callAsNew, receiverFor } from "../hostile/receivers.js";
import { surface, type Target } from "../hostile/surface.js";
import { hostileClass, makeArguments } from "../hostile/values.js";
import { type Dice, dice, World } from "../hostile/world.js";
import { smallTraining } from "../smallTraining.js";

const errors = readFileSync(new URL("../../../src/errors.ts", import.meta.url), "utf8");
const codes = new Set([...errors.matchAll(/\| "(ERR_LCONV_\w+)"/g)].map((match) => match[1]));
let last: Target | undefined;
const [mode, ...rest] = process.argv.slice(2);

if (mode === "cases") await runCases(rest);
else await runCalls(Number(rest[0]), Number(rest[1]), mode === "classes");

async function runCases([wanted]: readonly string[]): Promise<void> {
  const names = Object.keys(cases).filter((name) => wanted === undefined || name === wanted);
  process.stdout.write(`${JSON.stringify(names)}\n`);
  for (const name of names) {
    process.stderr.write(`${name}\n`); // the last one when the process is killed
    const outcome = await outcomeOf(cases[name]);
    await releasePool();
    process.stdout.write(`${name}: ${outcome.replaceAll("\n", " ")}\n`);
  }
}

async function outcomeOf(body: () => Promise<void> | void): Promise<string> {
  try {
    await body();
    return "ok";
  } catch (error) {
    return String(error);
  }
}

/** A few steps of training: their bits, and that they give back what they took. */
async function trainingBits(): Promise<string> {
  const before = device("cpu").memory();
  const digest = await scope(async () => {
    const training = smallTraining(5);
    const program = training.program();
    await program.run({ steps: 3 });
    program.dispose();
    training.optimizer.dispose();
    return training.digest();
  });
  const { tensors, bytes, arenaBytes } = device("cpu").memory();
  if (tensors !== before.tensors || bytes !== before.bytes || arenaBytes !== before.arenaBytes)
    fault(`training left memory behind: ${JSON.stringify({ before, tensors, bytes, arenaBytes })}`);
  return digest;
}

async function runCalls(seed: number, count: number, hostileClasses: boolean): Promise<void> {
  const before = await trainingBits();
  const random = dice(seed);
  let world = new World(seed);
  const targets = surface(native(), [world.device, world.program]);
  const counts = Object.fromEntries(targets.map(({ name }) => [name, { calls: 0, ran: 0 }]));
  for (let i = 0; i < count; ) {
    if (hostileClasses) useErrorClass(hostileClass(world));
    for (let k = 1 + random.below(8); k > 0 && i < count; k--, i++) {
      const target = random.choose(targets);
      if (process.env["LCONV_FUZZ_TRACE"]) process.stderr.write(`${i} ${target.name}\n`);
      counts[target.name].calls++;
      if (makeCall(world, random, target, hostileClasses)) counts[target.name].ran++;
      if (random.oneIn(3)) quietAct(world);
    }
    if (world.waits && random.oneIn(2)) await new Promise(setImmediate);
    useErrorClass(LconvError);
    world = await nextWorld(world, random);
  }
  await ended(() => world.end());
  const after = await trainingBits();
  if (after !== before) fault("training gives other bits than before");
  process.stdout.write(JSON.stringify(counts));
}

/** The same world, or a new one where it is gone or has seen enough. */
async function nextWorld(world: World, random: Dice): Promise<World> {
  const alive = await ended(() => world.settle());
  if (alive && !random.oneIn(20)) {
    if (random.oneIn(2)) world.addProgram();
    return world;
  }
  await ended(() => world.end());
  return new World(random.below(2 ** 31));
}

async function ended<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    return fault(`${error}`);
  }
}

function useErrorClass(type: unknown): void {
  try {
    native().setErrorClass(type as typeof LconvError);
  } catch {} // the engine does not take every class
}

/** False when it threw. */
function makeCall(w: World, random: Dice, target: Target, anyError: boolean): boolean {
  last = target;
  const { receiver, wrong } = receiverFor(w, target);
  const args = makeArguments(w, target);
  const asNew = target.kind === "new" || random.oneIn(20);
  const judge = (error: unknown) => {
    if (!anyError && !isAllowed(w, error, wrong || asNew)) fault(`${target.name} threw ${describe(error)}`);
  };
  w.current = { target, receiver, args };
  try {
    w.note(asNew ? callAsNew(w, target, args) : Reflect.apply(target.call, receiver, args), judge);
    return true;
  } catch (error) {
    judge(error);
    return false;
  } finally {
    if (target.name === "native.setErrorClass") useErrorClass(LconvError);
  }
}

/** TypeErrors are for a wrong `this`, for constructors called as functions and the reverse, and for classes that JavaScript may not construct. */
function isAllowed(w: World, error: unknown, wrongCall: boolean): boolean {
  if (error instanceof LconvError) return codes.has(error.code) || w.thrown.has(error);
  return w.thrown.has(error) || (wrongCall && error instanceof TypeError);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.stack}` : `a ${typeof error}, which is no error: ${String(error)}`;
}

function fault(text: string): never {
  process.stderr.write(`${text}\nlast call: ${last?.name}\n`);
  process.exit(3);
}
