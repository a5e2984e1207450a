import { setImmediate } from "node:timers/promises";

const PAUSE_MS = 50;
let last = 0;

/**
 * Yields to the event loop if it last did so 50 ms ago or more. Long host work awaits it between pieces, so that timers, signals of the
 * operating system and other tasks are served. Throws the reason of `signal`.
 */
export async function breathe(signal?: AbortSignal): Promise<void> {
  if (performance.now() - last >= PAUSE_MS) {
    await setImmediate();
    last = performance.now();
  }
  signal?.throwIfAborted();
}

/** Host work in pieces, so that a caller can serve the event loop between them: it yields after each piece and returns its result. */
export type Pieces<T> = Generator<void, T>;

/** All pieces in one go, for functions that are not async. */
export function inOneGo<T>(work: Pieces<T>): T {
  for (;;) {
    const next = work.next();
    if (next.done) return next.value;
  }
}

/** The same with the event loop served between the pieces. Throws the reason of `signal`. */
export async function breathing<T>(work: Pieces<T>, signal?: AbortSignal): Promise<T> {
  try {
    for (;;) {
      await breathe(signal);
      const next = work.next();
      if (next.done) return next.value;
    }
  } finally {
    work.return(undefined as never);
  }
}

/** `list.map(make)`, a piece each. */
export function* inPieces<T, U>(list: Iterable<T>, make: (item: T, i: number) => U): Pieces<U[]> {
  const made: U[] = [];
  for (const item of list) {
    made.push(make(item, made.length));
    yield;
  }
  return made;
}
