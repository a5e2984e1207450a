import { CommanderError } from "commander";
import { LconvError } from "../../errors.js";
import { usageError } from "./argv.js";
import { Interrupted } from "./interrupt.js";
import type { Output } from "./output.js";

const usage: readonly string[] = ["ERR_LCONV_ARGUMENT", "ERR_LCONV_OPTION", "ERR_LCONV_MPI"];

/** Processes that this one started have failed, and have said why. */
export class Failed extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`ended with exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Tells why a command failed and returns its exit code: 2 for bad usage and where MPI cannot be used, 128 + signal when it was stopped, else 1. */
export function fail(error: unknown, out: Output): number {
  if (error instanceof CommanderError) {
    const wrong = usageError(error);
    return wrong ? fail(wrong, out) : 0;
  }
  if (error instanceof Failed) return error.exitCode;
  if (error instanceof Interrupted) {
    if (error.signal !== "SIGPIPE") tell("interrupted:", error.message, out, { event: "interrupted", signal: error.signal });
    return error.exitCode;
  }
  const { message, code = "ERR_LCONV_UNEXPECTED" } =
    error instanceof Error ? (error as Error & { code?: string }) : { message: String(error) };
  tell(`error [${code}]`, message, out, { event: "error", code, message });
  const debug = process.env["LCONV_DEBUG"] === "1";
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  else if (!(error instanceof LconvError)) process.stderr.write("set LCONV_DEBUG=1 to see where this comes from\n");
  return error instanceof LconvError && usage.includes(error.code) ? 2 : 1;
}

function tell(head: string, message: string, out: Output, event: object): void {
  process.stderr.write(`${head} ${message}\n`);
  out.emit(event);
}
