import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, say } from "./support.mjs";

const file = join(root, ".setup-lock");

/** Runs `body` while no other set-up works in this clone: `npm start` and `npm test` may begin at the same time. */
export function withLock(body) {
  acquire();
  try {
    body();
  } finally {
    rmSync(file, { force: true });
  }
}

function acquire() {
  for (let waited = false; ; waited = true) {
    try {
      return writeFileSync(file, String(process.pid), { flag: "wx" });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!holderLives()) {
      rmSync(file, { force: true });
      continue;
    }
    if (!waited) say("waiting for another set-up of this clone");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function holderLives() {
  try {
    const holder = Number(readFileSync(file, "utf8"));
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
