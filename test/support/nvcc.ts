import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";

const compiler = process.env["CUDACXX"] ?? "nvcc";

export const haveNvcc = (() => {
  try {
    return execFileSync(compiler, ["--version"], { encoding: "utf8" }).includes("release");
  } catch {
    return false;
  }
})();

/** What a program prints; fails with what it said. */
export const execute = async (program: string, args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(program, args, { encoding: "utf8", maxBuffer: 1 << 27 })).stdout;

/** The PTX of a CUDA source for an architecture such as compute_75, with the flags of the build. */
export function nvcc(source: string, architecture: string): Promise<string> {
  const flags = ["-std=c++17", "-O3", `-arch=${architecture}`, "--expt-relaxed-constexpr", "-DLCONV_ISA=cuda", "-ptx", "-o", "-"];
  return execute(compiler, [...flags, source]);
}
