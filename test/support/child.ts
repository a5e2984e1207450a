import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const tsx = import.meta.resolve("tsx");

/** Runs test/support/children/`name`.ts in a process of its own; killed, and reported with its signal, after `seconds`. */
export function runChild(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}, seconds = 120): Promise<Ended> {
  const script = fileURLToPath(new URL(`./children/${name}.ts`, import.meta.url));
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ["--import", tsx, script, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: seconds * 1000,
      killSignal: "SIGKILL",
    });
    const ended: Ended = { code: null, signal: null, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (ended.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (ended.stderr += text));
    child.once("error", fail);
    child.once("close", (code, signal) => done({ ...ended, code, signal }));
  });
}
