import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Philox } from "../../src/engine/random.js";
import { writeNpz } from "../../src/io/npz.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tsx = import.meta.resolve("tsx");

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** The objects on stdout, with --json. */
  lines: Record<string, unknown>[];
}

/** A folder that is gone after the test process. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lconv-cli-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What Node runs as `lconv`: what set-up compiled, which starts in a third of the time; the sources where one has changed since then. */
const program = ((): string[] => {
  const compiled = join(root, "dist/cli/main.js");
  const names = ["", ...readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })];
  // By ctime, as copies may keep the mtime of their original.
  const changed = (): number => Math.max(...names.map((name) => statSync(join(root, "src", name)).ctimeMs));
  const current = existsSync(compiled) && changed() <= statSync(compiled).mtimeMs;
  return current ? [compiled] : ["--import", tsx, join(root, "src/cli/main.ts")];
})();

/** The command line that runs `lconv`. */
export const commandLine = (args: readonly string[]): string[] => [process.execPath, ...program, ...args];

export type Child = ChildProcessByStdio<null, Readable, Readable> & { ended: Promise<Ended> };

/** Starts `lconv` with one thread, as two wait for each other on a busy machine; `onLine` hears of every line on stdout and stderr. */
export function start(cwd: string, args: readonly string[], env: Record<string, string> = {}, onLine?: (line: string) => void): Child {
  const [node, ...rest] = commandLine(args);
  const child = spawn(node, rest, { cwd, env: { ...process.env, LCONV_THREADS: "1", ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
    if (onLine) createInterface({ input: child[name] }).on("line", onLine);
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...output, lines: objects(output.stdout) }));
  });
  return Object.assign(child, { ended });
}

export const lconv = (cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
  start(cwd, args, env).ended;

function objects(text: string): Record<string, unknown>[] {
  if (!text.startsWith("{")) return [];
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const [SIDE, CLASSES] = [8, 4];

/** Writes a small data set that can be learned: 8 x 8 images of noise with a bright row for each of four classes. */
export function writeTinyImages(path: string): void {
  const images = (count: number, seed: number) => {
    const noise = new Philox(seed, 7).uniform(count * SIDE * SIDE);
    const x = Float32Array.from(
      noise,
      (u, i) => 0.5 * u + (Math.floor(i / SIDE) % SIDE === 2 * (Math.floor(i / SIDE / SIDE) % CLASSES) ? 0.5 : 0),
    );
    return {
      x: { shape: [count, SIDE, SIDE], data: x },
      labels: { shape: [count], data: Int32Array.from({ length: count }, (_, i) => i % CLASSES) },
    };
  };
  const [train, test] = [images(400, 1), images(60, 2)];
  writeNpz(path, [
    ["x", train.x],
    ["labels", train.labels],
    ["x_test", test.x],
    ["labels_test", test.labels],
  ]);
}
