import { existsSync, statSync } from "node:fs";
import { downloadLimits } from "../../data/limits.js";
import { defined } from "../../defined.js";
import { collectiveTimeout } from "../../distributed/group.js";
import { device } from "../../engine/device.js";
import { elfFault } from "../../engine/elf.js";
import { threadCount } from "../../engine/threads.js";
import { didYouMean, LconvError } from "../../errors.js";

/** An environment variable in force, and what is wrong with its value. */
export interface Variable {
  name: string;
  value: string;
  problem?: string;
}

const isThere = (path: string): string | undefined => (existsSync(path) ? undefined : "no such file or folder");

const isLibrary = (path: string): string | undefined =>
  isThere(path) ?? (statSync(path).isDirectory() ? "a folder, expected the library itself" : elfFault(path));

const oneOfWords =
  (...words: string[]) =>
  (value: string): string | undefined =>
    words.includes(value) ? undefined : `expected ${words.length > 2 ? words.join(", ") : words.join(" or ")}`;

const checks: Record<string, (value: string) => string | undefined> = {
  LCONV_DATA: isThere,
  LCONV_DOWNLOAD_MAX_BYTES: () => refusal(() => downloadLimits({ minRate: 0 })),
  LCONV_DOWNLOAD_MIN_RATE: () => refusal(() => downloadLimits({ maxBytes: 1 })),
  LCONV_DEVICE: (value) => refusal(() => device(value)),
  LCONV_CUDA: isLibrary,
  LCONV_CUDA_GRAPH: oneOfWords("0", "1"),
  LCONV_CUDA_GEMM: oneOfWords("auto", "cublas", "tiles"),
  LCONV_CUDA_BRANCHES: oneOfWords("1", "2", "3", "4"),
  LCONV_CUDA_STEPS: oneOfWords("1", "2", "4", "8", "16", "32"),
  LCONV_CUDA_SYNC: oneOfWords("0", "1"),
  LCONV_CUDA_PROFILE: oneOfWords("0", "1"),
  LCONV_CUDA_DOT: isThere,
  LCONV_CUBLAS: (value) => (value.includes("/") ? isLibrary(value) : undefined), // a bare name is looked for by the loader
  LCONV_THREADS: () => refusal(threadCount),
  LCONV_VECTORS: isThere,
  LCONV_ISA: oneOfWords("baseline", "avx2", "avx512", "avx512_bf16"),
  LCONV_GEMM: oneOfWords("builtin"),
  LCONV_NATIVE: isThere,
  LCONV_MPI: (value) => (value.includes("/") ? isLibrary(value) : undefined),
  LCONV_MPIRUN: (value) => (value.includes("/") ? isThere(value) : undefined), // a bare name is looked for in PATH
  LCONV_NCCL: (value) => (value.includes("/") ? isLibrary(value) : undefined),
  LCONV_COLLECTIVE_TIMEOUT: () => refusal(collectiveTimeout),
  LCONV_DEBUG: oneOfWords("0", "1"),
  LCONV_SKIP_APT: oneOfWords("0", "1"),
};

/** All LCONV_ variables that are set, checked. */
export function variablesInForce(): Variable[] {
  const set = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[0].startsWith("LCONV_") && entry[1] !== undefined && entry[1] !== "",
  );
  return set.sort().map(([name, value]) => {
    const check = checks[name];
    const problem = check ? check(value) : `not a setting of lconv${didYouMean(name, Object.keys(checks))}`;
    return { name, value, ...defined({ problem }) };
  });
}

/** Why a value is refused. That the engine does not load is told elsewhere. */
function refusal(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof LconvError && error.code !== "ERR_LCONV_NATIVE" ? error.message : undefined;
  }
}
