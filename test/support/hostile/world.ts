// One native device with programs and buffers for hostile calls, and what has to be true of them between the calls.
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { types } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Native, NativeDevice, NativeProgram } from "../../../src/engine/addon.js";
import { native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";
import { scope } from "../../../src/tensor/scope.js";
import { binary } from "../binary.js";
import { uniform } from "../reference.js";
import { type Command, validCommands } from "../validCommands.js";
import type { Target } from "./surface.js";

setFlagsFromString("--expose-gc");
export const gc: () => void = runInNewContext("gc");

interface WasmMemory {
  buffer: ArrayBuffer;
  grow(pages: number): number;
}
// The types of Node 20 do not have it.
const { WebAssembly } = globalThis as unknown as { WebAssembly: { Memory: new (options: { initial: number }) => WasmMemory } };
export const wasmMemory = (): WasmMemory => new WebAssembly.Memory({ initial: 1 });

export type TypedArray = Float32Array | Int32Array | Uint32Array | Float64Array;
export type TypedArrayOf = { new (n: number): TypedArray; new (buffer: ArrayBufferLike, offset?: number, n?: number): TypedArray };
export interface Call {
  target: Target;
  receiver: unknown;
  args: unknown[];
}

// Hostile arrays have properties of their own: these read what an array really is.
const typed = Object.getPrototypeOf(Float32Array.prototype);
const real = <T>(key: string | symbol) => Object.getOwnPropertyDescriptor(typed, key)!.get as (this: TypedArray) => T;
const [realBuffer, realLength, realTag] = [real<ArrayBufferLike>("buffer"), real<number>("length"), real<string>(Symbol.toStringTag)];
export const memoryOf = (array: TypedArray): ArrayBufferLike => realBuffer.call(array);
export const lengthOf = (array: TypedArray): number => realLength.call(array);
export const typeOf = (array: TypedArray): TypedArrayOf => globalThis[realTag.call(array) as "Float32Array"];
export const isTyped = (value: unknown): value is TypedArray => ArrayBuffer.isView(value) && !(value instanceof DataView);
/** Array.isArray() throws for a revoked proxy. */
export const isArray = (value: unknown): value is unknown[] => !types.isProxy(value) && Array.isArray(value);

export interface Dice {
  below(n: number): number;
  /** True in one of `n` cases. */
  oneIn(n: number): boolean;
  choose<T>(list: readonly T[]): T;
}
export function dice(seed: number): Dice {
  const next = uniform(seed);
  const below = (n: number) => Math.floor(next() * n);
  return { below, oneIn: (n) => below(n) === 0, choose: (list) => list[below(list.length)] };
}

/** A second instance of the engine in this process, as another copy of the package would bring it. */
export function secondNative(): Native {
  const module: { exports: Partial<Native> } = { exports: {} };
  process.dlopen(module, binary, constants.dlopen.RTLD_NOW);
  module.exports.setErrorClass?.(LconvError);
  return module.exports as Native;
}

const known = scope(validCommands);
/** Buffers get numbers from here on, so that no size or attribute of a command is one by chance. */
const FIRST_BUFFER = 5200;
const GUARD = 64; // bytes around each array
const GUARD_BYTE = 0xa5;
const LONGEST_WAIT = 60_000;

interface Canary {
  id: number;
  contents: Float32Array | Int32Array;
  touched: boolean; // since the last check its number was handed out
}

/** The engine did what it must not do. */
export class Fault extends Error {}

export class World {
  readonly dice: Dice;
  readonly device: NativeDevice;
  /** Errors that hostile code threw on purpose: the engine passes them on as they are. */
  readonly thrown = new Set<unknown>();
  /** Arrays that went to the engine lately, and the call under way. */
  arrays: TypedArray[] = [];
  current: Call | undefined;
  depth = 0;
  readonly mixed: object[] = [];
  readonly programs: NativeProgram[] = [];
  readonly #devices: NativeDevice[] = [];
  readonly #canaries: Canary[];
  readonly #places = new Map<number, number>(); // of the buffers of valid commands
  #guarded: ArrayBuffer[] = [];
  #pending: Promise<void>[] = [];

  constructor(seed: number) {
    this.dice = dice(seed);
    this.device = native().openDevice("cpu", this.dice.choose([1, 2]), 0);
    this.#skipNumbers(FIRST_BUFFER);
    this.#canaries = Array.from({ length: 10 }, (_, i) => this.#canary(i));
    this.addProgram();
  }

  #skipNumbers(count: number): void {
    for (let i = 0; i < count; i++) this.device.free(this.device.alloc(0, 0));
  }

  #canary(i: number): Canary {
    this.#skipNumbers(4); // so that the number next to one names none
    const size = this.dice.choose([0, 1, 7, 16, 64, 300]);
    const contents = i % 3 === 0 ? new Int32Array(size).fill(i) : new Float32Array(size).fill(i + 0.5);
    const id = this.device.alloc(4 * size, i % 3 === 0 ? 1 : 0);
    this.device.write(id, contents);
    return { id, contents, touched: false };
  }

  /** A buffer and an array that fits it. */
  buffer(): { id: number; like: Float32Array | Int32Array } {
    const canary = this.dice.choose(this.#canaries);
    canary.touched = true;
    const like = this.array(canary.contents.constructor as TypedArrayOf, canary.contents.length);
    return { id: canary.id, like: like as Float32Array | Int32Array };
  }

  /** Zeros, with guards around that nobody may write to. */
  array(type: TypedArrayOf, n: number): TypedArray {
    const bytes = n * new type(0).BYTES_PER_ELEMENT;
    const memory = new ArrayBuffer(bytes + 2 * GUARD);
    new Uint8Array(memory).fill(GUARD_BYTE).fill(0, GUARD, GUARD + bytes);
    this.#guarded.push(memory);
    return new type(memory, GUARD, n);
  }

  /** A command that the device takes, on buffers of its own. */
  command(): Command {
    const { op, operands, attributes } = this.dice.choose(known.commands);
    const place = (which: number): number => {
      const id = this.#places.get(which) ?? this.#alloc(4 * known.elements[which], known.dtypes[which]);
      this.#places.set(which, id);
      return id;
    };
    return { op, attributes: [...attributes], operands: operands.map((value, i) => (i % 2 === 0 ? place(value) : value)) };
  }

  /** 0 where the device was disposed meanwhile. */
  #alloc(bytes: number, dtype: 0 | 1): number {
    try {
      return this.device.alloc(bytes, dtype);
    } catch {
      return 0;
    }
  }

  addProgram(): void {
    const { fill, copy } = native().ops;
    this.device.beginRecord();
    const [temporary, result] = [this.device.alloc(32, 0), this.device.alloc(32, 0)];
    this.device.execute(fill, [temporary, 0], [8, 1]);
    this.device.execute(copy, [temporary, 0, result, 0], [0, 1, 8, 1, 1]);
    this.programs.push(this.device.endRecord([result]));
    this.device.free(temporary);
  }

  /** Leaves a recording under way with a command in it, where that is possible. */
  startRecording(): void {
    const { op, operands, attributes } = this.command();
    try {
      this.device.beginRecord();
      this.device.execute(op, operands, attributes);
    } catch {}
  }

  get program(): NativeProgram {
    return this.programs[this.programs.length - 1 - this.dice.below(Math.min(2, this.programs.length))];
  }

  /** One object of each class of the engine. */
  get instances(): object[] {
    return [this.device, this.program];
  }

  /** Keeps an object that one class made for another, to call things on. */
  addMixed(made: object): void {
    this.mixed.push(made);
    if (this.mixed.length > 4) this.mixed.shift();
  }

  /** Keeps what a call returned, to wait for it and to dispose of it. `refused` judges the reason of a promise that is rejected. */
  note(value: unknown, refused: (error: unknown) => void): void {
    if (typeof value !== "object" || value === null) return;
    if (value instanceof Promise) this.#pending.push(value.then(() => undefined, refused));
    else if (value instanceof this.device.constructor) this.#devices.push(value as NativeDevice);
    else if (value instanceof this.programs[0].constructor) this.programs.push(value as NativeProgram);
    else if (![Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value)))
      throw new Fault(`a ${value.constructor?.name} came back: give World one, so that its members are called`);
  }

  get waits(): boolean {
    return this.#pending.length > 0;
  }

  /** Ends everything that is under way; then what no call named has to be what it was. False when the device is gone. */
  async settle(): Promise<boolean> {
    await this.#wait();
    this.#checkGuards();
    this.arrays = [];
    this.current = undefined;
    this.#places.clear(); // hostile calls may have freed some, or made them part of a recording
    try {
      this.device.abortRecord();
    } catch (error) {
      if (error instanceof LconvError && error.code === "ERR_LCONV_DISPOSED") return false;
      throw error;
    }
    for (const canary of this.#canaries) this.#check(canary);
    return true;
  }

  async #wait(): Promise<void> {
    const stop = () => this.programs.forEach((program) => void program.stop());
    const again = setInterval(stop, 5); // a callback may have started another run
    const ended = new AbortController();
    const tooLong = sleep(LONGEST_WAIT, "late", { signal: ended.signal, ref: true }).catch(() => "in time");
    while (this.#pending.length > 0) {
      stop();
      const all = Promise.all(this.#pending.splice(0));
      if ((await Promise.race([all, tooLong])) === "late") throw new Fault("a promise of the engine is never settled");
    }
    ended.abort();
    clearInterval(again);
    for (const device of this.#devices.splice(0)) device.dispose();
  }

  #checkGuards(): void {
    for (const memory of this.#guarded.splice(0)) {
      if (memory.byteLength === 0) continue; // was transferred
      const [before, after] = [new Uint8Array(memory, 0, GUARD), new Uint8Array(memory, memory.byteLength - GUARD)];
      if (![...before, ...after].every((byte) => byte === GUARD_BYTE)) throw new Fault("memory next to an array was overwritten");
    }
  }

  #check(canary: Canary): void {
    const { id, contents } = canary;
    const now = contents.slice();
    try {
      this.device.read(id, now, 0);
    } catch (error) {
      if (!(error instanceof LconvError && error.code === "ERR_LCONV_DISPOSED" && canary.touched)) throw error;
      Object.assign(canary, this.#canary(this.dice.below(9))); // freed by a call that named it
      return;
    }
    const same = Buffer.compare(new Uint8Array(now.buffer), new Uint8Array(contents.buffer)) === 0;
    if (!same && !canary.touched) throw new Fault(`buffer ${id} was overwritten`);
    canary.contents = now;
    canary.touched = false;
  }

  /** Gives everything back. What is still there then is a leak. */
  async end(): Promise<void> {
    const alive = await this.settle();
    for (const program of this.programs) program.dispose();
    if (!alive) return;
    const last = this.device.alloc(0, 0);
    for (let id = FIRST_BUFFER; id <= last; id++) this.device.free(id);
    const { tensors, bytes, arenaBytes } = this.device.memory();
    if (tensors + bytes + arenaBytes > 0) throw new Fault(`leaked: ${JSON.stringify(this.device.memory())}`);
    this.device.dispose();
  }
}
