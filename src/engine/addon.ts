import type { ErrorCode, LconvError } from "../errors.js";

/** Memory of a device. */
export interface MemoryInfo {
  /** Number of buffers; tensors that share one count once. */
  tensors: number;
  /** Bytes in use now, arenas of programs included. */
  bytes: number;
  /** The most bytes that were in use at once. */
  peakBytes: number;
  /** The part of `bytes` that recorded programs hold. */
  arenaBytes: number;
}

/** What the native binary was built with, and what it found on this machine. */
export interface BuildInfo {
  /** Version of the package that the binary belongs to. */
  version: string;
  /** Version of the interface between TypeScript and the binary. */
  abi: number;
  /** Instruction set of the kernels in use: "baseline", "avx2", "avx512" or "avx512_bf16". */
  isa: string;
  /** Version of oneDNN; undefined if the built-in products are in use. */
  oneDNN?: string;
  /** Why oneDNN is not in use; undefined if it is. */
  gemmNote?: string;
}

/** An NVIDIA GPU as its driver describes it. `ordinal` is the k of "cuda:k". */
export interface Gpu {
  ordinal: number;
  name: string;
  /** Compute capability, such as [9, 0]. */
  capability: [number, number];
  totalBytes: number;
}

/** Why CUDA, or a part of it, cannot be used. */
export interface CudaFault {
  code: ErrorCode;
  message: string;
}

/** What the driver reports, without loading anything large. `driver` is the newest CUDA version that it serves, 13000 for 13.0. */
export interface CudaProbe {
  driver?: number;
  gpus: Gpu[];
  /** lconv_cuda.so as it would be opened, whether it exists or not. */
  module: string;
  fault?: CudaFault;
}

/** The libraries behind a CUDA device; finding them opens lconv_cuda.so and cuBLAS, but needs no GPU. */
export interface CudaLibraries {
  /** CUDA runtime built into lconv_cuda.so, 13000 for 13.0. */
  runtime?: number;
  cublas?: { version: number; path: string };
  fault?: CudaFault;
}

/** A running device. The fields after `name` are set for GPUs only. */
export interface DeviceInfo {
  /** "cpu" or "cuda:k". */
  name: string;
  /** Compute capability, such as [9, 0]. */
  capability?: [number, number];
  /** Number of streaming multiprocessors. */
  multiprocessors?: number;
  /** Memory of the GPU in bytes. */
  totalBytes?: number;
  /** Free memory of the GPU in bytes, whoever uses the rest. */
  freeBytes?: number;
  /** Size of the L2 cache in bytes. */
  l2Bytes?: number;
  /** CUDA runtime in lconv_cuda.so, 13000 for 13.0. */
  runtime?: number;
  /** Version and path of cuBLAS; undefined if no product runs on it. */
  cublas?: { version: number; path: string };
  /** Why lconv's own kernels multiply instead of cuBLAS; undefined if cuBLAS does, but for the few shapes in which it is slow. */
  productsNote?: string;
}

/** What one step of a program does on a GPU, counted from its launches. */
export interface ProgramStats {
  /** Kernels, matrix products and sums over ranks. */
  launches: number;
  /** Launches on the longest chain of dependencies. */
  longestPath: number;
  /** Launches of the chain that takes longest where the length of its products counts as well. */
  chainLaunches: number;
  /** Slices of 32 terms that blocks of the products of that chain go through, one after the other, if their sums are not split. */
  chainSlices: number;
  /** Parallel streams that the launches are spread over. */
  branches: number;
  /** Nodes of the CUDA graph that a step is; 0 if its launches are issued one by one, or only counted. */
  graphNodes: number;
  /** Steps that a second, larger graph holds, which is launched while so many are left to do; 0 if there is none. Where launches are only counted: would hold. */
  graphSteps: number;
  /** Matrix products by cuBLAS. */
  cublasProducts: number;
  /** Matrix products by lconv's own kernels, each one launch or a few. */
  ownProducts: number;
  /** Bytes that the commands read and write, each operand once a command. */
  bytes: number;
  /** Floating-point operations of matrix products, convolutions and channel mixing. */
  flops: number;
  /** Why a step is no CUDA graph, or products are not made by cuBLAS; undefined otherwise. */
  note?: string;
}

/** What the sums over the ranks of a group have come to in one process. */
export interface GroupTraffic {
  /** Messages: buckets of gradients, and other sums of tensors. */
  sums: number;
  /** Bytes that they added up. */
  bytes: number;
  /** For how long programs waited for sums: the part of communication that no computation hides. */
  waitedSeconds: number;
}

