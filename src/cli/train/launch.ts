import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { launcherOf } from "../../distributed/launcher.js";
import { check, LconvError } from "../../errors.js";
import { runFiles } from "../../train/runFolder.js";
import { mpirunName } from "../run/mpirun.js";
import type { Context } from "../terminal/context.js";
import { Failed } from "../terminal/failure.js";
import { Interrupted } from "../terminal/interrupt.js";
import type { Reporter } from "../terminal/reporter.js";
import { launchedVariable } from "./rank.js";

/** Ranks to start, and what they do. */
export interface Launch {
  ranks: number;
  /** Machines and how many ranks each gets, as "a:2,b:2"; this one by default. */
  hosts: string | undefined;
  /** How often they are started again after one has broken down. */
  restarts: number;
  /** The folder of the run. */
  path: string;
  /** The command line of each rank, after the program's own name, the first time. */
  args: readonly string[];
  /** Of the following times. */
  resumeArgs: readonly string[];
}

const RESTART_MS = 5000;
/** For ranks to write a checkpoint and end, once they are asked to. */
const STOP_MS = 30_000;
/** For mpirun to end after a rank has given up. */
const HUNG_MS = 10_000;
/** For what an ended process has said to arrive. */
const LAST_WORDS_MS = 1000;

/**
 * Starts `ranks` processes by mpirun, passes on what they say, and starts all again from the last checkpoint where one has broken down, as torchrun does.
 * Ctrl-C ends the standard input of rank 0, which mpirun passes on: the ranks agree on a step, write a checkpoint and end. Throws ERR_LCONV_MPI where there is no
 * mpirun, Interrupted, and Failed with the exit code of the ranks.
 */
export async function launch(plan: Launch, context: Context, reporter: Reporter): Promise<void> {
  check(
    (launcherOf(process.env)?.size ?? 1) === 1,
    "ERR_LCONV_ARGUMENT",
    () => "--ranks starts the ranks itself, and this process is a rank that a launcher started; leave --ranks away",
  );
  const mpirun = await findMpirun().catch((error: unknown) => {
    context.signal.throwIfAborted(); // Ctrl-C on a terminal ends it, too
    throw error;
  });
  context.signal.throwIfAborted();
  for (let restart = 0; ; restart++) {
    const { code, said } = await run(mpirun, plan, restart > 0, context.signal);
    context.signal.throwIfAborted();
    if (code === 0) return;
    const resumable = existsSync(join(plan.path, runFiles.checkpoint));
    if (!resumable || !worthAnother(code, said) || restart === plan.restarts) throw new Failed(code);
    reporter.line(
      `a rank broke down (exit code ${code}); all start again from the last checkpoint, ${plan.restarts - restart} more times at most`,
    );
    await pause(RESTART_MS, undefined, { signal: context.signal }).catch(() => context.signal.throwIfAborted());
  }
}

interface Mpirun {
  path: string;
  flags: readonly string[];
  /** The flags that name machines and variables that reach all of them. */
  across(hosts: string, variables: readonly string[]): string[];
  environment: NodeJS.ProcessEnv;
}

