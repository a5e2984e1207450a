// Processes that a launcher of MPI starts on this machine, each running test/support/children/rank.ts.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Launcher {
  name: string;
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  /** The library that belongs to it. */
  library: string;
}

const openMpi: Launcher = {
  name: "Open MPI",
  command: ["mpirun.openmpi", "--oversubscribe", "--bind-to", "none", "--quiet"],
  env: { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" },
  library: "libmpi.so.40",
};
const mpich: Launcher = { name: "MPICH", command: ["mpiexec.hydra", "-bind-to", "none"], env: {}, library: "libmpich.so.12" };

/** A process that nothing starts along with others. */
export const alone: Launcher = { name: "none", command: [], env: {}, library: "" };

const isHere = ({ command }: Launcher): boolean => spawnSync(command[0], ["--version"], { stdio: "ignore" }).status === 0;

/** Those of this machine, the first of which the tests of what they have in common take; none where it has no MPI. */
export const launchers: readonly Launcher[] = [openMpi, mpich].filter(isHere);
export const whyNoRanks = "no MPI here: apt-get install openmpi-bin mpich";

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What the ranks have to say, one object each, in the order of their ranks. */
  ranks: Record<string, unknown>[];
}

export type Ranks = ChildProcess & { ended: Promise<Ended> };

const children = new Set<ChildProcess>();
process.once("exit", () => children.forEach(killAll));

const tsx = import.meta.resolve("tsx");
const script = fileURLToPath(new URL("./children/rank.ts", import.meta.url));

/** Starts `size` ranks that do `task`, with `options` of its own; all are killed after `seconds`. */
export function startRanks(
  { command, env }: Launcher,
  size: number,
  task: string,
  options: object = {},
  { more = {}, seconds = 120 }: { more?: NodeJS.ProcessEnv; seconds?: number } = {},
): Ranks {
  const own = [process.execPath, "--import", tsx, script, task, JSON.stringify(options)];
  const [program, ...args] = command.length > 0 ? [...command, "-n", String(size), ...own] : own;
  const folder = mkdtempSync(join(tmpdir(), "lconv-ranks-")); // a launcher passes on the bytes of all ranks as they come
  const child = spawn(program, args, {
    env: { ...process.env, LCONV_THREADS: "1", RANKS_OUT: folder, ...env, ...more },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // so that all that it started can be ended
  });
  const limit = setTimeout(() => killAll(child), seconds * 1000);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text: string) => (output[name] += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(limit);
      resolve({ code, ...output, ranks: objects(folder) });
      rmSync(folder, { recursive: true, force: true });
    });
  });
  children.add(child);
  return Object.assign(child, { ended });
}

export const runRanks = (...args: Parameters<typeof startRanks>): Promise<Ended> => startRanks(...args).ended;

function killAll(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}

/** What each rank wrote last. */
function objects(folder: string): Record<string, unknown>[] {
  const found = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>);
  return found.sort((a, b) => Number(a["rank"]) - Number(b["rank"]));
}
