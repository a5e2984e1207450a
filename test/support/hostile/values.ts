// Arguments: those that the engine takes, and hostile ones made of them.
import { native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";
import { act, acting } from "./acts.js";
import type { Target } from "./surface.js";
import { isArray, isTyped, lengthOf, memoryOf, type TypedArray, type TypedArrayOf, typeOf, type World, wasmMemory } from "./world.js";

/** Arguments that are accepted; a function without a row gets none. The test says so when a function never accepts what it gets. */
const accepted: Record<string, (w: World) => unknown[]> = {
  "native.setErrorClass": () => [LconvError],
  "native.offerCuda": () => ["/nowhere/lconv_cuda.so"],
  "native.openDevice": () => ["cpu", 1, 0],
  "native.philox": (w) => [w.dice.below(100), 1, 2, w.array(Uint32Array, w.dice.below(20))],
  "native.rotate": (w) => {
    const [count, height, width, perAngle] = [w.dice.below(4), 1 + w.dice.below(9), 1 + w.dice.below(9), 1 + w.dice.below(2)];
    const degrees = w.array(Float64Array, Math.ceil(count / perAngle));
    return [w.array(Float32Array, count * height * width), count, height, width, degrees, perAngle, w.dice.choose([1, 3]), 2];
  },
  "native.reduce": (w) => [w.dice.below(3), w.array(Float64Array, w.dice.below(9))],
  "native.broadcast": (w) => [new Uint8Array(w.dice.below(9)), 0],
  "native.groupTraffic": () => [],
  "native.closeGroup": () => [0.01],
  "native.closeGroupNow": () => [0.01],
  "new NativeDevice": () => ["cpu", 1, 0],
  "NativeDevice.alloc": (w) => [4 * w.dice.below(50), w.dice.below(2)],
  "NativeDevice.free": (w) => [w.buffer().id],
  "NativeDevice.write": (w) => bufferAndArray(w),
  "NativeDevice.read": (w) => [...bufferAndArray(w), 0],
  "NativeDevice.readAsync": (w) => [...bufferAndArray(w), 0],
  "NativeDevice.execute": (w) => {
    const { op, operands, attributes } = w.command();
    return [op, operands, attributes];
  },
  "NativeDevice.endRecord": (w) => {
    w.startRecording();
    return [Array.from({ length: w.dice.below(3) }, () => w.buffer().id)];
  },
  "NativeProgram.run": (w) => [w.dice.below(4)],
};

const bufferAndArray = (w: World): unknown[] => {
  const { id, like } = w.buffer();
  return [id, like];
};

/** Arguments for `target`: good ones now and then, else with something hostile in one place or several. */
export function makeArguments(w: World, target: Target): unknown[] {
  const args = accepted[target.name]?.(w) ?? [];
  const good = [...args];
  w.arrays.push(...args.filter(isTyped));
  if (w.dice.oneIn(3)) return args;
  for (let i = 1 + w.dice.below(3); i > 0; i--) {
    const at = w.dice.below(Math.max(1, args.length));
    w.dice.choose([
      () => (args[at] = hostile(w, good[at])),
      () => (args[at] = hostile(w, good[at])),
      () => (args[at] = hostile(w, good[at])),
      () => (args[at] = anything(w)),
      () => args.push(anything(w)),
      () => args.splice(at, 1),
      () => args.reverse(),
      () => shareMemory(args),
    ])();
  }
  w.arrays.push(...args.filter(isTyped));
  return args;
}

/** All typed arrays of a call lie in the same memory. */
function shareMemory(args: unknown[]): void {
  const memory = new ArrayBuffer(8 * Math.max(0, ...args.filter(isTyped).map(lengthOf)));
  args.forEach((arg, i) => {
    if (isTyped(arg)) args[i] = new (typeOf(arg))(memory, 0, lengthOf(arg));
  });
}

/** Something like `good`, but hostile. */
function hostile(w: World, good: unknown): unknown {
  if (typeof good === "number") return w.dice.choose([oddNumber, oddNumber, oddNumber, coercible])(w, good);
  if (isArray(good)) return oddArray(w, good);
  if (isTyped(good)) return oddTyped(w, good);
  return anything(w);
}

const oddNumbers = [
  ...[0, -0, 1, 2, 3, -1, 0.5, 64, 1e3, 1025, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 2 ** 53 + 2, -(2 ** 31), -(2 ** 53)],
  ...[1e300, 1e-300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];
const oddNumber = (w: World, good: number): unknown =>
  w.dice.choose([() => w.dice.choose(oddNumbers), () => good + w.dice.choose([-1, 1, 2]), () => -good, () => BigInt(Math.trunc(good))])();

/** What JavaScript would turn into `good`. */
const coercible = (w: World, good: unknown): unknown =>
  w.dice.choose([
    () => new Number(good),
    () => String(good),
    () => ({ valueOf: () => acting(w, good) }),
    () => ({ [Symbol.toPrimitive]: () => acting(w, good) }),
    () => new Proxy({}, { get: () => acting(w, good) }),
  ])();

/** Any value that has nothing to do with what was wanted. */
function anything(w: World): unknown {
  return w.dice.choose<(w: World) => unknown>([
    () => undefined,
    () => null,
    () => true,
    () => w.dice.choose(["", "cpu", "cpu:1", "cuda:99999", "cuda:plan", "x".repeat(1e5), "\0", "\ud800"]),
    () => w.dice.choose(oddNumbers),
    () => Symbol("any"),
    () => 10n,
    () => () => act(w),
    () => class extends LconvError {},
    () => [],
    () => ({ length: 3, 0: 1, 1: 1, 2: 1 }),
    () => [w.dice.choose(oddNumbers), w.dice.choose(oddNumbers)],
    () => w.array(w.dice.choose<TypedArrayOf>([Float32Array, Int32Array, Uint32Array, Float64Array]), w.dice.below(20)),
    () => oddTyped(w, w.array(Float32Array, 8)),
    () => coercible(w, 1),
    () => w.device,
    () => w.program,
    () => new Proxy(w.device, {}),
    () => revoked({}),
    () => Promise.resolve(1),
    () => new Map(),
    () => new Date(0),
    () => /x/,
    () => globalThis,
    () => new Error("an error"),
    () => new WeakRef(w.device),
    // An External of Node's own: a pointer to something else.
    () => (process.stdout as unknown as { _handle?: { _externalStream?: unknown } })._handle?._externalStream,
  ])(w);
}

function revoked<T extends object>(value: T): T {
  const { proxy, revoke } = Proxy.revocable(value, {});
  revoke();
  return proxy;
}

/** `good`, a list of numbers, with getters, holes, another length, another prototype, or only something that looks like it. */
function oddArray(w: World, good: readonly unknown[]): unknown {
  const made = [...good];
  const at = w.dice.below(made.length + 1);
  const getter = (get: () => unknown) => Object.defineProperty(made, at, { get, enumerable: true, configurable: true });
  return w.dice.choose<() => unknown>([
    () => getter(() => acting(w, good[at])),
    () => getter(() => acting(w, good[at])),
    () => getter(() => acting(w, good[at])),
    () => getter(() => acting(w, w.dice.choose(oddNumbers))),
    () => getter(() => made.push(1) && good[at]),
    () => Object.assign(made, { [at]: w.dice.choose(oddNumbers) }),
    () => Object.assign(made, { [at]: coercible(w, good[at]) }),
    () => Object.assign(made, { [at]: anything(w) }),
    () => made.slice(1),
    () => [...made, ...made],
    () => new Array(made.length), // holes
    () => Object.assign(made, { length: 2 ** 32 - 1 }),
    () => new Array(2 ** 32 - 1),
    () => Object.setPrototypeOf(new Array(made.length), new Proxy([], { get: () => acting(w, 1) })),
    () => Object.setPrototypeOf(made, null),
    () => Object.freeze(made),
    () => class extends Array {}.from(made),
    () => new Proxy(made, { get: (array, key) => acting(w, Reflect.get(array, key)) }),
    () => revoked(made),
    () => ({ ...made, length: made.length }),
    () => Float64Array.from(made as number[]),
    () => new Set(made),
    () => made.map(String),
    () => made.map((value) => (typeof value === "number" ? -value : value)),
  ])();
}

interface Resizable extends ArrayBuffer {
  resize(bytes: number): void;
}
// Newer than the types that this project is checked with.
const ResizableBuffer = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => Resizable;
const GrowableBuffer = SharedArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => SharedArrayBuffer;

/** An array like `good` whose memory is gone, shared, resizable, too short, elsewhere, or that is no such array. */
function oddTyped(w: World, good: TypedArray): unknown {
  const type = typeOf(good);
  const [n, size] = [lengthOf(good), new type(0).BYTES_PER_ELEMENT];
  const bytes = n * size;
  const fresh = () => w.array(type, n); // `good` may be chosen twice
  const resizable = (start: number) => new ResizableBuffer(start, { maxByteLength: 2 * bytes + 8 });
  const transferred = (array: TypedArray) => {
    structuredClone(null, { transfer: [memoryOf(array) as ArrayBuffer] });
    return array;
  };
  const resized = (array: TypedArray, to: number) => {
    (array.buffer as Resizable).resize(to);
    return array;
  };
  return w.dice.choose<() => unknown>([
    () => transferred(fresh()),
    () => w.array(type, 0),
    () => w.array(type, n + 1),
    () => w.array(type, Math.max(0, n - 1)),
    () => new Float64Array(n),
    () => new BigInt64Array(n),
    () => new Uint8Array(bytes),
    () => new Uint8ClampedArray(n),
    () => (type === (Float32Array as unknown) ? new Int32Array(n) : new Float32Array(n)),
    () => new DataView(new ArrayBuffer(bytes)),
    () => new ArrayBuffer(bytes),
    () => new type(new SharedArrayBuffer(bytes)),
    () => new type(new GrowableBuffer(bytes, { maxByteLength: 2 * bytes + 8 })),
    () => new type(resizable(bytes)), // follows the length of its memory
    () => new type(resizable(bytes), 0, n),
    () => resized(new type(resizable(bytes)), 0),
    () => resized(new type(resizable(bytes), 0, n), 0), // out of bounds
    () => resized(new type(resizable(0)), bytes),
    () => new type(wasmMemory().buffer, 8, Math.min(n, 1000)),
    () => new type(new ArrayBuffer(bytes + 3 * size), 3 * size),
    () => new (class extends (type as unknown as typeof Float32Array) {})(n),
    () => new Proxy(good, { get: (array, key) => acting(w, Reflect.get(array, key)) }),
    () => revoked(good),
    () => Object.create(good),
    () => Object.setPrototypeOf(fresh(), Array.prototype),
    () => Object.setPrototypeOf(fresh(), null),
    () => Object.defineProperty(fresh(), "length", { get: () => acting(w, 1e6) }),
    () => Object.defineProperty(fresh(), "buffer", { get: () => acting(w, null) }),
    () => Object.preventExtensions(fresh()),
    () => Array.from(good),
  ])();
}

/** What a program may hand over as its class of errors; some behave well until they are taken. */
export function hostileClass(w: World): unknown {
  const later = (construct: () => unknown) => {
    let taken = false;
    return function later(this: { code: unknown }, code: unknown) {
      this.code = code;
      if (taken) return construct();
      taken = true;
      return this;
    };
  };
  return w.dice.choose<() => unknown>([
    () => LconvError,
    () => (w.dice.oneIn(2) ? w.device : w.program).constructor,
    () => native().openDevice,
    () => native().setErrorClass,
    () => () => {},
    () => function nothing() {},
    () => class extends LconvError {},
    () =>
      class {
        constructor() {
          act(w);
        }
      },
    () =>
      class {
        constructor() {
          native().openDevice("nowhere", 1, 0); // an error while an error is made, without end
        }
      },
    () =>
      class {
        constructor() {
          throw null;
        }
      },
    () =>
      function frozen() {
        return Object.freeze(Object.create(null));
      },
    () => later(() => acting(w, {})),
    () => later(() => native().openDevice("nowhere", 1, 0)),
    () => later(() => w.device.execute(-1, [], [])),
    () => later(() => native().setErrorClass({} as never)),
    () => new Proxy(LconvError, { construct: () => acting(w, {}) }),
    () => new Proxy(LconvError, { get: (target, key) => acting(w, Reflect.get(target, key)) }),
    () => revoked(LconvError),
    () => Promise,
    () => Proxy,
    () => Date,
    () => LconvError.bind(null),
  ])();
}
