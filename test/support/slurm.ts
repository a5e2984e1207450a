// A Slurm of our own on the loopback: a controller, one node with two processors, and munge, all with their files in a temporary folder.
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ofEndedProcesses } from "./killed.js";

const programs = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel"];

/** Why there can be no Slurm here; undefined where there can. */
export function whyNoSlurm(): string | undefined {
  if (process.platform !== "linux") return "Slurm runs on Linux";
  const missing = programs.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `no ${missing.join(", ")} here: apt-get install slurm-wlm munge`;
  return process.getuid?.() === 0 ? undefined : "the daemons of Slurm start jobs as root alone";
}

export interface Slurm {
  /** What names this Slurm to its programs. */
  env: Record<string, string>;
  /** Runs one of its programs and returns what it prints. */
  run(program: string, ...args: string[]): Promise<string>;
  /** Cancels all jobs, ends the daemons and removes their files. */
  stop(): Promise<void>;
}

/** Starts it, and waits until the node takes jobs. */
export async function startSlurm(): Promise<Slurm> {
  for (const left of ofEndedProcesses(readdirSync(tmpdir()), /^lconv-slurm-(\d+)-/)) removeAll(join(tmpdir(), left));
  const folder = mkdtempSync(join(tmpdir(), `lconv-slurm-${process.pid}-`));
  const daemons: ChildProcess[] = [];
  const env = { SLURM_CONF: join(folder, "slurm.conf") };
  const kill = (): void => removeAll(folder);
  const run = async (program: string, ...args: string[]): Promise<string> =>
    (await promisify(execFile)(program, args, { env: { ...process.env, ...env }, timeout: 30_000 })).stdout;
  const stop = async (): Promise<void> => {
    await run("scancel", "--user=root").catch(() => {});
    await until(async () => (await run("squeue", "--noheader")) === "", "an empty queue").catch(() => {});
    for (const daemon of daemons.splice(0).reverse()) await end(daemon); // munge last: the others need it
    process.removeListener("exit", kill);
    kill();
  };
  const daemon = (name: string, ...args: string[]): void => {
    daemons.push(spawn(name, args, { env: { ...process.env, ...env }, stdio: "ignore" }));
  };

  process.once("exit", kill);
  try {
    await writeFiles(folder);
    const munge = ["key-file=key", "socket=socket", "pid-file=pid", "log-file=log", "seed-file=seed"];
    daemon("munged", "--foreground", "--num-threads=10", ...munge.map((text) => `--${text.replace("=", `=${folder}/munge/`)}`));
    await until(async () => (await promisify(execFile)("munge", ["-n", `--socket=${folder}/munge/socket`])).stdout !== "", "munge");
    daemon("slurmctld", "-D", "-i");
    await until(async () => (await run("scontrol", "ping")).includes("UP"), "the controller");
    daemon("slurmd", "-D");
    await until(async () => (await run("sinfo", "--noheader", "--format=%T")).trim() === "idle", "the node");
  } catch (error) {
    const logs = ["slurmctld.log", "slurmd.log"].map((name) => `${name}:\n${tail(join(folder, name))}`);
    await stop();
    throw new Error(`${(error as Error).message}\n${logs.join("\n")}`);
  }
  return { env, run, stop };
}

/** Jobs are no children of this process, but all that belongs to a Slurm has its configuration in the environment. */
function removeAll(folder: string): void {
  for (const pid of processesWith(`SLURM_CONF=${folder}/slurm.conf`)) tryTo(() => process.kill(pid, "SIGKILL"));
  rmSync(folder, { recursive: true, force: true });
}

async function writeFiles(folder: string): Promise<void> {
  for (const name of ["munge", "state", "spool"]) mkdirSync(join(folder, name));
  for (const path of [folder, join(folder, "munge")]) chmodSync(path, 0o755); // else munge refuses to make its socket there
  writeFileSync(join(folder, "munge/key"), randomBytes(128), { mode: 0o600 });
  const host = hostname().split(".")[0];
  const lines = [
    ...["ClusterName=lconv", `SlurmctldHost=${host}(127.0.0.1)`, "SlurmUser=root"],
    ...[`SlurmctldPort=${await freePort()}`, `SlurmdPort=${await freePort()}`],
    // A requeued task waits as long as a credential lasts: two minutes by default, 5 s at least.
    ...["AuthType=auth/munge", "CredType=cred/munge", `AuthInfo=socket=${folder}/munge/socket,cred_expire=5`],
    ...[`StateSaveLocation=${folder}/state`, `SlurmdSpoolDir=${folder}/spool`],
    ...["slurmctld", "slurmd"].flatMap((name) => {
      const key = `${name[0].toUpperCase()}${name.slice(1)}`;
      return [`${key}PidFile=${folder}/${name}.pid`, `${key}LogFile=${folder}/${name}.log`];
    }),
    ...["ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "JobAcctGatherType=jobacct_gather/none", "MpiDefault=none"],
    ...["SelectType=select/cons_tres", "SelectTypeParameters=CR_CPU", "ReturnToService=0", "KillWait=5"],
    // By default it looks for jobs to start every half minute.
    "SchedulerParameters=bf_interval=2,sched_interval=2",
    // It may claim more processors than this machine has.
    ...["SlurmdParameters=config_overrides", `NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN`],
    "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
  ];
  writeFileSync(join(folder, "slurm.conf"), `${lines.join("\n")}\n`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function until(ready: () => Promise<boolean>, what: string, seconds = 60): Promise<void> {
  for (const end = performance.now() + 1000 * seconds; !(await ready().catch(() => false)); ) {
    if (performance.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null || daemon.pid === undefined) return;
  const timer = setTimeout(() => daemon.kill("SIGKILL"), 10_000);
  daemon.kill("SIGTERM");
  await once(daemon, "exit");
  clearTimeout(timer);
}

/** Processes that have this setting in their environment, without this one. */
function processesWith(setting: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const has = (pid: string): boolean => (tryTo(() => readFileSync(`/proc/${pid}/environ`, "utf8")) ?? "").split("\0").includes(setting);
  return pids.filter(has).map(Number);
}

/** Undefined where the process has gone meanwhile. */
function tryTo<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function tail(path: string): string {
  return (tryTo(() => readFileSync(path, "utf8")) ?? "").split("\n").slice(-15).join("\n");
}
