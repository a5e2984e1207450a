// What hostile code does while the engine reads its arguments, and between calls.
import { Fault, gc, isArray, memoryOf, type World } from "./world.js";

/** One act, drawn by chance; quiet, except that one in five throws something of its own through the engine. */
export function act(w: World): void {
  if (w.dice.oneIn(5)) throwSomething(w);
  quietAct(w);
}

/** `value`, after an act. */
export function acting<T>(w: World, value: T): T {
  act(w);
  return value;
}

/** As act, but nothing is thrown. */
export function quietAct(w: World): void {
  const name = w.dice.choose(often);
  w.depth++;
  try {
    acts[name](w);
  } catch (error) {
    if (error instanceof Fault) throw error;
  } finally {
    w.depth--;
  }
}

const acts: Record<string, (w: World) => void> = {
  disposeDevice: (w) => w.device.dispose(),
  disposeProgram: (w) => w.program.dispose(),
  run: (w) => w.note(w.program.run(1 + w.dice.below(3)), ignore),
  stop: (w) => w.program.stop(),
  free: (w) => w.device.free(w.buffer().id),
  write: (w) => {
    const { id, like } = w.buffer();
    w.device.write(id, like);
  },
  readAsync: (w) => {
    const { id, like } = w.buffer();
    w.note(w.device.readAsync(id, like, 0), ignore);
  },
  execute: (w) => {
    const { op, operands, attributes } = w.command();
    w.device.execute(op, operands, attributes);
  },
  alloc: (w) => void w.device.alloc(4 * w.dice.below(100), 0),
  beginRecord: (w) => w.device.beginRecord(),
  abortRecord: (w) => w.device.abortRecord(),
  endRecord: (w) => w.note(w.device.endRecord([w.buffer().id]), ignore),
  /** The call under way once more, with the same hostile arguments; setErrorClass would decide how later errors look. */
  again: (w) => {
    if (!w.current || w.depth >= 4 || w.current.target.name === "native.setErrorClass") return;
    w.note(Reflect.apply(w.current.target.call, w.current.receiver, w.current.args), ignore);
  },
  /** The arrays that the engine is reading become shorter, or longer. */
  cut: (w) => {
    for (const arg of w.current?.args ?? []) if (isArray(arg)) arg.length = w.dice.below(arg.length + 2);
  },
  transfer: (w) => {
    const memory = lately(w);
    if (memory instanceof ArrayBuffer) structuredClone(memory, { transfer: [memory] });
  },
  resize: (w) => {
    const memory = lately(w) as (ArrayBufferLike & Resizable) | undefined;
    memory?.resize?.(w.dice.choose([0, 4, memory.maxByteLength ?? 0]));
    memory?.grow?.(memory.maxByteLength ?? 0);
  },
  collect: () => gc(),
};

interface Resizable {
  maxByteLength?: number;
  resize?(bytes: number): void;
  grow?(bytes: number): void;
}
function lately(w: World): ArrayBufferLike | undefined {
  const array = w.arrays[w.arrays.length - 1 - w.dice.below(3)];
  return array && memoryOf(array);
}
const ignore = () => {};

/** All acts but the slow and the final ones several times, so that a device lives through some calls. */
const rare = ["disposeDevice", "collect"];
const often = [...rare, ...Array.from({ length: 6 }, () => Object.keys(acts).filter((name) => !rare.includes(name))).flat()];

function throwSomething(w: World): never {
  const error = w.dice.choose([
    () => new Error("thrown on purpose"),
    () => Object.freeze(new RangeError("frozen")),
    () => Object.create(null),
    () => null,
    () => undefined,
    () => "a text",
    () => 7,
    () => Symbol("thrown"),
    () => new Proxy({}, {}),
    () => Object.freeze({ code: "ERR_LCONV_NATIVE" }),
  ])();
  w.thrown.add(error);
  throw error;
}
