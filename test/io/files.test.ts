import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ByteReader } from "../../src/io/byteReader.js";
import { temporaryFile, temporaryFolder } from "./helpers.js";

const test = suite("io/files");
const source = (name: string): string => new URL(`../../src/${name}.ts`, import.meta.url).href;

/** What `call` of an export of `module` comes to: in a process of its own, as a read that blocks can only be killed. */
function outcome(module: string, call: string): string {
  const script = `import(${JSON.stringify(source(module))}).then(async (m) => console.log("got", await m.${call})).catch((e) => console.log(e.code, e.message))`;
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" };
  return execFileSync(process.execPath, ["--import", "tsx", "-e", script], {
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
    env,
  });
}

const pipe = join(temporaryFolder(), "pipe");
execFileSync("mkfifo", [pipe]);

for (const [what, module, call] of [
  ["files", "io/files", "readBytes"],
  ["safetensors", "io/safetensors", "readSafetensors"],
  ["a stream", "io/byteReader", "ByteReader.open"],
] as const)
  test(`a named pipe and a device are no files and do not block: ${what}`, () => {
    for (const path of [pipe, "/dev/zero"])
      assert.is(outcome(module, `${call}(${JSON.stringify(path)})`).trim(), `ERR_LCONV_IO cannot read ${path}: it is not a file`);
  });

test("nor is it a shared object", () => {
  assert.is(outcome("engine/elf", `elfFault(${JSON.stringify(pipe)})`).trim(), "got not a file");
  const named = `process.env.LCONV_NATIVE = ${JSON.stringify(pipe)}`;
  assert.match(outcome("engine/native", `native(${named})`), `ERR_LCONV_NATIVE`);
  assert.match(outcome("engine/native", `native(${named})`), `${pipe}: not a file`);
});

test("a reader closes its file, read to the end or not", async () => {
  if (process.platform !== "linux") return;
  const path = temporaryFile("x", "some bytes");
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  for (let i = 0; i < 20; i++) {
    await ByteReader.readAll(path, (reader) => reader.read(10, "text"));
    await ByteReader.readAll(path, (reader) => reader.read(11, "text")).catch(() => {});
    ByteReader.open(path).close();
    assert.throws(() => ByteReader.open(pipe));
  }
  for (let i = 0; i < 500 && open() > before; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(open() <= before, `${open()} descriptors, ${before} before`);
});

test.run();
