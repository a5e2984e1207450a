import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { readSafetensors, writeSafetensors } from "../../src/io/safetensors.js";
import { makeModel } from "../../src/models/models.js";
import { checkedConfig, configText } from "../../src/train/configText.js";
import type { EpochEvent } from "../../src/train/events.js";
import { loadWeights, writeModel } from "../../src/train/modelFile.js";
import { RunFolder } from "../../src/train/runFolder.js";
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
  testAccuracy: null,
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

test("a live writer keeps others out", () => {
  const folder = RunFolder.create(fresh());
  throwsCode(() => RunFolder.create(folder.path), "ERR_LCONV_LOCKED", "this process");
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
  throwsCode(() => RunFolder.create(lockedBy({ pid: 1, host: "elsewhere" })), "ERR_LCONV_LOCKED", "process 1 on elsewhere", "--steal-lock");
  const path = lockedBy("");
  throwsCode(() => RunFolder.create(path), "ERR_LCONV_LOCKED", "has left no name", "--steal-lock");
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

test("what killed writers left is removed under the lock; nothing of anybody else's is", () => {
  const [path, elsewhere] = [fresh(), fresh()];
  const checkpoint = "checkpoint.safetensors.99-ffffffff.tmp";
  const litter = ["config.json.123-0a1b2c3d.tmp", checkpoint, "loss.svg.1-0a1b2c3d.tmp", "lconv/model.safetensors.7-00000000.tmp"];
  const foreign = [
    "thesis.tex.123-0a1b2c3d.tmp",
    `lconv-random/${checkpoint}`,
    `locked/${checkpoint}`,
    `linked/${checkpoint}`,
    "lock.123-0a1b2c3d.tmp", // of somebody who asks for the lock
    "notes.tmp",
    "a.123-0a1b2c3.tmp",
    "a.b-0a1b2c3d.tmp",
    "other/config.json.123-0a1b2c3d.tmp",
    ".123-0a1b2c3d.tmp",
    "a.1-0a1b2c3d.tmp.gz",
  ];
  for (const folder of ["lconv", "lconv-random", "locked", "other"]) mkdirSync(join(path, folder), { recursive: true });
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(path, "linked"));
  writeFileSync(join(path, "locked/lock"), "");
  mkdirSync(join(path, "folder.123-0a1b2c3d.tmp"));
  for (const name of [...litter, ...foreign]) writeFileSync(join(path, name), "");
  const all = [...litter, ...foreign];
  writeFileSync(join(path, "config.json"), "{}");
  throwsCode(() => RunFolder.create(path), "ERR_LCONV_ARGUMENT");
  for (const name of all) assert.ok(existsSync(join(path, name)), `${name}: the folder was refused`);
  RunFolder.resume(path, { parts: ["lconv", "locked", "linked", "none"] }).close();
  for (const name of litter) assert.not(existsSync(join(path, name)), name);
  for (const name of [...foreign, "folder.123-0a1b2c3d.tmp"]) assert.ok(existsSync(join(path, name)), name);
});

test("a part of a comparison is no run of its own, and is a folder", () => {
  const whole = fresh();
  const part = join(whole, "lconv");
  const link = fresh();
  for (const name of ["lconv", "other"]) {
    mkdirSync(join(whole, name), { recursive: true });
    writeFileSync(join(whole, name, "config.json"), configText({}));
  }
  RunFolder.resume(part).close();
  writeFileSync(join(whole, "config.json"), configText({ command: "compare" }));
  symlinkSync(part, link);
  for (const path of [part, link, `${part}/`]) {
    throwsCode(() => RunFolder.resume(path), "ERR_LCONV_CHECKPOINT", `lconv compare --resume ${whole}`);
    throwsCode(() => RunFolder.create(path), "ERR_LCONV_CHECKPOINT", `lconv compare --resume ${whole}`);
  }
  throwsCode(() => RunFolder.create(join(whole, "cnn")), "ERR_LCONV_CHECKPOINT", "lconv compare --resume");
  assert.not(existsSync(join(whole, "cnn")));
  RunFolder.resume(join(whole, "other")).close();
  writeFileSync(join(whole, "cnn"), "");
  throwsCode(() => RunFolder.resume(whole, { parts: ["lconv", "cnn"] }), "ERR_LCONV_IO", join(whole, "cnn"), "it is no folder");
  assert.not(existsSync(join(whole, "lock")));
});

test("a named pipe for a configuration does not block", () => {
  const path = fresh();
  mkdirSync(path);
  if (spawnSync("mkfifo", [join(path, "config.json")]).status !== 0) return; // there are none here
  throwsCode(() => RunFolder.create(path), "ERR_LCONV_ARGUMENT", `lconv train --resume ${path}`);
});

test("one flipped bit in a configuration is noticed", () => {
  const config = { variant: "default", splineOrder: 3, regularize: { norm: 1, closure: 0.5 } };
  const text = configText(config);
  assert.equal(checkedConfig("c.json", JSON.parse(text)), config);
  const { checksum, ...rest } = JSON.parse(text) as { checksum: string };
  const { regularize } = config;
  const turned = { checksum, regularize: { closure: regularize.closure, norm: regularize.norm }, splineOrder: 3, variant: "default" };
  checkedConfig("c.json", turned);
  assert.equal(checkedConfig("c.json", rest), config, "one without a checksum stays readable");
  assert.is(checkedConfig("c.json", null), null);
  let noticed = 0;
  for (let bit = 0; bit < 8 * text.length; bit++) {
    const bytes = Buffer.from(text);
    bytes[bit >> 3] ^= 1 << (bit & 7);
    let flipped: object;
    try {
      flipped = JSON.parse(String(bytes)) as object;
    } catch {
      continue; // as good
    }
    if (isDeepStrictEqual(flipped, JSON.parse(text)) || !("checksum" in flipped)) continue; // white space; an unknown key
    throwsCode(() => checkedConfig("c.json", flipped), "ERR_LCONV_IO", "c.json", 'delete the key "checksum"');
    noticed++;
  }
  assert.ok(noticed > 100, String(noticed));
});

test("a lock that cannot be asked is stolen when that is asked for", () => {
  const path = lockedBy({ pid: 1, host: "elsewhere" });
  RunFolder.create(path, { steal: true }).close();
  assert.equal(readdirSync(path), []);
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
  writeModel(path, a, { config: { model: "lconv" }, input });
  loadWeights(path, b);
  assert.equal([...b.save()], [...a.save()]);
  assert.is(readSafetensors(path).metadata["input"], JSON.stringify(input));
  throwsCode(() => loadWeights(path, other), "ERR_LCONV_CHECKPOINT", '"0.U"', "[2, 16, 3]");
  writeSafetensors(path, [], { format: "\u001b[2J" });
  throwsCode(() => loadWeights(path, b), "ERR_LCONV_CHECKPOINT", "got \\u{1b}[2J");
  writeSafetensors(path, [], {});
  throwsCode(() => loadWeights(path, b), "ERR_LCONV_CHECKPOINT", "got none");
  for (const model of [a, b, other]) model.dispose();
});

test.run();
