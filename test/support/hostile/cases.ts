// Attacks by name: each one killed the process, was taken in silence, or broke a promise of the interface once.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { NativeDevice, NativeProgram } from "../../../src/engine/addon.js";
import { native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";
import { rejectsCode, throwsCode } from "../throws.js";
import { gc, secondNative, wasmMemory } from "./world.js";

const openCpu = (): NativeDevice => native().openDevice("cpu", 1, 0);

/** A device with a buffer of `n` ones. */
function withBuffer(n: number): { device: NativeDevice; buffer: number } {
  const device = openCpu();
  const buffer = device.alloc(4 * n, 0);
  device.write(buffer, new Float32Array(n).fill(1));
  return { device, buffer };
}

function fillProgram(device: NativeDevice, buffer: number): NativeProgram {
  device.beginRecord();
  device.execute(native().ops["fill"], [buffer, 0], [1, 2]);
  return device.endRecord([]);
}

/** Keeps the only thread of the pool (UV_THREADPOOL_SIZE=1) waiting until the function that it returns is called: what is queued meanwhile is under way. */
function holdPool(): () => Promise<void> {
  assert.is(process.env["UV_THREADPOOL_SIZE"], "1");
  const folder = mkdtempSync(join(tmpdir(), "lconv-hostile-"));
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = open(pipe, "r"); // returns when the other end is opened
  const release = async () => {
    if (held !== release) return;
    held = undefined;
    closeSync(openSync(pipe, "w"));
    await (await reader).close();
    rmSync(folder, { recursive: true });
  };
  held = release;
  return release;
}

let held: (() => Promise<void>) | undefined;
/** After a case that failed meanwhile. */
export const releasePool = async (): Promise<void> => held?.();

/** What a promise comes to: undefined when it resolves, else the code of its LconvError. */
async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    assert.ok(error instanceof LconvError, `${error}`);
    return error.code;
  }
}

/** Reading `list[at]` runs `first`. */
function getter(list: number[], at: number, first: () => void): void {
  const value = list[at];
  const get = () => {
    first();
    return value;
  };
  Object.defineProperty(list, at, { get });
}

function refuses(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof TypeError || (error instanceof LconvError && error.code === "ERR_LCONV_NATIVE"), `${error}`);
    return;
  }
  assert.unreachable("nothing was thrown");
}

const LARGE = 1 << 24; // elements: memory of its own, which goes back to the system at once

class Resizable extends (ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(bytes: number): void }) {
  constructor(bytes: number) {
    super(bytes, { maxByteLength: bytes });
  }
}

