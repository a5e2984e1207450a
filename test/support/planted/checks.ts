// The checks that planted faults must turn red: runs of the parity program, on the emulated GPU and one module.
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { emulated } from "../emulated.js";
import { nvcc } from "../nvcc.js";
import { PtxLibraries } from "../ptx/build.js";
import type { Check } from "./faults.js";
import type { Module } from "./modules.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const emu = join(root, "build/emu");

/** What the check says against the module, which has its fault in `file`; undefined where it passes. */
export async function complaint(check: Check, module: Module, file: string): Promise<string | undefined> {
  if (check === "programs" || check === "pairs") return parity([`--${check}`], module);
  if ("rows" in check) return parity(["--gpu", check.rows], module);
  return parity(["--gpu", check.ptx], module, { LCONV_EMU_PTX: await ptx(module, file) });
}

async function parity(args: string[], module: Module, settings: Record<string, string> = {}): Promise<string | undefined> {
  // Before Hopper workspaces are smaller, which take most of the time of small programs.
  const given = { LCONV_EMU_SEED: "1", LCONV_EMU_CAPABILITY: "8.0", LCONV_CUDA: module.path, ...settings };
  const env = { ...process.env, ...emulated(emu, given) };
  try {
    await promisify(execFile)(join(root, "build/Release/parity"), args, {
      env,
      maxBuffer: 1 << 28,
      timeout: 120_000,
      killSignal: "SIGKILL",
    });
    return undefined;
  } catch (error) {
    const { stdout, stderr, signal, killed } = error as { stdout: string; stderr: string; signal: string | null; killed: boolean };
    const failed = /^failed: ((?:GPU (?:eager|compiled|displaced)|program \d|updates of|many updates|[a-z]\w*\(.*\) and ).*)$/m.exec(
      stdout,
    )?.[1];
    if (killed || !(failed ?? signal))
      throw new Error(`parity ${args.join(" ")} did not come to a result: ${stderr}${stdout}`.slice(0, 2000));
    return failed ?? `ended by ${signal}`;
  }
}

/** A library with the kernels of one file, as nvcc compiles them. */
async function ptx(module: Module, file: string): Promise<string> {
  const text = await nvcc(join(module.sources, "native/cuda", file), "compute_90");
  return new PtxLibraries(join(dirname(module.path), "ptx"), module.path).make(new Map([[file, text]]));
}
