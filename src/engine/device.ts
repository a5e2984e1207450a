import { check, LconvError } from "../errors.js";
import type { MemoryInfo, NativeDevice } from "./addon.js";
import { native } from "./native.js";
import { Program } from "./program.js";
import { threadCount } from "./threads.js";

export type DType = "float32" | "int32";
export type HostArray = Float32Array | Int32Array;

/** Where a command finds an operand: a buffer of the device and an offset in elements. */
export interface Ref {
  readonly buffer: number;
  readonly offset: number;
}

/** Memory and commands of one processor. Commands run at once; between `record` and its end they are written down instead. */
export class Device {
  readonly name: string;
  readonly threads: number;
  #native: NativeDevice;
  #recording = false;

  constructor(name: string, threads: number) {
    this.name = name;
    this.threads = threads;
    this.#native = native().openDevice(name, threads);
  }

  get recording(): boolean {
    return this.#recording;
  }

  alloc(elements: number, dtype: DType): number {
    return this.#native.alloc(elements * 4, dtype === "float32" ? 0 : 1);
  }

  free(buffer: number): void {
    this.#native.free(buffer);
  }

  write(buffer: number, data: HostArray): void {
    this.#native.write(buffer, data);
  }

  read(buffer: number, into: HostArray, offset = 0): void {
    this.#native.read(buffer, into, offset);
  }

  /** Hands one command to the native engine. `operands` and `attributes` are in the order of the operation's `bind`. */
  execute(op: string, attributes: number[], operands: readonly Ref[]): void {
    const flat: number[] = [];
    for (const { buffer, offset } of operands) flat.push(buffer, offset);
    this.#native.execute(native().ops[op], flat, attributes);
  }

  /** Records what `trace` does. It returns the buffers whose values are wanted after a run. */
  record(trace: () => readonly number[]): Program {
    check(
      !this.#recording,
      "ERR_LCONV_RECORDING",
      () => "record: a recording is already under way on this device; recordings cannot be nested",
    );
    this.#native.beginRecord();
    this.#recording = true;
    try {
      return new Program(this.#native.endRecord([...trace()]));
    } catch (error) {
      this.#native.abortRecord();
      throw error;
    } finally {
      this.#recording = false;
    }
  }

  /** Bytes and tensors that live on this device now, the peak, and what recorded programs hold. */
  memory(): MemoryInfo {
    return this.#native.memory();
  }
}

const opened = new Map<string, Device>();

/**
 * A device by name: "cpu", or "auto" (the best there is). Without a name LCONV_DEVICE decides, else "auto".
 * Throws ERR_LCONV_DEVICE for a device that is not there.
 */
export function device(name: string = process.env["LCONV_DEVICE"] || "auto"): Device {
  const wanted = name === "auto" ? "cpu" : name;
  if (wanted !== "cpu") {
    const known = /^cuda(:\d+)?$/.test(wanted);
    const why = known ? "this version has no CUDA backend yet" : 'devices are "auto" and "cpu"';
    throw new LconvError("ERR_LCONV_DEVICE", `there is no device "${name}": ${why}; use --device cpu, or LCONV_DEVICE=cpu`);
  }
  let found = opened.get(wanted);
  if (!found) {
    found = new Device(wanted, threadCount());
    opened.set(wanted, found);
  }
  return found;
}