export const cases: Record<string, () => Promise<void> | void> = {
  async "readAsync: the array is transferred while it waits"() {
    const { device, buffer } = withBuffer(LARGE);
    const release = holdPool();
    let into: Float32Array | undefined = new Float32Array(LARGE);
    const read = codeOf(device.readAsync(buffer, into, 0));
    structuredClone(null, { transfer: [into.buffer as ArrayBuffer] });
    into = undefined;
    gc();
    gc();
    await release();
    assert.is(await read, "ERR_LCONV_ARGUMENT");
    device.dispose();
  },

  async "readAsync: an array that was transferred before"() {
    const { device, buffer } = withBuffer(8);
    const into = new Float32Array(8);
    structuredClone(null, { transfer: [into.buffer] });
    await rejectsCode(
      Promise.resolve().then(() => device.readAsync(buffer, into, 0)),
      "ERR_LCONV_ARGUMENT",
    );
    device.dispose();
  },

  async "readAsync: the memory of the array shrinks while it waits"() {
    const { device, buffer } = withBuffer(LARGE);
    const release = holdPool();
    const memory = new Resizable(4 * LARGE);
    const read = codeOf(Promise.resolve().then(() => device.readAsync(buffer, new Float32Array(memory), 0)));
    await Promise.resolve();
    memory.resize(0);
    await release();
    assert.is(await read, "ERR_LCONV_ARGUMENT");
    device.dispose();
  },

  async "readAsync: shared memory is refused"() {
    const { device, buffer } = withBuffer(8);
    const read = Promise.resolve().then(() => device.readAsync(buffer, new Float32Array(new SharedArrayBuffer(32)), 0));
    await rejectsCode(read, "ERR_LCONV_ARGUMENT");
    device.dispose();
  },

  async "readAsync: WebAssembly memory that grows, and so moves, while it waits"() {
    const { device, buffer } = withBuffer(16384);
    const release = holdPool();
    const memory = wasmMemory();
    const read = codeOf(Promise.resolve().then(() => device.readAsync(buffer, new Float32Array(memory.buffer), 0)));
    await Promise.resolve();
    memory.grow(1000);
    await release();
    assert.ok([undefined, "ERR_LCONV_ARGUMENT"].includes(await read));
    device.dispose();
  },

  async "readAsync: the buffer is not written meanwhile, by nobody"() {
    const { device, buffer } = withBuffer(LARGE);
    const program = fillProgram(device, buffer);
    const release = holdPool();
    const into = new Float32Array(LARGE);
    const read = device.readAsync(buffer, into, 0);
    throwsCode(() => device.write(buffer, new Float32Array(LARGE)), "ERR_LCONV_BUSY");
    throwsCode(() => device.execute(native().ops["fill"], [buffer, 0], [1, 2]), "ERR_LCONV_BUSY");
    await rejectsCode(
      Promise.resolve().then(() => program.run(1)),
      "ERR_LCONV_BUSY",
    );
    const [again, now] = [new Float32Array(LARGE), new Float32Array(1)];
    const second = device.readAsync(buffer, again, 0);
    device.read(buffer, now, 0);
    await release();
    await Promise.all([read, second]);
    assert.ok([into, again, now].every((values) => values.every((value) => value === 1)));
    assert.is(await program.run(1), 1);
    device.write(buffer, again);
    program.dispose();
    device.dispose();
  },

  async "readAsync: buffer, device and result may be given up meanwhile"() {
    const { device, buffer } = withBuffer(LARGE);
    const release = holdPool();
    const into = new Float32Array(LARGE);
    const read = device.readAsync(buffer, into, 0);
    device.free(buffer);
    device.dispose();
    gc();
    await release();
    await read;
    assert.ok(into.every((value) => value === 1));
  },

  "execute: a getter of the attributes disposes of the device"() {
    const { device, buffer } = withBuffer(8);
    const attributes = [8, 3];
    getter(attributes, 1, () => device.dispose());
    throwsCode(() => device.execute(native().ops["fill"], [buffer, 0], attributes), "ERR_LCONV_DISPOSED", "device");
  },

  "execute: a getter of the operands disposes of the device"() {
    const { device, buffer } = withBuffer(8);
    const operands = [buffer, 0];
    getter(operands, 1, () => device.dispose());
    throwsCode(() => device.execute(native().ops["fill"], operands, [8, 3]), "ERR_LCONV_DISPOSED", "device");
  },

  "endRecord: a getter disposes of the device"() {
    const { device, buffer } = withBuffer(8);
    const keep = [buffer];
    device.beginRecord();
    device.execute(native().ops["fill"], [buffer, 0], [8, 3]);
    getter(keep, 0, () => device.dispose());
    throwsCode(() => device.endRecord(keep), "ERR_LCONV_DISPOSED", "device");
  },

  "execute: a list that grows while it is read, or never ends"() {
    const { device, buffer } = withBuffer(8);
    const growing: number[] = [8];
    let gets = 0;
    getter(growing, 0, () => {
      growing.push(1, 1, 1);
      gets++;
    });
    refuses(() => device.execute(native().ops["fill"], growing, [8, 3]));
    assert.ok(gets <= 1);
    const endless = Object.setPrototypeOf(new Array(2 ** 32 - 1), new Proxy([], { get: () => 1 }));
    throwsCode(() => device.execute(native().ops["fill"], endless, [8, 3]), "ERR_LCONV_NATIVE");
    throwsCode(() => device.execute(native().ops["fill"], [buffer, 0], endless), "ERR_LCONV_NATIVE");
    device.dispose();
  },

  async "accessors and methods with the wrong this"() {
    const { device, buffer } = withBuffer(8);
    const program = fillProgram(device, buffer);
    const second = secondNative().openDevice("cpu", 1, 0);
    const wrong = [device, second, {}, Object.create(program), new Proxy(program, {}), undefined, null, 1, native()];
    const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(program));
    for (const [name, { get, value }] of Object.entries(members)) {
      if (name === "constructor") continue;
      for (const receiver of wrong) refuses(() => Reflect.apply(get ?? value, receiver, [0]));
    }
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(device)))) {
      if (name === "constructor") continue;
      for (const receiver of [program, {}, Object.create(device)]) refuses(() => Reflect.apply(value, receiver, [0]));
    }
    const mixed = Reflect.construct(device.constructor, ["cpu", 1, 0], program.constructor);
    for (const { get, value } of Object.values(members))
      if (value !== program.constructor) refuses(() => Reflect.apply(get ?? value, mixed, [0]));
    program.dispose();
    device.dispose();
    second.dispose();
  },

  "a program made by hand, of a pointer that is Node's own"() {
    const { device, buffer } = withBuffer(8);
    const program = fillProgram(device, buffer);
    const { _handle } = process.stdout as unknown as { _handle: { _externalStream?: unknown } };
    assert.is(typeof _handle?._externalStream, "object", "stdout must be a pipe");
    for (const args of [[], [{}], [program], [_handle._externalStream]]) refuses(() => Reflect.construct(program.constructor, args));
    program.dispose();
    device.dispose();
  },

  "setErrorClass: what is no class of errors is refused, and errors keep their codes"() {
    for (const odd of [{}, undefined, null, 1, "LconvError", [], new LconvError("ERR_LCONV_IO", ""), () => {}, Symbol("x")])
      refuses(() => native().setErrorClass(odd as never));
    throwsCode(() => native().openDevice("nowhere", 1, 0), "ERR_LCONV_DEVICE");
  },

  async "arrays and buffers without elements"() {
    const { device } = withBuffer(1);
    const empty = device.alloc(0, 0);
    device.write(empty, new Float32Array(0));
    device.read(empty, new Float32Array(0), 0);
    await device.readAsync(empty, new Float32Array(0), 0);
    native().philox(1, 2, 3, new Uint32Array(0));
    native().rotate(new Float32Array(0), 0, 1, 1, new Float64Array(0), 1, 1, 1);
    device.execute(native().ops["fill"], [empty, 0], [0, 1]);
    device.dispose();
  },

  "rotate: images and angles in the same memory"() {
    const images = new Float32Array(128); // 32 of 4 x 1 pixels, each over two angles
    const degrees = new Float64Array(images.buffer, 0, 32);
    new Uint32Array(images.buffer)[6] = 0x7ff80000; // NaN; the low half of a harmless angle, and after a rotation by 0 that of its neighbour's high half, too
    try {
      native().rotate(images, 32, 4, 1, degrees, 1, 1, 1);
    } catch (error) {
      assert.ok(error instanceof LconvError);
    }
  },

  async "finalizers and callbacks of promises call the engine"() {
    const { device, buffer } = withBuffer(8);
    const program = fillProgram(device, buffer);
    const values = new Float32Array(8);
    let finalized = 0;
    const registry = new FinalizationRegistry<number>(() => {
      device.read(buffer, values, 0);
      native().openDevice("cpu", 1, 0);
      finalized++;
    });
    for (let i = 0; i < 50; i++) registry.register({}, i);
    const runs = Array.from({ length: 50 }, async () => {
      await device.readAsync(buffer, new Float32Array(8), 0);
      device.read(buffer, values, 0);
    });
    await Promise.all(runs);
    await program.run(3).then(() => program.dispose());
    for (let i = 0; i < 100 && finalized === 0; i++) {
      gc();
      await new Promise(setImmediate);
    }
    assert.ok(finalized > 0);
    device.dispose();
  },
};
