import { check, checkOptions, LconvError, oneOf } from "../errors.js";
import type { CudaFault, DeviceInfo, MemoryInfo, NativeDevice } from "./addon.js";
import { native } from "./native.js";
import { Program } from "./program.js";
import { threadCount } from "./threads.js";

/** Type of a tensor's elements, 4 bytes each. */
export type DType = "float32" | "int32";
/** Values of a tensor on the host. */
export type HostArray = Float32Array | Int32Array;

/**
 * How matrices are multiplied, and convolutions on a CPU: in float32, or with factors rounded to 10 (tf32, GPUs only) or 7 (bf16) bits of mantissa.
 * Sums, weights and all else are float32 always. bf16 is faster on a CPU with AVX512-BF16 (`lconv doctor` names the instructions in use); others round
 * alike and gain nothing.
 */
export type Precision = "fp32" | "tf32" | "bf16";
/** Numbered as `openDevice` of the native engine takes them. */
export const precisions: readonly Precision[] = ["fp32", "tf32", "bf16"];

/** How `device` opens a device. */
export interface DeviceOptions {
  /** Precision of products. Default "fp32". */
  precision?: Precision;
  /** Threads of the CPU, 1 to 1024; a GPU has none. Default LCONV_THREADS, else the processors that this process may use. */
  threads?: number;
}

/** An operand of a command: a buffer of the device and an offset. */
export interface Ref {
  /** Number of the buffer. */
  readonly buffer: number;
  /** Offset in elements. */
  readonly offset: number;
}

/** Memory and commands of one processor, from `device`. A command runs at once, or is written down while a program is recorded. */
export class Device {
  /** "cpu" or "cuda:k". */
  readonly name: string;
  /** Threads of the CPU. */
  readonly threads: number;
  /** Precision of products. */
  readonly precision: Precision;
  #native: NativeDevice;
  #recording = false;

  /** Opens a new device; `device` shares devices instead. Throws as `device` does. */
  constructor(name: string, threads: number, precision: Precision = "fp32") {
    this.name = name;
    this.threads = threads;
    this.precision = precision;
    this.#native = native().openDevice(name, threads, precisions.indexOf(precision) as 0 | 1 | 2);
  }

  /** Whether commands are only queued when a call returns, so that reading a result waits for it. */
  get asynchronous(): boolean {
    return this.name !== "cpu";
  }

  /** The name with what else tells devices apart, for messages. */
  get title(): string {
    const threads = `${this.threads} thread${this.threads === 1 ? "" : "s"}`;
    return this.name === "cpu" ? `cpu (${this.precision}, ${threads})` : `${this.name} (${this.precision})`;
  }

  /** Whether a program is being recorded. */
  get recording(): boolean {
    return this.#recording;
  }

  /** A new buffer of `elements` elements, by its number. Throws ERR_LCONV_OOM. */
  alloc(elements: number, dtype: DType): number {
    return this.#native.alloc(elements * 4, dtype === "float32" ? 0 : 1);
  }

  /** Frees a buffer; a program that uses it keeps its memory. */
  free(buffer: number): void {
    this.#native.free(buffer);
  }

  /** Copies `data` to a buffer. Throws ERR_LCONV_BUSY while a program uses it, ERR_LCONV_RECORDING while one is recorded. */
  write(buffer: number, data: HostArray): void {
    this.#native.write(buffer, data);
  }

  /**
   * Copies elements of a buffer from `offset` on to `into`, and waits for commands that write them. Throws ERR_LCONV_BUSY while a program
   * writes the buffer, ERR_LCONV_RECORDING while one is recorded.
   */
  read(buffer: number, into: HostArray, offset = 0): void {
    this.#native.read(buffer, into, offset);
  }

  /**
   * As `read`, on another thread; the buffer is busy until the promise settles. Throws ERR_LCONV_ARGUMENT for an array that was
   * transferred, or that lies in a resizable or shared buffer, and rejects with it if that happens meanwhile.
   */
  readAsync(buffer: number, into: HostArray): Promise<void> {
    return this.#native.readAsync(buffer, into, 0);
  }

  /** Passes one command to the native engine. `operands` and `attributes` are in the order of the operation's `bind`. */
  execute(op: string, attributes: number[], operands: readonly Ref[]): void {
    const flat: number[] = [];
    for (const { buffer, offset } of operands) flat.push(buffer, offset);
    this.#native.execute(native().ops[op], flat, attributes);
  }

  /**
   * Records the commands of `trace`, which returns the buffers to keep after a run. Throws ERR_LCONV_RECORDING inside another recording.
   */
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

  /** @internal See NativeDevice.joinGroup. */
  joinGroup(id?: Uint8Array): Promise<void> {
    return this.#native.joinGroup(id);
  }

  /** Memory in use on this device. */
  memory(): MemoryInfo {
    return this.#native.memory();
  }

  /** What this device is; for a GPU also its memory and the libraries that it runs on. */
  info(): DeviceInfo {
    return this.#native.info();
  }

  /** Closes the device and frees everything on it. Not for devices from `device`, which are shared. */
  dispose(): void {
    this.#native.dispose();
  }
}

/** What the driver calls a GPU, such as "NVIDIA H100 80GB HBM3"; undefined for a device that is none. */
export function gpuModel({ name }: Device): string | undefined {
  return native()
    .probeCuda()
    .gpus.find(({ ordinal }) => name === `cuda:${ordinal}`)?.name;
}

