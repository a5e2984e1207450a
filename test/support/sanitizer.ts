import { execFileSync } from "node:child_process";

/** The environment for native code built with -fsanitize=address,undefined. Node itself is not instrumented, so the runtime of the sanitizer has to be there first. */
export function sanitizer(): NodeJS.ProcessEnv {
  const library = execFileSync("g++", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim();
  return {
    LD_PRELOAD: library,
    // No search for leaks: V8 holds pointers where it does not look. What a device holds is counted by memory().
    ASAN_OPTIONS: "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
  };
}

/** Whether this process runs under it: long tests take a short form then. */
export const sanitized: boolean = /libasan/.test(process.env["LD_PRELOAD"] ?? "");
