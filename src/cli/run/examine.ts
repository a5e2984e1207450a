import { existsSync } from "node:fs";
import { defined } from "../../defined.js";
import type { CudaFault, CudaLibraries, CudaProbe } from "../../engine/addon.js";
import { autoFault, type Device, device as deviceOf } from "../../engine/device.js";
import { native } from "../../engine/native.js";
import { LconvError } from "../../errors.js";
import { matmul } from "../../ops/matmul.js";
import { record } from "../../tensor/record.js";
import { scope } from "../../tensor/scope.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { megabytes } from "../terminal/output.js";

export interface DeviceState {
  name: string;
  available: boolean;
  reason: string;
  code?: string; // of the error, where there is one
  path?: string; // how a GPU runs programs, and why not in the usual way
}

/** Driver, libraries, GPUs and what is wrong with them; undefined where the engine does not load. */
export type CudaFindings = (Omit<CudaProbe & CudaLibraries, "fault"> & { faults: CudaFault[] }) | undefined;

/** What `work` gives, or the error that it throws. */
export function attempt<T>(work: () => T): { value?: T; problem?: string; code?: string } {
  try {
    return { value: work() };
  } catch (error) {
    const code = error instanceof LconvError ? error.code : undefined;
    return { problem: error instanceof Error ? error.message : String(error), ...defined({ code }) };
  }
}

/** Multiplies two matrices: what a binary reports is one thing, whether it works another. */
export function examineDevice(name: string): DeviceState {
  const { value, problem, code } = attempt(() =>
    scope(() => {
      const device = deviceOf(name);
      const a = tensor(Float32Array.of(1, 2, 3, 4), { shape: [2, 2], device });
      return { product: [...matmul(a, a).dataSync()].join(" "), path: pathOf(device, a) };
    }),
  );
  if (value?.product === "7 10 15 22") return { name, available: true, reason: "works", ...defined({ path: value.path }) };
  const reason = problem ?? `gives wrong results: a product is ${value?.product}`;
  return { name, available: false, reason: withLink(code, reason), ...defined({ code }) };
}

/** By a program of one product: what its steps are on a GPU, and who multiplies. */
function pathOf(device: Device, a: Tensor): string | undefined {
  const program = record(() => matmul(a, a), device);
  const { stats } = program;
  program.dispose();
  if (!stats) return undefined;
  const { productsNote } = device.info();
  const steps =
    stats.graphNodes > 0 ? [stats.graphSteps > 0 ? `steps are CUDA graphs of 1 and of ${stats.graphSteps}` : "a step is a CUDA graph"] : [];
  const told = stats.note === undefined ? [] : [stats.note];
  const products = productsNote === undefined ? "products by cuBLAS" : productsNote;
  return [...steps, ...told, ...(stats.note?.includes(products) ? [] : [products])].join("; ");
}

/** Every GPU, or one entry that says why there is none. Libraries are only looked for where there is a driver to use them. */
export function examineCuda(): { devices: DeviceState[]; cuda: CudaFindings } {
  const { value, problem = "" } = attempt(() => native().probeCuda());
  if (!value) return { devices: [{ name: "cuda", available: false, reason: problem, code: "ERR_LCONV_NATIVE" }], cuda: undefined };
  const { fault: first, ...probe } = value;
  const { fault: second, ...libraries } = first?.code === "ERR_LCONV_CUDA_NO_DRIVER" ? {} : native().cudaLibraries();
  const faults = [first, second].filter((fault) => fault !== undefined);
  // Without cuBLAS a GPU may do all the same, as opening it shows.
  const fatal = faults.filter(({ code }) => code !== "ERR_LCONV_CUDA_CUBLAS");
  const devices = fatal.length > 0 ? [refused(faults)] : probe.gpus.map(({ ordinal }) => examineDevice(`cuda:${ordinal}`));
  return { devices, cuda: { ...probe, ...libraries, faults } };
}

function refused(faults: readonly CudaFault[]): DeviceState {
  const [first] = faults;
  const reason = isUnremarkable(first)
    ? "there is no NVIDIA driver"
    : faults.map(({ code, message }) => withLink(code, message)).join("\n");
  return { name: "cuda", available: false, reason, code: first.code };
}

/** Whether nobody expects a GPU here: no driver, and no trace of one, as there is in a container that was not given the host's. */
const isUnremarkable = ({ code }: CudaFault): boolean =>
  code === "ERR_LCONV_CUDA_NO_DRIVER" && !["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"].some((path) => existsSync(path));

const firstLine = (message: string): string => message.replace(/;? tried:$/m, "").split("\n")[0];

/** Why "auto" took the CPU although there is a GPU, or why cuBLAS is not used; undefined otherwise. */
export function cudaNote(device: Device): string | undefined {
  const fault = autoFault();
  const { productsNote } = device.info();
  if (productsNote !== undefined && process.env["LCONV_CUDA_GEMM"] !== "tiles") {
    const [, cause] = /^ *- (.*)$/m.exec(productsNote) ?? [undefined, firstLine(productsNote)]; // of those that were tried, the first
    return `cuBLAS is not used: ${cause}; lconv's own kernels multiply (lconv doctor tells more)`;
  }
  if (device.name !== "cpu" || fault === undefined || isUnremarkable(fault)) return undefined;
  return `CUDA is not used: ${firstLine(fault.message)}; training on the CPU (lconv doctor tells more)`;
}

const withLink = (code: string | undefined, reason: string): string =>
  code?.startsWith("ERR_LCONV_CUDA") ? `${reason}\n[${code}] see docs/cuda.md#${code.toLowerCase()}` : reason;

/** What was found of CUDA, for people; nothing where there is no driver. */
export function showCuda(cuda: CudaFindings): [string, string][] {
  if (cuda?.driver === undefined) return [];
  const { driver, runtime, cublas, gpus = [] } = cuda;
  const parts = [
    `the driver serves ${cudaVersion(driver)}`,
    `runtime ${runtime === undefined ? "not found" : cudaVersion(runtime)}`,
    `cuBLAS ${cublas ? `${cublasVersion(cublas.version)} (${cublas.path})` : "not found"}`,
  ];
  return [
    ["CUDA", parts.join("; ")],
    ...gpus.map(({ ordinal, name, capability, totalBytes }): [string, string] => [
      `GPU ${ordinal}`,
      `${name}, compute capability ${capability.join(".")}, ${megabytes(totalBytes)}`,
    ]),
  ];
}

const cudaVersion = (version: number): string => `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
export const ncclVersion = (version: number): string =>
  `${Math.floor(version / 10_000)}.${Math.floor((version % 10_000) / 100)}.${version % 100}`;
const cublasVersion = (version: number): string => `${Math.floor(version / 10_000)}.${Math.floor((version % 10_000) / 100)}`;
