import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { clip } from "../../errors.js";
import { flagName, isObject } from "../terminal/flags.js";
import type { RunControl } from "./cell.js";
import type { Cell } from "./cells.js";
import type { Failure } from "./state.js";

/** The command line that runs a cell, as this process was started: with the same Node, and the same loader where the sources run. */
export function cellCommand(folder: string, cell: number | string, { checkpointSeconds, stealLock }: RunControl): string[] {
  const own = [process.execPath, ...process.execArgv, resolve(process.argv[1])];
  const more = checkpointSeconds === undefined ? [] : [flagName("checkpointSeconds"), String(checkpointSeconds)];
  return [...own, "sweep", resolve(folder), "--cell", String(cell), ...more, ...(stealLock ? [flagName("stealLock")] : [])];
}

/** A cell that runs in a process of its own. */
export interface RunningCell {
  pid: number | undefined;
  /** What made it end without a result; undefined of a run that is finished. */
  ended: Promise<Omit<Failure, "tries"> | undefined>;
  /** Ends it after a checkpoint. */
  stop(): void;
  kill(): void;
}

/**
 * Starts the process of a cell. It is not in the process group of the terminal, as Ctrl-C would reach it twice, from there and from the parent, and the
 * second time ends it without a checkpoint. Instead it hears by the channel to this process when this is killed.
 */
export function startCell(folder: string, cell: Cell, control: RunControl): RunningCell {
  const [node, ...args] = cellCommand(folder, cell.number, control);
  const child = spawn(node, [...args, "--json", "--progress", "silent"], { stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
  const ended = endOf(child as ChildProcess & { stdout: Readable; stderr: Readable });
  return { pid: child.pid, ended, stop: () => child.kill("SIGTERM"), kill: () => child.kill("SIGKILL") };
}

const LAST_LINES = 20;

async function endOf(child: ChildProcess & { stdout: Readable; stderr: Readable }): Promise<Omit<Failure, "tries"> | undefined> {
  const last: string[] = [];
  let error: { code?: unknown; message?: unknown } = {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    const said = parsed(line);
    if (said["event"] === "error") error = said;
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    last.push(clip(line, 300));
    if (last.length > LAST_LINES) last.shift();
  });
  const { exitCode, signal } = await new Promise<Pick<Failure, "exitCode" | "signal">>((settle, reject) => {
    child.once("error", reject);
    child.once("close", (code, by) => settle({ exitCode: code, signal: by }));
  });
  if (exitCode === 0) return undefined;
  const code = typeof error.code === "string" ? error.code : null;
  const words = typeof error.message === "string" ? error.message : last.join("\n");
  const how = signal === null ? `it ended with exit code ${exitCode}` : `it was ended by ${signal}`;
  return { exitCode, signal, code, message: words === "" ? how : code === null ? `${how}: ${words}` : words };
}

function parsed(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
