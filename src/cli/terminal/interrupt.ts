import { constants } from "node:os";

/** SIGUSR2 is what batch systems can send some time before the limit; its number is another one on macOS. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGPIPE: 141, SIGUSR2: 128 + constants.signals.SIGUSR2 } as const;

/** Why a command was stopped from outside; SIGPIPE stands for a reader of stdout that went away. */
export class Interrupted extends Error {
  readonly signal: keyof typeof exitCodes;
  readonly exitCode: number;

  constructor(signal: keyof typeof exitCodes) {
    super(`stopped by ${signal}`);
    this.signal = signal;
    this.exitCode = exitCodes[signal];
  }
}

/** Aborts with an Interrupted on the first Ctrl-C, SIGTERM, SIGHUP (a closed terminal) or SIGUSR2 and ends the process on the second. A closed stdout aborts, too. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(exitCodes[signal]);
      controller.abort(new Interrupted(signal));
    });
  }
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "EIO") throw error; // EIO: the terminal has gone
    controller.abort(new Interrupted("SIGPIPE"));
  });
  process.stderr.on("error", () => {}); // nobody is left to be told
  return controller.signal;
}
