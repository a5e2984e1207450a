import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { datasetNames } from "../../../src/data/catalog.js";
import { native } from "../../../src/engine/native.js";
import { emulated, haveEmulation } from "../../support/emulated.js";
import { skip } from "../../support/skip.js";
import { lconv, temporaryFolder, writeTinyImages } from "../command.js";

const test = suite("cli/doctor");
const folder = temporaryFolder();

interface Device {
  name: string;
  available: boolean;
  reason: string;
  code?: string;
}

/** What doctor finds wrong with each LCONV_* setting, by name. */
const problemsIn = (line: Record<string, unknown>): Map<string, string> =>
  new Map((line["variables"] as { name: string; problem?: string }[]).map(({ name, problem = "" }) => [name, problem]));

test("tells what is here as one JSON object", async () => {
  const { code, lines, stderr } = await lconv(folder, ["doctor", "--json"], {
    LCONV_DATA: join(folder, "none"),
    LCONV_DOWNLOAD_MIN_RATE: "fast",
    LCONV_DOWNLOAD_MAX_BYTES: "1e9",
    LCONV_THREDS: "2",
  });
  assert.is(code, 0, stderr);
  assert.is(lines.length, 1);
  const [found] = lines;
  assert.ok(found.ok);
  const [cpu, ...gpus] = found.devices as Device[];
  assert.equal(cpu, { name: "cpu", available: true, reason: "works" });
  assert.ok(gpus.length > 0);
  const problems = problemsIn(found);
  assert.match(problems.get("LCONV_DATA")!, "no such file");
  assert.match(problems.get("LCONV_DOWNLOAD_MIN_RATE")!, 'must be a number from 0 on, got "fast"');
  assert.is(problems.get("LCONV_DOWNLOAD_MAX_BYTES"), "");
  assert.match(problems.get("LCONV_THREDS")!, 'did you mean "LCONV_THREADS"?');
});

test("without an NVIDIA driver: one quiet line, and training that does not mention CUDA", async () => {
  if (native().probeCuda().fault?.code !== "ERR_LCONV_CUDA_NO_DRIVER") return skip("there is an NVIDIA driver here");
  const text = await lconv(folder, ["doctor"]);
  assert.is(text.code, 0, text.stderr);
  const cuda = text.stdout.split("\n").filter((line) => /cuda|nvidia|gpu/i.test(line));
  assert.equal(cuda, ["device cuda         no: there is no NVIDIA driver"]);
  const { lines } = await lconv(folder, ["doctor", "--json"], { LCONV_DEVICE: "cuda" });
  const [, gpu] = lines[0].devices as Device[];
  assert.equal(gpu, { name: "cuda", available: false, reason: "there is no NVIDIA driver", code: "ERR_LCONV_CUDA_NO_DRIVER" });
  assert.match(problemsIn(lines[0]).get("LCONV_DEVICE")!, "--device cpu");

  writeTinyImages(join(folder, "tiny.npz"));
  const train = ["train", "--dataset", "tiny.npz", "--epochs", "1", "--filters", "2", "--json"];
  const automatic = await lconv(folder, [...train, "--device", "auto"]);
  assert.is(automatic.code, 0, automatic.stderr);
  assert.is(automatic.lines.at(-1)?.device, "cpu");
  assert.not.match(automatic.stderr, /cuda|nvidia|gpu/i);
  const refused = await lconv(folder, [...train, "--device", "cuda", "--out", "refused"]);
  assert.is(refused.code, 1);
  assert.is(refused.lines[0].code, "ERR_LCONV_CUDA_NO_DRIVER");
  const rounded = await lconv(folder, [...train, "--precision", "tf32", "--out", "rounded"]);
  assert.is(rounded.code, 2);
  assert.match(rounded.stderr, "the CPU multiplies in fp32 or bf16");
});

test("paths of libraries are checked", async () => {
  writeFileSync(join(folder, "text.so"), "no library");
  const { lines } = await lconv(folder, ["doctor", "--json"], { LCONV_CUDA: "text.so", LCONV_CUBLAS: join(folder, "none.so") });
  const problems = problemsIn(lines[0]);
  assert.match(problems.get("LCONV_CUBLAS")!, "no such file");
  assert.match(problems.get("LCONV_CUDA")!, "corrupted");
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
    [...datasetNames],
  );
  assert.is((await lconv(folder, ["data", "fetch", "mnits"])).code, 2);
  const written = await lconv(folder, ["data", "glyphs", "g.npz", "--json"]);
  assert.equal(written.lines, [{ event: "done", file: "g.npz", train: 12_000, test: 2_000 }]);
});

test("doctor and the help name every data set of the catalogue", async () => {
  const { lines } = await lconv(folder, ["doctor", "--json"]);
  assert.equal(
    (lines[0].datasets as { name: string }[]).map(({ name }) => name),
    [...datasetNames],
  );
  for (const command of ["train", "plan", "data"]) {
    const { stdout } = await lconv(folder, [command, "--help"]);
    for (const name of datasetNames) assert.match(stdout, new RegExp(`\\b${name}\\b`), `${command} --help`);
  }
});

test("bench steps gives a line for each case; what others read has two spellings", async () => {
  const run = await lconv(folder, ["bench", "steps", "--cases", "mnist/cnn", "--batch", "2", "--seconds", "0.05", "--json"]);
  assert.is(run.code, 0, run.stderr);
  assert.equal(Object.keys(run.lines[0]), [
    "case",
    "device",
    "msPerStep",
    "bestMs",
    "gflops",
    "shareOfPeak",
    "floorMs",
    "params",
    "ms_per_step",
    "best_ms",
    "precision",
  ]);
  const { msPerStep, bestMs, shareOfPeak, floorMs, ms_per_step, best_ms } = run.lines[0] as Record<string, number>;
  assert.equal([ms_per_step, best_ms], [msPerStep, bestMs]);
  assert.ok(Math.abs(floorMs / msPerStep - shareOfPeak) < 0.02, "share is floor over time");
  const table = await lconv(folder, ["bench", "steps", "--cases", "mnist/cnn", "--batch", "2", "--seconds", "0.05"]);
  assert.match(table.stdout, /case +ms\/step +best +floor +ratio +GFLOP\/s +share/);
  assert.is(run.lines[0].case, "mnist/cnn/b2");
  const unknown = await lconv(folder, ["bench", "steps", "--cases", "mnist/ccn", "--json"]);
  assert.is(unknown.code, 2);
  assert.match(String(unknown.lines[0].message), 'did you mean "mnist/cnn"?');
});

test("several GPUs: what they would add up by", async () => {
  const emulation = resolve("build/emu");
  if (!haveEmulation(emulation)) return skip("the emulated GPU is not built: npm run setup -- --tests");
  const two = emulated(emulation, { LCONV_EMU_DEVICES: "2" }) as Record<string, string>;
  const here = await lconv(folder, ["doctor"], two);
  assert.match(here.stdout, /^NCCL +2\.30\.7 \(.*libnccl\.so\.2\)$/m);
  const { lines } = await lconv(folder, ["doctor", "--json"], { ...two, LCONV_NCCL: "/nowhere/libnccl.so.2" });
  assert.match((lines[0]["nccl"] as { problem: string }).problem, "NCCL cannot be opened");
  assert.match(problemsIn(lines[0]).get("LCONV_NCCL")!, "no such file");
  const one = await lconv(folder, ["doctor"], emulated(emulation) as Record<string, string>);
  assert.not.match(one.stdout, /^NCCL/m);
});

test.run();
