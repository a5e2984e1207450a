import type { LconvError } from "../errors.js";

/** Bytes and tensors a device holds now; `arena` is the part that programs own. */
export interface MemoryInfo {
  tensors: number;
  bytes: number;
  peakBytes: number;
  arenaBytes: number;
}

/** What the binary was built with and found. `oneDNN` is undefined when the built-in GEMM is in use; `gemmNote` then says why. */
export interface BuildInfo {
  version: string;
  abi: number;
  isa: string;
  oneDNN?: string;
  gemmNote?: string;
}

/** A recorded list of commands with its arena. `run` replays it `steps` times on a native thread. */
export interface NativeProgram {
  run(steps: number): Promise<number>; // steps done, fewer when stop() was called
  stop(): void;
  dispose(): void;
  readonly commands: number;
  readonly arenaBytes: number;
}

/** One device: memory, commands and recordings. Buffers are numbers; a command names an operation by its index in `ops`. */
export interface NativeDevice {
  alloc(bytes: number, dtype: 0 | 1): number;
  free(buffer: number): void;
  write(buffer: number, data: Float32Array | Int32Array): void;
  read(buffer: number, data: Float32Array | Int32Array, offset: number): void;
  /** Operands are pairs (buffer, element offset) flattened; attributes are numbers. */
  execute(op: number, operands: number[], attributes: number[]): void;
  beginRecord(): void;
  /** Buffers in `keep` stay readable after a run; everything else made since beginRecord shares the arena. */
  endRecord(keep: number[]): NativeProgram;
  abortRecord(): void;
  memory(): MemoryInfo;
  dispose(): void;
}

/** The whole native surface, as the binary exports it. */
export interface Native {
  info(): BuildInfo;
  ops: Record<string, number>;
  setErrorClass(type: typeof LconvError): void;
  openDevice(name: string, threads: number): NativeDevice;
  philox(seed: number, stream: number, position: number, out: Uint32Array): void;
  /** Rotates `count` images [height, width] in `images` in place by `degrees[i / imagesPerAngle]`; spline order 1 or 3, mode nearest, as scipy.ndimage.rotate(reshape=False). */
  rotate(
    images: Float32Array,
    count: number,
    height: number,
    width: number,
    degrees: Float64Array,
    imagesPerAngle: number,
    order: number,
    threads: number,
  ): void;
}

/** Raised together with `kAbi` in native/addon/addon.cpp when this interface changes. */
export const ABI = 1;
