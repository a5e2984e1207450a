// What the tests of `lconv sweep` share: a tiny grid, and what its table says.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { start, temporaryFolder } from "../command.js";

export const folder = temporaryFolder();

/** Settings of a run that takes a moment. */
export const tiny = { dataset: "glyphs", samples: 128, filters: 2, generators: 1, rank: 1, batch: 32, epochs: 1 } as const;

export function writeGrid(name: string, grid: object): string {
  writeFileSync(join(folder, name), JSON.stringify(grid));
  return name;
}

/** The rows of results.csv, by column. */
export function tableIn(sweep: string): Record<string, string>[] {
  const [head = [], ...rows] = readFileSync(join(folder, sweep, "results.csv"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  return rows.map((row) => Object.fromEntries(row.map((field, i) => [head[i], field])));
}

/** Without what takes another value each time. */
export const lasting = (sweep: string): object[] => tableIn(sweep).map(({ seconds: _, ...row }) => row);

export const metrics = ["bestValAccuracy", "valAccuracy", "testAccuracy", "trainAccuracy", "params", "layerParams"] as const;

/** Starts a sweep and collects the process ids of its cells. */
export function startSweep(args: readonly string[], onLine: (line: Record<string, unknown>) => void = () => {}) {
  const pids: number[] = [];
  const child = start(folder, ["sweep", ...args, "--json", "--progress", "silent"], {}, (line) => {
    if (!line.startsWith("{")) return;
    const said = JSON.parse(line) as Record<string, unknown>;
    if (said["event"] === "start") pids.push(Number(said["pid"]));
    onLine(said);
  });
  return { child, pids };
}

export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `ready`, at most a minute. */
export async function until(ready: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 60_000; !ready(); await pause(20))
    if (performance.now() > end) throw new Error(`waited a minute for ${what}`);
}
