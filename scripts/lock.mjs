import { join } from "node:path";
import { tryLock } from "./lockFile.mjs";
import { root, SetupError, say } from "./support.mjs";

const POLL_MS = 200;
/** How long a lock may name nobody, or one that cannot be asked, before that is an error. */
const PATIENCE_MS = 5000;

/**
 * Runs `body` while no other set-up works in this clone: `npm start` and `npm test` may begin at the same time. Waits for one that lives, which may
 * compile for minutes; --steal-lock takes the lock of one that cannot be asked.
 */
export function withLock(body, file = join(root, ".setup-lock")) {
  const release = acquire(file, process.argv.includes("--steal-lock"));
  try {
    body();
  } finally {
    release();
  }
}

function acquire(file, steal) {
  let [told, knownAt] = ["", performance.now()];
  for (;;) {
    const { release, holder } = attempt(file, steal);
    if (release) return release;
    const { text, state, pid } = holder;
    if (state === "lives") knownAt = performance.now();
    if (performance.now() - knownAt > PATIENCE_MS)
      throw new SetupError(
        `${text} is setting this up and cannot be asked; if it has ended, remove ${file}, or in a clone type: npm run setup -- --steal-lock`,
      );
    if (told !== text) say(`waiting for another set-up, ${text}${pid ? ` (to stop it: kill ${pid})` : ""}; Ctrl-C to give up`);
    told = text;
    // Ctrl-C ends a process that waits so, as it has no handler that would have to run.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function attempt(file, steal) {
  try {
    return tryLock(file, { steal });
  } catch (error) {
    throw new SetupError(`cannot write ${file}: ${error.message}`);
  }
}
