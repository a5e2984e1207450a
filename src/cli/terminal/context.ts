import { defined } from "../../defined.js";
import type { Output } from "./output.js";
import { createReporter, type Reporter, type ReporterMode } from "./reporter.js";

/** What every command gets besides its flags. */
export interface Context {
  out: Output;
  signal: AbortSignal;
}

/** Runs `work` with a reporter on stderr that always gives the terminal back. */
export async function withReporter<T>(mode: ReporterMode | undefined, work: (reporter: Reporter) => Promise<T>): Promise<T> {
  const reporter = createReporter(defined({ mode }));
  try {
    return await work(reporter);
  } finally {
    reporter.done();
  }
}
