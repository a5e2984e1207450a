// time limit: 300 s
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LconvError } from "../../src/errors.js";
import { writeSafetensors } from "../../src/io/safetensors.js";
import { findCheckpoint, type Kept, writeCheckpoint } from "../../src/train/checkpointFiles.js";
import { RunFolder } from "../../src/train/runFolder.js";
import { arm } from "../support/fileFaults.mjs";

const test = suite("train/faults");
const root = mkdtempSync(join(tmpdir(), "lconv-faults-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

const write = (folder: RunFolder, step: number, kept: Kept): void =>
  writeCheckpoint(
    folder.file("checkpoint"),
    [["w", { shape: [2000], data: new Float32Array(2000).fill(step) }]],
    { step: String(step) },
    kept,
  );

/** All that a run writes, of steps `from` to `from` + 2. */
function run(open: () => RunFolder, from: number, kept: Kept): void {
  const folder = open();
  try {
    folder.writeConfig({ lr: 1 });
    write(folder, from, kept);
    write(folder, from + 1, "last");
    write(folder, from + 2, "last");
    writeSafetensors(folder.file("model"), [["w", { shape: [1], data: Float32Array.of(from) }]]);
    folder.writeResult({});
  } finally {
    folder.close();
  }
}

const stepOf = (path: string): number => Number(findCheckpoint(join(path, "checkpoint.safetensors"))?.file.metadata["step"]);
const descriptors = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);

/** Lets each file operation of `work` fail with `code` once, in a folder that `before` made, and looks at what is left. */
function everyFault(
  code: string,
  before: (path: string) => void,
  work: (path: string) => void,
  after: (path: string, at: string) => void,
): number {
  let failed = 0;
  for (let k = 1; ; k++) {
    const path = join(root, `${code}${k}`);
    before(path);
    const open = descriptors();
    const operations = arm(`error:${k}:${code}`, path);
    let outcome: unknown;
    try {
      work(path);
    } catch (error) {
      outcome = error;
    }
    const list = [...operations];
    arm("count", path);
    const at = list[k - 1] ?? "nothing";
    if (outcome !== undefined) {
      failed++;
      assert.instance(outcome, LconvError, `${at}: ${String(outcome)}`);
      assert.is((outcome as LconvError).code, "ERR_LCONV_IO", `${at}: ${String(outcome)}`);
    }
    assert.ok(descriptors() <= open, `${at}: ${descriptors()} descriptors, ${open} before`); // the loader may close one of its own meanwhile
    // What could not be removed is left, of course.
    const left = (existsSync(path) ? readdirSync(path) : []).filter((name) => /\.tmp$|^lock/.test(name) && !at.endsWith(join(path, name)));
    assert.equal(left, [], at);
    after(path, at);
    rmSync(path, { recursive: true, force: true });
    if (list.length < k) return failed;
  }
}

for (const code of ["ENOSPC", "EIO", "EDQUOT"]) {
  test(`${code} at every operation of a resumed run: typed, nothing lost, no litter`, () => {
    const failed = everyFault(
      code,
      (path) => run(() => RunFolder.create(path), 1, "none"),
      (path) => run(() => RunFolder.resume(path), 4, "last"),
      (path) => {
        assert.ok(stepOf(path) >= 3, "the checkpoint went back");
        JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
      },
    );
    assert.ok(failed >= 30, `only ${failed} failures`);
  });
}

test("links that the file system does not know: the last two checkpoints are there all the same", () => {
  const path = join(root, "links");
  const failed = everyFault(
    "EPERM",
    (folder) => run(() => RunFolder.create(folder), 1, "none"),
    (folder) => run(() => RunFolder.resume(folder), 4, "last"),
    (folder) => assert.ok(stepOf(folder) >= 3),
  );
  assert.ok(failed > 0);
  assert.not(existsSync(path));
});

test("a new run whose folder cannot be locked or made leaves nothing", () => {
  const failed = everyFault(
    "ENOSPC",
    () => {},
    (path) => RunFolder.create(join(path, "a", "b")).close(),
    (path, at) => {
      if (!/^(rm|unlink)/.test(at)) assert.not(existsSync(join(path, "a", "b")), at);
    },
  );
  assert.ok(failed >= 4, `only ${failed} failures`);
});

test.run();
