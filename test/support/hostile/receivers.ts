// Objects that a function of the engine is called on, and ways to call it as a constructor.
import type { NativeDevice, NativeProgram } from "../../../src/engine/addon.js";
import { native } from "../../../src/engine/native.js";
import { act, acting } from "./acts.js";
import type { Callable, Target } from "./surface.js";
import { secondNative, type World } from "./world.js";

/** The object that `target` is meant for; in one of four cases another one, and `wrong` says so. */
export function receiverFor(w: World, target: Target): { receiver: unknown; wrong: boolean } {
  const right = w.instances.find((instance) => instance.constructor.name === target.of);
  if (target.of === "native") return { receiver: native(), wrong: false }; // these do not look at it
  if (right && !w.dice.oneIn(4)) return { receiver: right, wrong: false };
  return { receiver: w.dice.choose(wrongReceivers)(w, right ?? w.device), wrong: true };
}

/** Of another instance of the engine, and disposed of: made once, for all worlds. */
let others: { device: NativeDevice; program: NativeProgram; disposed: [NativeDevice, NativeProgram] } | undefined;
function other(): NonNullable<typeof others> {
  const made = (from: typeof native): [NativeDevice, NativeProgram] => {
    const device = from().openDevice("cpu", 1, 0);
    const buffer = device.alloc(4, 0);
    device.beginRecord();
    device.execute(from().ops["fill"], [buffer, 0], [1, 2]);
    return [device, device.endRecord([])];
  };
  if (!others) {
    const [device, program] = made(secondNative);
    const disposed = made(native);
    for (const thing of disposed) thing.dispose();
    others = { device, program, disposed };
  }
  return others;
}

const wrongReceivers: ((w: World, right: object) => unknown)[] = [
  (w) => w.dice.choose(w.instances),
  () => other().device,
  () => other().program,
  () => other().disposed[0],
  () => other().disposed[1],
  (w) => w.dice.choose(w.mixed.length > 0 ? w.mixed : [{}]),
  (_, right) => Object.create(right),
  (_, right) => new Proxy(right, {}),
  (w, right) => new Proxy(right, { get: () => act(w) }),
  (_, right) => Object.getPrototypeOf(right),
  () => native(),
  () => ({}),
  () => [],
  () => undefined,
  () => null,
  () => 1,
  () => "cpu",
  () => globalThis,
];

/** Calls it with `new`, as another class, as the base of one, or, where it wants `new`, without. */
export function callAsNew(w: World, { call, kind }: Target, args: unknown[]): unknown {
  const how = w.dice.choose<() => unknown>([
    () => Reflect.construct(call, args),
    () => Reflect.construct(call, args),
    () => new (derived(call))(...args),
    () => Reflect.construct(call, args, newTarget(w)),
    () => (kind === "new" ? Reflect.apply(call, w.dice.choose([undefined, {}, w.device, w.program]), args) : Reflect.construct(call, args)),
  ]);
  const made = how();
  if (kind === "new" && made instanceof call) return made;
  if (typeof made === "object" && made !== null && !(made instanceof Promise)) w.addMixed(made);
  return made instanceof Promise ? made : undefined;
}

const derived = (base: Callable) => class extends (base as new (...args: unknown[]) => object) {};

function newTarget(w: World): Callable {
  return w.dice.choose<() => Callable>([
    () => w.dice.choose(w.instances).constructor,
    () => function plain() {},
    () => Array,
    () => Promise,
    () => derived(Object),
    () => Object.assign(function bare() {}, { prototype: null }),
    () => new Proxy(function hostile() {}, { get: (target, key) => acting(w, Reflect.get(target, key)) }),
  ])();
}