/**
 * A device that counts what programs would launch on a GPU and cannot run them; it needs no GPU. Each call makes a new one; dispose of it.
 * Throws ERR_LCONV_CUDA_MODULE if lconv_cuda.so is not part of the build.
 */
export const planningDevice = (): Device => new Device("cuda:plan", 1);

const opened = new Map<string, Device>();
/** What "auto" stands for. */
const automatic = new Map<Precision, string>();
let passedOver: CudaFault | undefined;
/** LCONV_THREADS counts as it is at the first use: what takes no device has to find the same one every time. */
let usualThreads: number | undefined;

/**
 * A device by name: "cpu", "cuda:k" (the k-th GPU), "cuda" (the first one), or "auto" (the first usable GPU, else the CPU). Without a
 * name LCONV_DEVICE decides, else "auto". The k-th rank of a host that trains along with others (`distributed.init`) has the k-th GPU instead of the first, or
 * the one that it sees. The same name, precision and, on the CPU, threads give the same device every time; tensors of
 * different devices do not go together.
 * Throws ERR_LCONV_DEVICE for an unknown name, ERR_LCONV_ARGUMENT for a precision that is unknown or tf32 on the CPU and for an impossible number of
 * threads, and one of ERR_LCONV_CUDA_... or ERR_LCONV_OOM for a GPU that cannot be used.
 */
export function device(name: string = process.env["LCONV_DEVICE"] || "auto", options: DeviceOptions = {}): Device {
  checkOptions("device", options, { precision: 1, threads: 1 });
  const settings = { precision: oneOf("device", "precision", options.precision ?? "fp32", precisions), threads: threadsOf(options) };
  if (name === "auto") return firstUsable(settings);
  const gpu = /^cuda(?::(\d{1,4}))?$/.exec(name);
  check(name === "cpu" || gpu !== null, "ERR_LCONV_DEVICE", () => unknownDevice(name));
  return gpu ? openNamed(`cuda:${Number(gpu[1] ?? ownGpu())}`, settings) : open("cpu", settings);
}

function threadsOf({ threads }: DeviceOptions): number {
  if (threads !== undefined) return threadCount(threads, "device");
  usualThreads ??= threadCount();
  return usualThreads;
}

/** This process among those of its host that train together. */
let place = { rank: 0, size: 1 };
/** Says that it is number `rank` of `size`, before the first device is opened. */
export function shareGpus(rank: number, size: number): void {
  place = { rank, size };
}
/** Of several processes each has the GPU of its number, or the one that its launcher shows it. */
function ownGpu(): number {
  const shown = process.env["CUDA_VISIBLE_DEVICES"] !== undefined && native().probeCuda().gpus.length === 1;
  return shown ? 0 : place.rank;
}

/** Whether this machine has a GPU for this very process. */
export function hasOwnGpu(): boolean {
  const { gpus, fault } = native().probeCuda();
  return !fault && gpus.some(({ ordinal }) => ordinal === ownGpu());
}

/** What decides whether programs of a GPU are graphs, as text. */
export const graphSettings = (): string =>
  ["LCONV_CUDA_GRAPH", "LCONV_CUDA_SYNC"].map((name) => `${name}=${process.env[name] ?? ""}`).join(" ");

type Settings = Required<DeviceOptions>;

/** Why "auto" did not use CUDA, or the first of its GPUs; undefined if it did, or if "auto" has not been requested yet. */
export const autoFault = (): CudaFault | undefined => passedOver;

function firstUsable(settings: Settings): Device {
  const known = automatic.get(settings.precision);
  const found = known === undefined ? (firstGpu(settings) ?? open("cpu", settings)) : open(known, settings);
  automatic.set(settings.precision, found.name);
  return found;
}

function firstGpu(settings: Settings): Device | undefined {
  const { gpus, fault } = native().probeCuda();
  passedOver = fault;
  const own = place.size > 1 ? gpus.filter(({ ordinal }) => ordinal === ownGpu()) : gpus;
  for (const { ordinal } of fault ? [] : own) {
    try {
      return open(`cuda:${ordinal}`, settings);
    } catch (error) {
      if (!(error instanceof LconvError)) throw error;
      passedOver ??= error;
    }
  }
  return undefined;
}

function openNamed(name: string, settings: Settings): Device {
  try {
    return open(name, settings);
  } catch (error) {
    const refused = error instanceof LconvError && /^ERR_LCONV_(CUDA|OOM)/.test(error.code);
    if (!refused || error.message.includes("--device cpu")) throw error;
    throw new LconvError(error.code, `${error.message}; or use --device cpu, or LCONV_DEVICE=cpu`, { cause: error });
  }
}

function open(name: string, { precision, threads }: Settings): Device {
  const key = name === "cpu" ? `cpu ${precision} ${threads}` : `${name} ${precision}`;
  let found = opened.get(key);
  if (!found) {
    check(
      name !== "cpu" || precision !== "tf32",
      "ERR_LCONV_ARGUMENT",
      () => `the CPU multiplies in fp32 or bf16, got precision "${precision}"; use --precision fp32 or bf16, or a GPU`,
    );
    found = new Device(name, threads, precision);
    opened.set(key, found);
  }
  return found;
}

const unknownDevice = (name: string): string =>
  `there is no device "${name}": devices are "auto", "cpu", "cuda" and "cuda:k"; use --device cpu, or LCONV_DEVICE=cpu`;
