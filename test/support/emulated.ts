import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { sanitizer } from "./sanitizer.js";

/** Whether the emulated GPU of native/test/emu was built into `folder`. */
export const haveEmulation = (folder: string): boolean => existsSync(join(folder, "lconv_cuda_emu.so"));

/** Whether the GPU of this process is the emulated one, where a test takes less of the same work. */
export const onEmulation = (): boolean => process.env["LCONV_CUDA"]?.endsWith("lconv_cuda_emu.so") ?? false;

/** The environment of a process whose GPU is the emulated one in `folder`; `settings` are those of native/test/emu/emu.h. */
export function emulated(folder: string, settings: Record<string, string> = {}): NodeJS.ProcessEnv {
  const at = resolve(folder);
  return {
    LD_LIBRARY_PATH: at,
    LCONV_CUDA: join(at, "lconv_cuda_emu.so"),
    LCONV_DEVICE: "cuda",
    ...(folder.includes("sanitized") ? sanitizer() : {}),
    ...settings,
  };
}
