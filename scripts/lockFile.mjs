// A lock file that says which process holds it: of a run folder (src/train/runLock.ts) and of the set-up (lock.mjs).
// Only Node built-ins here, as the set-up runs before `npm ci`.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { linkSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";

const HALF_WRITTEN_MS = 10_000;
const MOST_BYTES = 4096;
const ATTEMPTS = 10;
const noLinks = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/**
 * Tries to take the lock file `path` for this process, without waiting, and returns what gives it back, or else who holds it. The lock of a process that
 * has ended on this host is taken over, and so is one of an earlier run of this Slurm job, and one that names nobody and is not from the last or next 10 s,
 * in which it may be half written; with `steal` every lock is, but that of a process that is known to live. Throws the system's error, or one that says
 * what to remove, and leaves nothing then.
 */
export function tryLock(path, { steal = false } = {}) {
  const mine = JSON.stringify(self());
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`; // the pattern of src/io/folders.ts
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      writeFileSync(temporary, mine);
      if (create(path, temporary, mine)) return { release: () => release(path, mine) };
      const found = inspect(path);
      if (!found) continue; // it was given back meanwhile
      const { holder } = found;
      if (holder.state === "lives" || (holder.state === "unknown" && !steal)) return { holder };
      if (replace(path, found, temporary, steal)) return { release: () => release(path, mine) };
    }
    return { holder: { text: "another process", state: "unknown" } };
  } finally {
    remove(temporary);
  }
}

/** The lock appears with its text in it, or not at all. False when one is there. */
function create(path, temporary, mine) {
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST" || error.code === "ENOENT") return false;
    if (!noLinks.includes(error.code)) throw error;
  }
  return createWithoutLink(path, mine);
}

function createWithoutLink(path, mine) {
  try {
    writeFileSync(path, mine, { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    remove(path); // a full disk leaves an empty one
    throw error;
  }
}

/**
 * Puts `temporary` in the place of the lock that was found. For that it holds another lock, so that of several processes with the same stale lock before
 * them one gets it and the others find a fresh one. False when the lock is no longer the same, or another process is at it.
 */
function replace(path, found, temporary, steal) {
  const guard = path.endsWith(".takeover") ? undefined : tryLock(`${path}.takeover`, { steal });
  if (guard?.holder) return false;
  try {
    if (inspect(path)?.id !== found.id) return false;
    renameSync(temporary, path);
    return true;
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  } finally {
    guard?.release();
  }
}

/** Whether somebody holds the lock `path`, or may: a process on another host cannot be asked. Throws the system's error. */
export function isHeld(path) {
  const found = inspect(path);
  return found !== undefined && found.holder.state !== "ended";
}

/** The lock at `path`: its holder, and an id that no other lock has; undefined when nothing is there. Links are not followed. */
function inspect(path) {
  try {
    const status = lstatSync(path);
    if (!status.isFile() && !status.isSymbolicLink())
      throw new Error(`${path} is ${status.isDirectory() ? "a folder" : "no file"}, a lock is a file; remove it`);
    const text = status.isFile() && status.size <= MOST_BYTES ? readFileSync(path, "utf8") : "";
    return { id: `${status.ino} ${status.ctimeMs} ${text}`, holder: holderOf(parse(text), status.mtimeMs) };
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text) {
  try {
    const { pid, host, start, slurm } = JSON.parse(text);
    return Number.isInteger(pid) && pid > 0 && typeof host === "string" ? { pid, host, start, slurm } : undefined;
  } catch {
    return undefined;
  }
}

/** state: "ended", "lives", or "unknown" where that cannot be found out. */
function holderOf(owner, mtimeMs) {
  if (!owner) {
    const state = Math.abs(Date.now() - mtimeMs) < HALF_WRITTEN_MS ? "unknown" : "ended";
    return { text: "a process that has left no name", state };
  }
  const { pid, host } = owner;
  if (host !== hostname() && hasStartedAgain(owner.slurm)) return { text: "an earlier run of this job", state: "ended" };
  if (host !== hostname()) return { text: `process ${pid} on ${printable(host) || "another host"}`, state: "unknown" };
  return { text: `process ${pid}`, state: stateOf(owner), pid };
}

/** Of a text that anybody may have written, what a terminal does not obey. */
const printable = (text) => text.slice(0, 80).replace(/\p{C}/gu, "");

function stateOf({ pid, start }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return "ended";
  }
  const now = processStart(pid);
  if (now === "ended") return "ended";
  if (now === undefined || start === undefined) return "unknown";
  return now === start ? "lives" : "ended";
}

/** `start` tells a process from a later one with the same number. */
function self() {
  return { pid: process.pid, host: hostname(), start: processStart(process.pid), slurm: slurmRun() };
}

/** The run of a Slurm job that this process belongs to. Slurm starts a job again, after a failure of its node for one, when it holds the last run for ended. */
function slurmRun({ SLURM_CLUSTER_NAME: cluster, SLURM_JOB_ID: job, SLURM_RESTART_COUNT: restarts } = process.env) {
  return job === undefined ? undefined : { cluster, job, restarts: Number(restarts ?? 0) };
}

function hasStartedAgain(before) {
  const now = slurmRun();
  return before?.job !== undefined && before.job === now?.job && before.cluster === now.cluster && before.restarts < now.restarts;
}

/** When a process was started, by Linux's /proc (field 22 of stat, after the name in brackets), else by ps; "ended" for a zombie. */
function processStart(pid) {
  if (process.platform !== "linux")
    return spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).stdout?.trim() || undefined;
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" ? "ended" : fields[19];
  } catch {
    return undefined;
  }
}

function release(path, mine) {
  try {
    if (lstatSync(path).isFile() && readFileSync(path, "utf8") === mine) remove(path);
  } catch {
    // the folder has gone, and the lock with it
  }
}

/** Best effort: the error that led here is the one to tell. */
function remove(path) {
  try {
    rmSync(path, { force: true });
  } catch {}
}
