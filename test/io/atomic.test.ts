import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AtomicFile, writeAtomic } from "../../src/io/atomic.js";
import { ioError, readBytes } from "../../src/io/files.js";
import { makeFolder } from "../../src/io/folders.js";
import { arm } from "../support/fileFaults.mjs";
import { skip } from "../support/skip.js";
import { fails, temporaryFile, temporaryFolder } from "./helpers.js";

const test = suite("io/atomic");

test("writes text, bytes and parts, makes folders, leaves nothing else behind", () => {
  const folder = join(temporaryFolder(), "a", "b");
  writeAtomic(join(folder, "text"), "héllo");
  writeAtomic(join(folder, "bytes"), Uint8Array.of(1, 2, 3));
  writeAtomic(join(folder, "parts"), [Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]);
  assert.is(readFileSync(join(folder, "text"), "utf8"), "héllo");
  assert.equal(readBytes(join(folder, "bytes")), Uint8Array.of(1, 2, 3));
  assert.equal(readBytes(join(folder, "parts")), Uint8Array.of(1, 2, 3));
  assert.equal(readdirSync(folder).sort(), ["bytes", "parts", "text"]);
});

test("an aborted write keeps the old file", () => {
  const path = temporaryFile("kept", "old");
  const file = new AtomicFile(path);
  file.write(Buffer.from("new"));
  file.abort();
  assert.is(readFileSync(path, "utf8"), "old");
  assert.equal(readdirSync(join(path, "..")), ["kept"]);
  file.abort();
});

test("a part that fails half-way keeps the old file", async () => {
  const path = temporaryFile("kept", "old");
  const parts = function* (): Generator<Uint8Array> {
    yield Uint8Array.of(1);
    throw new Error("no more");
  };
  assert.throws(() => writeAtomic(path, parts()), "no more");
  assert.is(readFileSync(path, "utf8"), "old");
  assert.equal(readdirSync(join(path, "..")), ["kept"]);
});

test("a close that fails is one typed error, closes once and leaves nothing", async () => {
  const path = temporaryFile("kept", "old");
  const folder = join(path, "..");
  const operations = arm("count", folder);
  writeAtomic(path, "new");
  const at = operations.findIndex((line) => line.startsWith("closeSync")) + 1;
  assert.ok(at > 0, operations.join("\n"));
  for (const code of ["EDQUOT", "EIO", "ESTALE"]) {
    const done = arm(`error:${at}:${code}`, folder);
    await fails(() => writeAtomic(path, "newer"), "ERR_LCONV_IO", new RegExp(`cannot write .*kept: .*${code}`));
    assert.is(done.filter((line) => line.startsWith("closeSync")).length, 1, done.join("\n"));
    assert.equal([readFileSync(path, "utf8"), ...readdirSync(folder)], ["new", "kept"]);
  }
  arm("count", folder);
});

test("the old file can stay under another name", () => {
  const path = temporaryFile("a", "1");
  const keep = join(path, "..", "a.previous");
  writeAtomic(path, "2", { keep });
  assert.equal([readFileSync(path, "utf8"), readFileSync(keep, "utf8")], ["2", "1"]);
  writeAtomic(path, "3", { keep });
  assert.equal([readFileSync(path, "utf8"), readFileSync(keep, "utf8")], ["3", "2"]);
  assert.equal(readdirSync(join(path, "..")).sort(), ["a", "a.previous"]);
});

test("a folder is made with those above it, and says what it made; a place that takes none ends at once", async () => {
  const root = temporaryFolder();
  assert.equal(makeFolder(join(root, "a", "b")), [join(root, "a"), join(root, "a", "b")]);
  assert.equal(makeFolder(join(root, "a", "b")), []);
  assert.throws(() => makeFolder("/proc/none/below"), /ENOENT|EPERM|EACCES|EROFS/); // mkdir's recursive never returns here
});

test("a read-only file system is called that", () => {
  const root = temporaryFolder();
  const module = new URL("../../src/train/runFolder.ts", import.meta.url).href;
  const code = `const { RunFolder } = await import(${JSON.stringify(module)}); try { RunFolder.create(${JSON.stringify(join(root, "x", "y"))}); } catch (e) { console.log(e.code, e.message); }`;
  const run = `mount -t tmpfs -o ro none '${root}' || exit 77; exec '${process.execPath}' --import '${import.meta.resolve("tsx")}' --input-type=module -e "$CODE"`;
  const { status, stdout, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", run], {
    encoding: "utf8",
    env: { ...process.env, CODE: code },
  });
  if (status !== 0) return skip(`nothing can be mounted here (${stderr?.trim()})`);
  assert.match(stdout, /ERR_LCONV_IO cannot create .*x.y: the file system is read-only; choose another place \(EROFS\)/);
});

test("says why it cannot write", async () => {
  const file = temporaryFile("file", "");
  await fails(() => writeAtomic(join(file, "below"), "x"), "ERR_LCONV_IO", /cannot write .*below: .*(ENOTDIR|EEXIST)/);
  const folder = temporaryFolder();
  mkdirSync(join(folder, "taken"));
  await fails(() => writeAtomic(join(folder, "taken"), "x"), "ERR_LCONV_IO", /cannot write .*taken: it is a folder/);
  assert.equal(readdirSync(folder), ["taken"]);
  if (process.getuid?.() === 0) return; // root may write anywhere
  chmodSync(folder, 0o500);
  await fails(() => writeAtomic(join(folder, "x"), "x"), "ERR_LCONV_IO", /permission denied.*EACCES/);
});

test("a full device is named as such", async () => {
  const error = ioError("write", "/somewhere", Object.assign(new Error("write"), { code: "ENOSPC" }));
  assert.is(error.code, "ERR_LCONV_IO");
  assert.match(error.message, /cannot write \/somewhere: no space left on the device; free some space.*ENOSPC/);
});

test("reading says what is wrong", async () => {
  const folder = temporaryFolder();
  await fails(() => readBytes(join(folder, "none")), "ERR_LCONV_IO", /cannot read .*none: no such file.*ENOENT/);
  await fails(() => readBytes(folder), "ERR_LCONV_IO", /is not a file|it is a folder/);
});

test.run();
