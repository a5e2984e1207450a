import { type Holder, type LockOptions, tryLock } from "../../scripts/lockFile.mjs";
import { LconvError } from "../errors.js";
import { ioError } from "../io/files.js";

export type { LockOptions };

/**
 * Takes the lock file `path` for this process and returns what gives it back. A lock whose process has ended on this host is taken over; with `steal`
 * also one of which that is not known. Never waits. Throws ERR_LCONV_LOCKED naming the process that holds it and the way out, ERR_LCONV_IO.
 */
export function takeLock(path: string, options: LockOptions = {}): () => void {
  const lock = attempt(path, options);
  if (lock.holder) throw locked(path, lock.holder);
  return lock.release;
}

function attempt(path: string, options: LockOptions) {
  try {
    return tryLock(path, options);
  } catch (error) {
    throw ioError("write", path, error);
  }
}

function locked(path: string, { text, state, pid }: Holder): LconvError {
  const mine = state === "lives" && pid === process.pid;
  const advice = mine
    ? "close it there first, or take another --out"
    : state === "lives"
      ? `wait for it, stop it (kill ${pid}), or take another --out`
      : "wait for it, or take another --out. It cannot be asked: if it has ended, take the folder over with --steal-lock";
  return new LconvError("ERR_LCONV_LOCKED", `${mine ? "this process" : text} is writing this run folder (${path}); ${advice}`);
}
