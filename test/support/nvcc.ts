import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

const compiler = process.env["CUDACXX"] ?? "nvcc";

/** Such as 13.0; undefined where there is none. */
const version = (() => {
  try {
    return /release (\d+\.\d+)/.exec(execFileSync(compiler, ["--version"], { encoding: "utf8" }))?.[1];
  } catch {
    return undefined;
  }
})();

export const haveNvcc = version !== undefined;
export const nvccVersion = (): string => version ?? "none";

/** What a program prints; fails with what it said. */
export const execute = async (program: string, args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(program, args, { encoding: "utf8", maxBuffer: 1 << 27 })).stdout;

const flags = ["-std=c++17", "-O3", "--expt-relaxed-constexpr", "-DLCONV_ISA=cuda"];

/** Compiles a CUDA source with the flags of the build and more; returns what the compiler says of it. */
export const compiled = async (source: string, more: readonly string[]): Promise<string> =>
  (await promisify(execFile)(compiler, [...flags, ...more, source], { encoding: "utf8", maxBuffer: 1 << 27 })).stderr;

/** The PTX of a CUDA source for an architecture such as compute_75, with the flags of the build. */
export const nvcc = (source: string, architecture: string): Promise<string> =>
  execute(compiler, [...flags, `-arch=${architecture}`, "-ptx", "-o", "-", source]);
