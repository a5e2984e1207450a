// Child processes with a time limit that also ends what they started.
import { spawn } from "node:child_process";

export interface ProcessOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv; // besides that of this process
  seconds: number;
  silent?: number; // seconds without output after which it is ended, too
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  silent: boolean;
}

/** For a process that was killed to end. */
const GRACE_SECONDS = 5;

const tsx = import.meta.resolve("tsx");

/** The command line that runs a TypeScript file with this Node. */
export const typescript = (file: string, ...args: string[]): string[] => [process.execPath, "--import", tsx, file, ...args];

/** Runs to the end or the time limit; a program that cannot start ends with code null and the reason on stderr. */
export function runProcess([program, ...args]: readonly string[], { cwd, env, seconds, silent }: ProcessOptions): Promise<Ended> {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const ended: Ended = { code: null, signal: null, stdout: "", stderr: "", timedOut: false, silent: false };
    const kill = (): void => {
      try {
        if (child.pid) process.kill(-child.pid, "SIGKILL");
      } catch {
        // the group has ended
      }
    };
    let grace: NodeJS.Timeout | undefined;
    const endAfter = (limit: number, mark: "timedOut" | "silent"): NodeJS.Timeout =>
      setTimeout(() => {
        ended[mark] = true;
        kill();
        grace ??= setTimeout(abandon, 1e3 * GRACE_SECONDS);
      }, 1e3 * limit);
    const timer = endAfter(seconds, "timedOut");
    const silence = silent === undefined ? undefined : endAfter(silent, "silent");
    const hear = (stream: "stdout" | "stderr", text: string): void => {
      ended[stream] += text;
      silence?.refresh();
    };
    /** A process that the driver holds back, and one that left the group, may live on with our pipes in its hands. */
    const abandon = (): void => {
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      finish(null, "SIGKILL");
    };
    process.once("exit", kill);
    child.stdout.setEncoding("utf8").on("data", (text: string) => hear("stdout", text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => hear("stderr", text));
    const finish = (code: number | null, signal: NodeJS.Signals | null = null): void => {
      clearTimeout(timer);
      clearTimeout(silence);
      clearTimeout(grace);
      process.removeListener("exit", kill);
      done({ ...ended, code, signal });
    };
    child.once("error", (error) => {
      ended.stderr += error.message;
      finish(null);
    });
    child.once("close", finish);
  });
}
