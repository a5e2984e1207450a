import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { LconvError } from "../errors.js";
import { ioError } from "../io/files.js";

/** Who writes a run folder. `start` tells a process from a later one with the same number. */
interface Owner {
  pid: number;
  host: string;
  start?: string;
}

const HALF_WRITTEN_MS = 10_000;

/**
 * Takes the lock file `path` for this process and returns what gives it back. A lock whose process has ended on this host is taken over.
 * Throws ERR_LCONV_LOCKED naming the process that holds it, ERR_LCONV_IO.
 */
export function takeLock(path: string): () => void {
  const mine = JSON.stringify(self());
  for (let attempt = 0; ; attempt++) {
    if (create(path, mine)) return () => release(path, mine);
    const found = read(path);
    if (found === undefined) continue;
    const owner = parse(found);
    if (attempt >= 5 || (owner ? lives(owner) : isFresh(path))) throw locked(path, owner);
    takeAway(path, found);
  }
}

function create(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw ioError("write", path, error);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw ioError("read", path, error);
  }
}

/** Renames before it removes: of two processes that find the same stale lock one gets it, and a fresh lock is put back. */
function takeAway(path: string, stale: string): void {
  const aside = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const got = read(aside);
  if (got !== undefined && got !== stale) create(path, got);
  rmSync(aside, { force: true });
}

function release(path: string, mine: string): void {
  try {
    if (read(path) === mine) rmSync(path, { force: true });
  } catch {
    // the folder has gone, and the lock with it
  }
}

function parse(text: string): Owner | undefined {
  try {
    const { pid, host, start } = JSON.parse(text) as Owner;
    return Number.isInteger(pid) && pid > 0 && typeof host === "string" ? { pid, host, ...(start !== undefined && { start }) } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a lock without an owner may still be in the hands of a process that is about to write its name. */
function isFresh(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs < HALF_WRITTEN_MS;
  } catch {
    return false;
  }
}

function self(): Owner {
  const start = processStart(process.pid);
  return { pid: process.pid, host: hostname(), ...(start !== undefined && { start }) };
}

function lives({ pid, host, start }: Owner): boolean {
  if (host !== hostname()) return true; // it cannot be asked
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = processStart(pid);
  return now === undefined || start === undefined || now === start;
}

/** When a process was started, by Linux's /proc (field 22 of stat, after the name in brackets); "ended" for a zombie. */
function processStart(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return fields[0] === "Z" ? "ended" : fields[19];
  } catch {
    return undefined;
  }
}

function locked(path: string, owner: Owner | undefined): LconvError {
  const who = owner ? `process ${owner.pid}${owner.host === hostname() ? "" : ` on ${owner.host}`}` : "another process";
  return new LconvError(
    "ERR_LCONV_LOCKED",
    `${who} is writing this run folder (${path}); wait for it, or take another --out. If it has ended, remove that file`,
  );
}
