// Child processes with a time limit that also ends what they started.
import { spawn } from "node:child_process";

export interface ProcessOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv; // besides that of this process
  seconds: number;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

const tsx = import.meta.resolve("tsx");

/** The command line that runs a TypeScript file with this Node. */
export const typescript = (file: string, ...args: string[]): string[] => [process.execPath, "--import", tsx, file, ...args];

/** Runs to the end or the time limit; a program that cannot start ends with code null and the reason on stderr. */
export function runProcess([program, ...args]: readonly string[], { cwd, env, seconds }: ProcessOptions): Promise<Ended> {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
    const ended: Ended = { code: null, stdout: "", stderr: "", timedOut: false };
    const kill = (): void => {
      try {
        if (child.pid) process.kill(-child.pid, "SIGKILL");
      } catch {
        // the group has ended
      }
    };
    const timer = setTimeout(() => {
      ended.timedOut = true;
      kill();
    }, 1e3 * seconds);
    process.once("exit", kill);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (ended.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (ended.stderr += text));
    const finish = (code: number | null): void => {
      clearTimeout(timer);
      process.removeListener("exit", kill);
      done({ ...ended, code });
    };
    child.once("error", (error) => {
      ended.stderr += error.message;
      finish(null);
    });
    child.once("close", finish);
  });
}