async function findMpirun(): Promise<Mpirun> {
  const path = mpirunName();
  const version = await new Promise<string>((settle, reject) => {
    execFile(path, ["--version"], (error, stdout, stderr) => {
      if (!error) return settle(stdout + stderr);
      const advice = "install one (apt-get install openmpi-bin), or name it in LCONV_MPIRUN";
      reject(new LconvError("ERR_LCONV_MPI", `--ranks needs mpirun, and ${path} does not run (${error.message.trim()}); ${advice}`));
    });
  });
  // mpirun gives each rank one core, where a rank has as many threads as its part of the host has processors.
  if (!/Open MPI|OpenRTE/.test(version)) {
    const across: Mpirun["across"] = (hosts) => ["-hosts", hosts]; // it passes all variables on
    return { path, flags: ["-bind-to", "none"], across, environment: {} };
  }
  const across: Mpirun["across"] = (hosts, variables) => ["--host", hosts, ...variables.flatMap((name) => ["-x", name])];
  // Daemons on machines that are out of reach notice it after half a minute.
  const alive = { OMPI_MCA_oob_tcp_keepalive_time: "10", OMPI_MCA_oob_tcp_keepalive_intvl: "5", OMPI_MCA_oob_tcp_keepalive_probes: "3" };
  const root = process.getuid?.() === 0 ? { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" } : {};
  return { path, flags: ["--bind-to", "none", "--oversubscribe", "--quiet"], across, environment: { ...alive, ...root } };
}

async function run(mpirun: Mpirun, plan: Launch, again: boolean, signal: AbortSignal): Promise<{ code: number; said: string }> {
  const own = [process.execPath, ...process.execArgv, resolve(process.argv[1])];
  const environment = { ...process.env, ...mpirun.environment, [launchedVariable]: "1" };
  const variables = Object.keys(environment).filter((name) => name.startsWith("LCONV_"));
  const across = plan.hosts === undefined ? [] : mpirun.across(plan.hosts, variables);
  const args = [...mpirun.flags, ...across, "-n", String(plan.ranks), ...own, ...(again ? plan.resumeArgs : plan.args)];
  const child = spawn(mpirun.path, args, {
    stdio: ["pipe", "inherit", "pipe"],
    detached: true, // else Ctrl-C would reach mpirun, which ends its ranks within a second
    env: environment,
  });
  child.stdin?.on("error", () => {}); // it has ended
  const group = killed(child);
  process.once("exit", group);
  const stop = (): void => {
    child.stdin?.end();
    setTimeout(group, STOP_MS).unref();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await ended(child, group);
  } finally {
    signal.removeEventListener("abort", stop);
    process.removeListener("exit", group);
  }
}

/** Ends mpirun, and what it started on this machine: ranks, and each ssh in a process group of its own. */
const killed = (child: ChildProcess) => (): void => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of [...descendantsOf(child.pid), child.pid]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it has ended meanwhile
    }
  }
};

/** On Linux; elsewhere none is known. */
function descendantsOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8"));
    const children = threads.flatMap((text) => text.split(" ").filter(Boolean).map(Number));
    return children.flatMap((child) => [...descendantsOf(child), child]);
  } catch {
    return [];
  }
}

const LAST_CHARACTERS = 1 << 16;

async function ended(child: ChildProcess, kill: () => void): Promise<{ code: number; said: string }> {
  let said = "";
  let timer: NodeJS.Timeout | undefined;
  child.stderr?.on("data", (chunk: Buffer) => {
    process.stderr.write(chunk);
    said = (said + chunk.toString("latin1")).slice(-LAST_CHARACTERS);
    // Where a machine is out of reach, mpirun waits for its daemon there for ever.
    if (said.includes("[ERR_LCONV_COLLECTIVE]")) timer ??= setTimeout(kill, HUNG_MS);
  });
  const code = await new Promise<number>((settle, reject) => {
    child.once("error", reject);
    // Not only when its pipes are closed, which others may hold open.
    child.once("exit", (exit, killer) => {
      if (killer !== null) process.stderr.write(`${mpirunName()} was ended by ${killer}\n`);
      setTimeout(settle, LAST_WORDS_MS, exit ?? 1);
    });
    child.once("close", (exit) => settle(exit ?? 1));
  });
  clearTimeout(timer);
  return { code, said };
}

/** Exit codes after which nothing is started again: success, wrong usage, a stop. */
const final = [0, 2, 129, 130, 143, new Interrupted("SIGUSR2").exitCode];
/** Errors that the next try would have, too. */
const lasting = /\[ERR_LCONV_(NONFINITE|CHECKPOINT|LOCKED|RANKS|DIVERGED|IO|FORMAT|DATA|ARGUMENT|OPTION|MPI)\]/;

/** Whether ranks that ended so may do better the next time. */
export const worthAnother = (code: number, said: string): boolean => !final.includes(code) && !lasting.test(said);
