import { lstatSync, rmSync, utimesSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { tryLock } from "../../scripts/lockFile.mjs";
import { ioError } from "../io/files.js";

const POLL_MS = 500; // between two looks at a lock that somebody holds
const BEAT_MS = 1_000; // after which the holder touches its lock again
const SILENT_MS = 10_000; // a lock that was not touched for so long counts as given up

export interface Once {
  /** Whether there is nothing left to do. */
  isDone(): boolean;
  /** The signal aborts by the caller's and when the lock was lost. */
  work(signal: AbortSignal): Promise<void>;
  /** Called again and again while another process, or another call, does the work. */
  onWait?(): void;
}

/**
 * Does work that several processes, threads and calls may request at the same time: the one that gets the lock file does it, the others wait. They take over where
 * the holder gives up or is killed; where that cannot be seen (a thread, another host), by the lock, which a holder touches every second.
 * Throws what the work throws, ERR_LCONV_IO for a lock that cannot be written, the signal's reason.
 */
export async function doOnce(lock: string, once: Once, signal: AbortSignal = new AbortController().signal): Promise<void> {
  let seen = { stamp: "", since: 0 };
  while (!once.isDone()) {
    signal.throwIfAborted();
    const release = take(lock);
    if (release) {
      await hold(lock, release, once, signal);
      continue;
    }
    once.onWait?.();
    const stamp = stampOf(lock);
    if (stamp !== seen.stamp) seen = { stamp, since: performance.now() };
    else if (performance.now() - seen.since > SILENT_MS) evict(lock, stamp);
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function take(lock: string): (() => void) | undefined {
  try {
    const taken = tryLock(lock);
    return taken.holder ? undefined : taken.release;
  } catch (error) {
    throw ioError("write", lock, error);
  }
}

/** Works and touches the lock. If another process has touched it, this one was taken for dead: it stops and waits like the others. */
async function hold(lock: string, release: () => void, { isDone, work }: Once, signal: AbortSignal): Promise<void> {
  const lost = new AbortController();
  let mine = touch(lock);
  const beat = setInterval(() => {
    if (stampOf(lock) === mine) mine = touch(lock);
    else lost.abort(new Error("the lock was lost"));
  }, BEAT_MS);
  beat.unref();
  try {
    if (!isDone()) await work(AbortSignal.any([signal, lost.signal]));
  } catch (error) {
    if (!lost.signal.aborted || signal.aborted) throw error;
  } finally {
    clearInterval(beat);
    if (stampOf(lock) === mine) release();
  }
}

/** Changes whenever the lock is touched or another one comes; "" when there is none. */
function stampOf(lock: string): string {
  try {
    const { ino, mtimeMs } = lstatSync(lock);
    return `${ino} ${mtimeMs}`;
  } catch {
    return "";
  }
}

function touch(lock: string): string {
  try {
    const now = new Date();
    utimesSync(lock, now, now);
  } catch {
    // not allowed, or gone: the stamp tells
  }
  return stampOf(lock);
}

/**
 * Removes an abandoned lock unless it was touched meanwhile. Only one of several callers does: the one that holds the file NAME.takeover.
 */
function evict(lock: string, stamp: string): void {
  const guard = take(`${lock}.takeover`);
  if (!guard) return;
  try {
    if (stampOf(lock) === stamp) rmSync(lock, { force: true, recursive: true });
  } finally {
    guard();
  }
}
