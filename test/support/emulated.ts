import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** Whether the emulated GPU of native/test/emu was built into `folder`. */
export const haveEmulation = (folder: string): boolean => existsSync(join(folder, "lconv_cuda_emu.so"));

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

/** Node itself is not instrumented, so the runtime of the sanitizer has to be there before its libraries. */
function sanitizer(): NodeJS.ProcessEnv {
  const library = execFileSync("g++", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim();
  return { LD_PRELOAD: library, ASAN_OPTIONS: "detect_leaks=0:abort_on_error=1", UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1" };
}
