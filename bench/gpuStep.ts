// What the steps of gpu-check work with, and what they say.
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Ended, ProcessOptions } from "./process.js";

export interface Check {
  root: string;
  /** Folder of the raw output, and one for what is thrown away. */
  out: string;
  scratch: string;
  emulated: boolean;
  /** Small sizes: as asked for, and on the emulated GPU. */
  quick: boolean;
  /** The most telling half of the steps, in less time. */
  short: boolean;
  python: string | undefined;
  parity: string;
  /** Operations whose rows failed, as the step "parity" has found. */
  failing: Set<string>;
  /** Seconds that the step has. */
  left(): number;
  /** Keeps the raw output under `name`, and ends with the time of the step if not before. */
  run(name: string, command: readonly string[], options?: Partial<ProcessOptions>): Promise<Ended>;
}

/** `details` are printed as they are, a line each. */
export type Outcome =
  | { figure: string; details?: string[] }
  | { failed: string; timedOut?: boolean; details?: string[] }
  | { skipped: string };

export interface Step {
  name: string;
  /** Its share of eight minutes, and of the three of --short, 0 where it is none of them. What others leave comes on top. */
  seconds: number;
  short: number;
  /** Also where there is no GPU. */
  always?: boolean;
  run(check: Check): Promise<Outcome>;
}

export const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

/** The last line of stdout where the program ended well, else why not. */
export function outcome(ended: Ended, figure = lastLine(ended.stdout)): Outcome {
  if (ended.timedOut) return { failed: `no end in time; last line: ${lastLine(ended.stdout) || "none"}`, timedOut: true };
  return ended.code === 0 ? { figure } : { failed: `${lastLine(ended.stdout) || reasonOf(ended)} (exit code ${ended.code})` };
}

/** The line of stderr that says why: Node prints its stack and its version behind it. */
export const reasonOf = ({ stderr, signal, code }: Ended): string =>
  stderr.split("\n").find((line) => /Error\b|\bERR_/.test(line)) ?? (lastLine(stderr) || (signal ?? `exit code ${code}`));

/** Folders besides those on PATH in which NVIDIA's tools lie; a `*` stands for any part of one name. */
function toolFolders(): string[] {
  const homes = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"].flatMap((name) => process.env[name] ?? []);
  const venv = process.env["VIRTUAL_ENV"];
  return [
    ...homes.map((home) => join(home, "bin")),
    "/usr/local/cuda/bin",
    "/usr/local/cuda*/bin",
    "/opt/nvidia/nsight-systems/*/bin",
    ...(venv ? ["bin", "compute-sanitizer"].map((folder) => join(venv, "lib/python*/site-packages/nvidia/*", folder)) : []),
  ];
}

function expanded(pattern: string): string[] {
  return pattern.split("/").reduce<string[]>(
    (folders, name) => {
      if (!name.includes("*")) return folders.map((folder) => `${folder}${name}/`);
      const [before, after] = name.split("*");
      return folders.flatMap((folder) =>
        existsSync(folder)
          ? readdirSync(folder)
              .filter((entry) => entry.startsWith(before) && entry.endsWith(after))
              .sort()
              .reverse()
              .map((entry) => `${folder}${entry}/`)
          : [],
      );
    },
    [""],
  );
}

/** The path of a program, on PATH or where NVIDIA puts its tools; undefined where it is in none of these places. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== ""), ...toolFolders().flatMap(expanded)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

export const notFound = (name: string): string => `${name} is neither on PATH nor where NVIDIA puts it (${toolFolders().join(", ")})`;
