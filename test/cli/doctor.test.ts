import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lconv, temporaryFolder } from "./command.js";

const test = suite("cli/doctor");
const folder = temporaryFolder();

interface Device {
  name: string;
  available: boolean;
  reason: string;
}

test("tells what is here as one JSON object", async () => {
  const { code, lines, stderr } = await lconv(folder, ["doctor", "--json"], { LCONV_DATA: join(folder, "none"), LCONV_THREDS: "2" });
  assert.is(code, 0, stderr);
  assert.is(lines.length, 1);
  const [found] = lines;
  assert.ok(found.ok);
  const devices = found.devices as Device[];
  assert.equal(
    devices.map(({ name, available }) => [name, available]),
    [
      ["cpu", true],
      ["cuda", false],
    ],
  );
  const problems = new Map((found.variables as { name: string; problem?: string }[]).map(({ name, problem }) => [name, problem]));
  assert.match(problems.get("LCONV_DATA") ?? "", "no such file");
  assert.match(problems.get("LCONV_THREDS") ?? "", "did you mean LCONV_THREADS?");
});

test("a corrupted engine is told, not thrown", async () => {
  const broken = join(folder, "broken.node");
  writeFileSync(broken, "not a shared object");
  const { code, lines, stderr } = await lconv(folder, ["doctor", "--json"], { LCONV_NATIVE: broken });
  assert.is(code, 1);
  assert.is(stderr, "");
  const engine = lines[0].engine as { loaded: boolean; problem: string };
  assert.not(engine.loaded);
  assert.match(engine.problem, "broken.node: corrupted");

  const trained = await lconv(folder, ["train", "--dataset", "glyphs", "--json"], { LCONV_NATIVE: broken });
  assert.is(trained.code, 1);
  assert.is(trained.lines[0].code, "ERR_LCONV_NATIVE");
});

test("data lists what is here, and writes the generated set", async () => {
  const listed = await lconv(folder, ["data", "--json"], { XDG_CACHE_HOME: folder, LCONV_DATA: folder });
  assert.is(listed.code, 0, listed.stderr);
  assert.equal(
    listed.lines.map(({ name }) => name),
    ["mnist", "fashion-mnist", "cifar10", "cifar100", "glyphs"],
  );
  assert.is((await lconv(folder, ["data", "fetch", "mnits"])).code, 2);
  const written = await lconv(folder, ["data", "glyphs", "g.npz", "--json"]);
  assert.equal(written.lines, [{ event: "done", file: "g.npz", train: 12_000, test: 2_000 }]);
});

test("bench steps gives a line for each case, in the form of bench/peers", async () => {
  const run = await lconv(folder, ["bench", "steps", "--cases", "mnist/cnn", "--batch", "2", "--seconds", "0.05", "--json"]);
  assert.is(run.code, 0, run.stderr);
  assert.equal(Object.keys(run.lines[0]), ["case", "device", "ms_per_step", "best_ms", "gflops", "share_of_peak", "params"]);
  assert.is(run.lines[0].case, "mnist/cnn/b2");
  const unknown = await lconv(folder, ["bench", "steps", "--cases", "mnist/ccn", "--json"]);
  assert.is(unknown.code, 2);
  assert.match(String(unknown.lines[0].message), 'did you mean "mnist/cnn"?');
});

test.run();
