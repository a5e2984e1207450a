import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { readSafetensors, writeSafetensors } from "../../src/io/safetensors.js";
import { makeModel } from "../../src/models/models.js";
import type { EpochEvent } from "../../src/train/events.js";
import { loadModel, RunFolder, saveModel } from "../../src/train/runFolder.js";
import { temporaryFolder } from "../cli/command.js";
import { throwsCode } from "../support/throws.js";

const test = suite("train/runFolder");
const root = temporaryFolder();
let next = 0;
const fresh = (): string => join(root, `run${next++}`);

const epoch = (n: number): EpochEvent => ({
  type: "epoch",
  model: "lconv",
  epoch: n,
  epochs: 2,
  loss: 1,
  accuracy: 0.5,
  valLoss: null,
  valAccuracy: null,
  seconds: 1,
  learningRate: 0.1,
});

test("a run that came to nothing leaves nothing behind", () => {
  const folder = RunFolder.create(fresh());
  folder.writeConfig({ lr: 1 });
  folder.close();
  assert.not(existsSync(folder.path));
});

test("a folder with a run is not taken for another", () => {
  const folder = RunFolder.create(fresh());
  folder.writeConfig({ lr: 1 });
  folder.writeMetrics([epoch(1)]);
  folder.close();
  assert.equal(readdirSync(folder.path).sort(), ["config.json", "metrics.jsonl"]);
  throwsCode(() => RunFolder.create(folder.path), "ERR_LCONV_ARGUMENT", "a run that was begun", "--resume", "--out");
  const resumed = RunFolder.resume(folder.path);
  resumed.writeMetrics([epoch(1), epoch(2)]);
  resumed.writeResult({});
  resumed.close();
  assert.is(readFileSync(resumed.file("metrics"), "utf8").trim().split("\n").length, 2);
  throwsCode(() => RunFolder.create(folder.path), "ERR_LCONV_ARGUMENT", "a finished run");
  throwsCode(() => RunFolder.resume(fresh()), "ERR_LCONV_CHECKPOINT", "no run to resume");
});

test("a live writer keeps others out, by its number", () => {
  const folder = RunFolder.create(fresh());
  throwsCode(() => RunFolder.create(folder.path), "ERR_LCONV_LOCKED", `process ${process.pid}`);
  folder.close();
  RunFolder.create(folder.path).close();
});

function lockedBy(owner: object | string): string {
  const path = fresh();
  mkdirSync(path);
  writeFileSync(join(path, "lock"), typeof owner === "string" ? owner : JSON.stringify(owner));
  return path;
}

test("a lock of a process that has ended is taken over", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  RunFolder.create(lockedBy({ pid: child.pid, host: hostname() })).close();
  // the number of a dead process, used again by another
  if (process.platform === "linux") RunFolder.create(lockedBy({ pid: process.pid, host: hostname(), start: "1" })).close();
});

test("a lock of another host, or one half written, is respected", () => {
  throwsCode(
    () => RunFolder.create(lockedBy({ pid: 1, host: "elsewhere" })),
    "ERR_LCONV_LOCKED",
    "process 1 on elsewhere",
    "remove that file",
  );
  const path = lockedBy("");
  throwsCode(() => RunFolder.create(path), "ERR_LCONV_LOCKED", "another process");
  utimesSync(join(path, "lock"), 1, 1);
  RunFolder.create(path).close();
});

test("a folder that cannot be written, or has no room, is an error before anything is lost", () => {
  const file = fresh();
  writeFileSync(file, "");
  throwsCode(() => RunFolder.create(join(file, "run")), "ERR_LCONV_IO", file);
  throwsCode(() => RunFolder.create(file), "ERR_LCONV_IO", file);
  throwsCode(() => RunFolder.createNumbered(join(file, "run")), "ERR_LCONV_IO", file);
  const folder = RunFolder.create(fresh());
  throwsCode(() => folder.reserve(1e18), "ERR_LCONV_IO", "needs about", "free some space");
  folder.close();
});

test("numbered folders count on", () => {
  const base = fresh();
  const folders = [1, 2, 3].map(() => RunFolder.createNumbered(base));
  assert.equal(
    folders.map(({ path }) => path),
    [base, `${base}-2`, `${base}-3`],
  );
  for (const folder of folders) folder.close();
});

test("a model file restores weights, and only into its model", () => {
  const input = { channels: 1, height: 4, width: 4, classes: 3, scale: 255 };
  const build = (seed: number, rank = 2) => makeModel("lconv", input, device("cpu"), { filters: 2, generators: 2, rank, seed });
  const path = `${fresh()}.safetensors`;
  const [a, b, other] = [build(0), build(1), build(0, 3)];
  saveModel(path, a, { config: { model: "lconv" }, input });
  loadModel(path, b);
  assert.equal([...b.save()], [...a.save()]);
  assert.is(readSafetensors(path).metadata["input"], JSON.stringify(input));
  throwsCode(() => loadModel(path, other), "ERR_LCONV_CHECKPOINT", '"0.U"', "[2, 16, 3]");
  writeSafetensors(path, [], {});
  throwsCode(() => loadModel(path, b), "ERR_LCONV_CHECKPOINT", "got none");
  for (const model of [a, b, other]) model.dispose();
});

test.run();