/** A recorded list of commands with its arena. `run` replays it `steps` times on a native thread. */
export interface NativeProgram {
  run(steps: number): Promise<number>; // steps done, fewer when stop() was called
  stop(): void;
  dispose(): void;
  readonly commands: number;
  readonly arenaBytes: number;
  /** Sums over ranks in a step. */
  readonly sums: number;
  /** Undefined on the CPU. */
  stats(): ProgramStats | undefined;
}

/** One device: memory, commands and recordings. Buffers are numbers; a command names an operation by its index in `ops`. */
export interface NativeDevice {
  alloc(bytes: number, dtype: 0 | 1): number;
  free(buffer: number): void;
  write(buffer: number, data: Float32Array | Int32Array): void;
  read(buffer: number, data: Float32Array | Int32Array, offset: number): void;
  /**
   * As read, on another thread. The buffer is held against writes until the promise settles. Throws ERR_LCONV_ARGUMENT for an array that was
   * transferred, or lies in a resizable or shared buffer; rejects with it where that happens meanwhile.
   */
  readAsync(buffer: number, data: Float32Array | Int32Array, offset: number): Promise<void>;
  /** Operands are pairs (buffer, element offset) flattened; attributes are numbers. */
  execute(op: number, operands: number[], attributes: number[]): void;
  beginRecord(): void;
  /** Buffers in `keep` stay readable after a run; everything else made since beginRecord shares the arena. */
  endRecord(keep: number[]): NativeProgram;
  abortRecord(): void;
  /**
   * Has the device add up over the ranks of the group that openGroup began, when all of them have called it: by NCCL, whose ranks find each other by `id`, or
   * through memory of the host where there is none. Rejects with ERR_LCONV_NCCL and ERR_LCONV_COLLECTIVE.
   */
  joinGroup(id?: Uint8Array): Promise<void>;
  memory(): MemoryInfo;
  info(): DeviceInfo;
  dispose(): void;
}

/** The whole native surface, as the binary exports it. */
export interface Native {
  info(): BuildInfo;
  /** Numbers by name: of operations, of elementwise functions, of those that may be fused behind a product, of functions of two numbers. */
  ops: Record<string, number>;
  functions: Record<string, number>;
  activations: Record<string, number>;
  binaryFunctions: Record<string, number>;
  /** Every code that its errors have. */
  errorCodes: ErrorCode[];
  setErrorClass(type: typeof LconvError): void;
  /** "cpu", "cuda:k", or "cuda:plan", which counts what programs would do and cannot run them. Precision: 0 fp32, 1 tf32, 2 bf16. */
  openDevice(name: string, threads: number, precision: 0 | 1 | 2): NativeDevice;
  /** Asks the NVIDIA driver; never throws. */
  /** Ends the threads of all programs of this process, for good. */
  endThreads(): void;
  /** Where lconv_cuda.so is if LCONV_CUDA names none and none lies beside the engine. */
  offerCuda(path: string): void;
  probeCuda(): CudaProbe;
  /** Opens lconv_cuda.so and cuBLAS; never throws. */
  cudaLibraries(): CudaLibraries;
  /** Opens the library of MPI and begins nothing. Throws ERR_LCONV_MPI. */
  mpiLibrary(): { version: string; path: string };
  /** Begins MPI, once; `timeout` seconds is how long a collective may take. Rejects with ERR_LCONV_MPI. */
  openGroup(timeout: number): Promise<{ rank: number; size: number; localRank: number; localSize: number }>;
  /** Sum (0), least (1) or greatest (2) over the ranks, value by value. Rejects with ERR_LCONV_COLLECTIVE and ERR_LCONV_MPI. */
  reduce(kind: 0 | 1 | 2, values: Float64Array): Promise<ArrayBuffer>;
  /** The bytes of rank `root`. Rejects as reduce does. */
  broadcast(bytes: Uint8Array, root: number): Promise<ArrayBuffer>;
  groupTraffic(): GroupTraffic;
  /** Ends MPI, and waits for `seconds` at most; whether it has ended. */
  closeGroup(seconds: number): Promise<boolean>;
  closeGroupNow(seconds: number): boolean;
  /** Opens lconv_cuda.so and NCCL; needs no GPU. `version` is 23007 for 2.30.7. Throws ERR_LCONV_NCCL. */
  ncclLibrary(): { version: number; path: string };
  /** What all ranks find each other by, made by one of them. Throws ERR_LCONV_NCCL. */
  ncclId(): Uint8Array;
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
export const ABI = 6;
