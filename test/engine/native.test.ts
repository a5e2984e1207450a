import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ABI } from "../../src/engine/addon.js";
import { elfFault } from "../../src/engine/elf.js";
import { LconvError } from "../../src/errors.js";
import { binary } from "../support/binary.js";

const test = suite("engine/native");
const root = fileURLToPath(new URL("../../", import.meta.url));
const loader = new URL("../../src/engine/native.ts", import.meta.url).href;
const headers = join(dirname(createRequire(import.meta.url).resolve("node-api-headers/package.json")), "include");
const folder = mkdtempSync(join(tmpdir(), "lconv-native-"));
test.after(() => rmSync(folder, { recursive: true }));

/** Loads `path` in a process of its own, as a crash would end this one. Returns what it printed: the error, or the ABI. */
function load(path: string): string {
  const script = `import(${JSON.stringify(loader)}).then(({ native }) => console.log("loaded", native().info().abi)).catch((e) => console.log(e.code, e.message))`;
  return execFileSync(process.execPath, ["--import", "tsx", "-e", script], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, LCONV_NATIVE: path },
  });
}

/** A copy of the binary with `change` applied to it. */
function copyWith(name: string, change: (path: string) => void): string {
  const path = join(folder, name);
  copyFileSync(binary, path);
  change(path);
  return path;
}

function compile(name: string, ...flags: string[]): string {
  const path = join(folder, name);
  const source = join(root, "test/fixtures/other-abi.c");
  execFileSync("cc", ["-shared", "-fPIC", "-DNAPI_VERSION=9", `-I${headers}`, ...flags, "-o", path, source]);
  return path;
}

test("loads the binary and finds its own ABI", () => {
  assert.is(load(binary).trim(), `loaded ${ABI}`);
});

test("a missing file is named, with the command that builds it", () => {
  const output = load(join(folder, "nowhere.node"));
  assert.match(output, /^ERR_LCONV_NATIVE cannot load the native engine/);
  assert.match(output, "nowhere.node: missing");
  assert.match(output, "npm run setup");
});

test("a binary cut off anywhere gives an error, not a crash", () => {
  const { length } = readFileSync(binary);
  for (const size of [0, 3, 63, 64, 4096, length >> 1, length - 1]) {
    const path = copyWith(`cut-${size}.node`, (copy) => truncateSync(copy, size));
    assert.match(elfFault(path) ?? "no fault", /^corrupted/, `${size} bytes`);
  }
  const output = load(join(folder, `cut-${length >> 1}.node`));
  assert.match(output, /ERR_LCONV_NATIVE[\s\S]*corrupted: truncated[\s\S]*npm run build:native/);
});

test("a text file gives an error that says so", () => {
  const path = join(folder, "text.node");
  writeFileSync(path, "version https://git-lfs.github.com/spec/v1\n".repeat(100));
  assert.match(load(path), "no ELF magic");
});

test("a bit that flipped is found by the checksum beside the file", () => {
  const path = copyWith("flipped.node", (copy) => {
    const bytes = readFileSync(copy);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(copy, bytes);
  });
  copyFileSync(`${binary}.sha256`, `${path}.sha256`);
  assert.match(load(path), /ERR_LCONV_NATIVE[\s\S]*corrupted: its contents differ/);
});

test("a binary for another processor is named as such", () => {
  const path = copyWith("other-cpu.node", (copy) => {
    const bytes = readFileSync(copy);
    bytes.writeUInt16LE(process.arch === "arm64" ? 62 : 183, 18);
    writeFileSync(copy, bytes);
  });
  assert.match(load(path), /wrong architecture: built for (arm64|x64), this Node is/);
});

test("another ABI number is refused with both numbers", () => {
  assert.match(load(compile("other-abi.node")), `expected ABI ${ABI}, got 99 (built from lconv 9.9.9)`);
});

test("an addon of something else is refused", () => {
  assert.match(load(compile("not-lconv.node", "-DNOT_LCONV")), "not the lconv engine");
});

test("errors are LconvErrors", async () => {
  const { native } = await import("../../src/engine/native.js");
  const before = process.env["LCONV_NATIVE"];
  process.env["LCONV_NATIVE"] = join(folder, "nowhere.node");
  try {
    assert.throws(native, (error: unknown) => error instanceof LconvError && error.code === "ERR_LCONV_NATIVE");
  } finally {
    if (before === undefined) delete process.env["LCONV_NATIVE"];
    else process.env["LCONV_NATIVE"] = before;
  }
  assert.is(native().info().abi, ABI);
});

test("four workers load it side by side and end cleanly", async () => {
  const script = `require("tsx/cjs/api").register(); const { native } = require(${JSON.stringify(fileURLToPath(loader))});
    require("node:worker_threads").parentPort.postMessage(native().info().abi);`;
  const results = Array.from({ length: 4 }, async () => {
    const worker = new Worker(script, { eval: true });
    const exit = new Promise<number>((done) => worker.once("exit", done));
    const abi = await new Promise((done, fail) => worker.once("message", done).once("error", fail));
    return [abi, await exit];
  });
  assert.equal(await Promise.all(results), Array(4).fill([ABI, 0]));
});

test.run();
