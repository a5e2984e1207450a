// time limit: 1800 s
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Flatness } from "./flatness.js";

const test = suite("soak");

/** Runs a soak in its short form and returns what it said; fails with that unless it ends with exit code 0. */
function soak(name: string, ...args: string[]): Promise<string> {
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const command = ["--expose-gc", "--import", import.meta.resolve("tsx"), script, ...args];
  return new Promise((done, fail) => {
    execFile(process.execPath, command, { timeout: 850_000, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error) fail(new Error(`${name}: ${error.signal ?? error.code}\n${stdout}${stderr}`));
      else done(stdout);
    });
  });
}

test("training steps, programs and workers leave the resident memory flat", async () => {
  const told = await soak("memory", "--share", "0.005");
  assert.equal(
    [...told.matchAll(/^flat: \d+ (\w+)/gm)].map((match) => match[1]),
    ["steps", "programs", "workers"],
  );
});

test("runs that are killed, fought for, damaged and read end with the weights and files of undisturbed ones", async () => {
  const lines = (await soak("kills", "--seconds", "5")).trim().split("\n");
  const { rounds, sessions, kills, reads } = JSON.parse(String(lines.at(-1)));
  assert.ok(rounds >= 1 && sessions >= 2 && reads > 0, lines.at(-1));
  assert.ok(
    Object.values(kills as Record<string, number>).some((n) => n > 0),
    lines.at(-1),
  );
});

test("growth counts from the lowest after the first tenth to the end", () => {
  const growth = (megabytes: readonly number[]): number => {
    const memory = new Flatness();
    for (const [i, value] of megabytes.entries()) memory.note(i / (megabytes.length - 1), value);
    return memory.growth;
  };
  assert.is(growth([0, 90, 90, 91, 92, 88, 90, 91, 92, 92, 92]), 4);
  assert.is(growth([99, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99]), 9);
  assert.is(growth([0, 90, 80, 80, 80, 80, 80, 80, 80, 80, 86]), 6);
  assert.is(growth([0, 90, 97, 98, 99, 99, 99, 90, 90, 90, 90]), 0);
  assert.is(growth([0, 90, 89, 88, 87, 86, 85, 84, 83, 82, 81]), 0);
});

test.run();
