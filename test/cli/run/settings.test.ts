import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readComparison, readGivenConfig, readRun } from "../../../src/cli/run/config.js";
import { runFlags } from "../../../src/cli/run/flags.js";
import { presetNames, presets } from "../../../src/cli/run/presets.js";
import { refuseWithResume, resumedSettings } from "../../../src/cli/run/resume.js";
import { readConfig, resolveSettings } from "../../../src/cli/run/settings.js";
import { controlFlags } from "../../../src/cli/run/trainFlags.js";
import { number, withDefaults } from "../../../src/cli/terminal/flags.js";
import { pick } from "../../../src/defined.js";
import type { ErrorCode } from "../../../src/errors.js";
import { modelNames } from "../../../src/models/models.js";
import { modelOptionNames, modelOptions } from "../../../src/models/options.js";
import { configText } from "../../../src/train/configText.js";
import { throwsCode } from "../../support/throws.js";
import { temporaryFolder } from "../command.js";

const test = suite("cli/settings");
const folder = temporaryFolder();

function config(text: string, name = "c.json"): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("the defaults are those of the contract", () => {
  const settings = resolveSettings({ threads: 2, device: "cpu" });
  assert.equal(settings, {
    ...{ dataset: "mnist", variant: "default", splineOrder: 3, holdOut: 0.2, split: "last" },
    ...{ model: "lconv", layers: 1, filters: 32, generators: 8, rank: 16, kernel: 3, padding: "valid", pool: "none", stride: 2 },
    ...{ optimizer: "rmsprop", lr: 1e-3, schedule: "constant", warmup: 0, batch: 64, epochs: 30, seed: 0 },
    ...{ device: "cpu", precision: "fp32", threads: 2 },
  });
});

test("a flag that is named as an option of models has its default, and goes to the model", () => {
  const shared = modelOptionNames.filter((name) => Object.hasOwn(runFlags, name));
  assert.ok(shared.length >= 9);
  const defaults = pick(runFlags, modelOptionNames);
  for (const [name, { default: normal }] of Object.entries(defaults)) assert.is(normal, modelOptions[name as "rank"].default, name);
});

test("every preset is a choice of --preset, in its help and settles a run", () => {
  for (const name of presetNames) {
    assert.ok(controlFlags.preset.kind.choices?.includes(name));
    assert.match(controlFlags.preset.help, `${name}: ${presets[name].help}`);
    const settings = resolveSettings({ preset: name });
    assert.equal(pick(settings, Object.keys(presets[name].values)), presets[name].values);
  }
});

test("a model without trained generators takes no --regularize", () => {
  for (const model of modelNames) {
    const settle = () => resolveSettings({ model, regularize: { closure: 1 } });
    if (model === "lconv") assert.equal(settle().regularize, { closure: 1 });
    else throwsCode(settle, "ERR_LCONV_ARGUMENT", "--regularize goes with --model lconv only", model);
  }
});

test("withDefaults: what was given, else the default, and nothing for neither", () => {
  const flags = { a: { value: "N", kind: number, help: "", default: 3 }, b: { value: "N", kind: number, help: "" } } as const;
  const { a } = withDefaults(flags, {}) satisfies { a: number; b?: number };
  assert.is(a, 3);
  assert.equal(withDefaults(flags, {}), { a: 3 });
  assert.equal(withDefaults(flags, { a: 0, b: 0 }), { a: 0, b: 0 });
  assert.equal(withDefaults(flags, { a: 1, c: 2 } as object), { a: 1 });
});

test("flags win over the preset, that over the file, that over the defaults", () => {
  const settings = resolveSettings({ preset: "paper", epochs: 2 }, { batch: 8, epochs: 9, filters: 4 });
  assert.equal([settings.epochs, settings.batch, settings.filters, settings.rank], [2, 32, 4, 16]);
  assert.equal(resolveSettings({}, { preset: "paper", batch: 8 }).batch, 8, "a file's own keys win over the preset that it names");
});

test("the learning rate follows the optimizer", () => {
  assert.is(resolveSettings({ optimizer: "sgd" }).lr, 0.01);
  assert.is(resolveSettings({ optimizer: "sgd", preset: "paper" }).lr, 1e-3);
});

test("a file's keys and values are checked", () => {
  assert.equal(readConfig(config('{"weightDecay": 0.1}')), { weightDecay: 0.1 });
  throwsCode(() => readConfig(config('{"weight-decay": 0.1}')), "ERR_LCONV_OPTION", '"weight-decay"', 'did you mean "weightDecay"?');
  throwsCode(() => readConfig(config('{"epochs": "3"}')), "ERR_LCONV_ARGUMENT", "epochs: expected an integer", '"3"');
  throwsCode(() => readConfig(config('{"variant": "rotate"}')), "ERR_LCONV_ARGUMENT", 'did you mean "rotated"?');
  throwsCode(() => readConfig(config('{"lr": 1, "lr": 2}')), "ERR_LCONV_OPTION", '"lr" is there twice');
  throwsCode(() => readConfig(config("[1]")), "ERR_LCONV_FORMAT", "an array");
  throwsCode(() => readConfig(config("{lr: 1}")), "ERR_LCONV_FORMAT", "expected JSON");
  throwsCode(() => readConfig(join(folder, "none.json")), "ERR_LCONV_IO", "none.json");
});

test("what a file holds is clipped and escaped in messages, whatever its size", () => {
  const long = "\u001b[31m".padEnd(4000, "x");
  const huge = "x".repeat(2e6);
  for (const [text, code] of [
    [JSON.stringify({ [long]: 1 }), "ERR_LCONV_OPTION"],
    [JSON.stringify({ [huge]: 1 }), "ERR_LCONV_OPTION"],
    [`{"${huge}": 1, "${huge}": 1}`, "ERR_LCONV_OPTION"],
    [`{"${"y".repeat(4000)}": 1, "${"y".repeat(4000)}": 1}`, "ERR_LCONV_OPTION"],
    [JSON.stringify(huge), "ERR_LCONV_FORMAT"],
    ['{"lr": \u001b[31m}', "ERR_LCONV_FORMAT"],
    [JSON.stringify({ model: huge }), "ERR_LCONV_ARGUMENT"],
    [JSON.stringify({ variant: "\u009b31m" }), "ERR_LCONV_ARGUMENT"],
    [JSON.stringify({ regularize: { [long]: 1 } }), "ERR_LCONV_ARGUMENT"],
    [JSON.stringify({ lr: Array(1e5).fill(1) }), "ERR_LCONV_ARGUMENT"],
    [`{"lr": ${"[".repeat(1e5)}${"]".repeat(1e5)}}`, "ERR_LCONV_FORMAT"],
  ] as [string, ErrorCode][]) {
    throwsCode(() => readConfig(config(text)), code, /c\.json/, /^\P{C}{1,600}$/u);
  }
});

test("a file that is no regular one is refused, not waited for", () => {
  const path = join(folder, "fifo");
  execFileSync("mkfifo", [path]);
  throwsCode(() => readConfig(path), "ERR_LCONV_IO", "fifo", "not a");
});

test("a run's changed configuration is refused, and taken as the file of --config", () => {
  const [key, before] = ['"splineOrder": 3', resolveSettings({ threads: 2, device: "cpu" })];
  const text = configText(before);
  const path = config(text, "config.json");
  assert.is(readRun(folder).splineOrder, 3);
  config(text.replace(key, '"splineOrder": 1'), "config.json");
  throwsCode(() => readRun(folder), "ERR_LCONV_IO", path, "restore it", 'delete the key "checksum"');
  assert.equal(readGivenConfig(path), { ...before, splineOrder: 1 });
  const comparison = configText({ command: "compare", data: "d", models: [before, before] });
  config(comparison, "config.json");
  assert.is(readComparison(folder).models.length, 2);
  config(comparison.replace(key, '"splineOrder": 1'), "config.json");
  throwsCode(() => readComparison(folder), "ERR_LCONV_IO", path);
  config(comparison.replace("compare", "compard"), "config.json");
  throwsCode(() => readRun(folder), "ERR_LCONV_IO", path);
});

test("regularisers are weights by name, of models with learned generators", () => {
  assert.equal(readConfig(config('{"regularize": {"closure": 1e-3, "norm": 0}}')), { regularize: { closure: 1e-3, norm: 0 } });
  const refused = (value: string, ...texts: string[]): void =>
    throwsCode(() => readConfig(config(`{"regularize": ${value}}`)), "ERR_LCONV_ARGUMENT", "regularize: expected NAME=WEIGHT", ...texts);
  refused('{"closur": 1}', 'there is no "closur"; did you mean "closure"?');
  refused('{"killing": -1}', "the weight of killing");
  refused('{"killing": "1"}', "the weight of killing");
  refused("3", "got 3");
  const settings = resolveSettings({ regularize: { killing: 1 }, epochs: 2 }, { regularize: { closure: 1 } });
  assert.equal(settings.regularize, { killing: 1 }, "a flag wins over the file as a whole");
  assert.not("regularize" in resolveSettings({}));
  throwsCode(() => resolveSettings({ model: "cnn", regularize: { closure: 1 } }), "ERR_LCONV_ARGUMENT", "--model lconv only", "cnn");
  throwsCode(() => resolveSettings({ model: "lconv-random", regularize: { norm: 1 } }), "ERR_LCONV_ARGUMENT", "lconv-random");
});

test("a resumed run takes only changes that leave it what it is", () => {
  const write = (extra: object): string =>
    config(JSON.stringify({ ...resolveSettings({ threads: 2, device: "cpu" }), ...extra }), "config.json");
  const warnings: string[] = [];
  const resumed = (given: Parameters<typeof resumedSettings>[2]) =>
    resumedSettings(folder, readRun(folder), given, (text) => warnings.push(text));
  write({ epochs: 5 });
  assert.is(resumed({ epochs: 9 }).epochs, 9);
  assert.is(resumed({ lr: 1e-3 }).lr, 1e-3, "the same value is no change");
  throwsCode(() => resumed({ epochs: 4 }), "ERR_LCONV_CHECKPOINT", "--epochs 5, got 4");
  throwsCode(() => resumed({ lr: 0.1 }), "ERR_LCONV_CHECKPOINT", "--lr 0.001, got 0.1");
  throwsCode(() => refuseWithResume({ epochs: 9, out: "x" }, ["name", "out"]), "ERR_LCONV_ARGUMENT", "--out begins a run");
  throwsCode(() => resumed({ regularize: { closure: 1 } }), "ERR_LCONV_CHECKPOINT", '--regularize unset, got {"closure":1}');
  write({ epochs: 5, regularize: { closure: 1, killing: 0.5 } });
  assert.equal(resumed({ regularize: { killing: 0.5, closure: 1 } }).regularize, { closure: 1, killing: 0.5 });
  throwsCode(() => resumed({ regularize: { closure: 2 } }), "ERR_LCONV_CHECKPOINT", '{"closure":1,"killing":0.5}, got {"closure":2}');
  assert.is(warnings.length, 0);
  assert.is(resumed({ threads: 1 }).threads, 1);
  assert.match(warnings[0], "last bits");
  write({ device: "cuda:7", precision: "bf16" });
  assert.is(resumed({ device: "cpu", precision: "fp32" }).device, "cpu", "the GPU that it began on need not be here");
  assert.match(warnings.slice(1).join(), /--device cuda:7 and goes on with cpu.*--precision bf16 and goes on with fp32/);
  assert.is(resumed({ device: "cpu" }).precision, "bf16");
  write({ device: "cuda:7", precision: "tf32" });
  throwsCode(() => resumed({ device: "cpu" }), "ERR_LCONV_ARGUMENT", "the CPU multiplies in fp32 or bf16");
  write({ schedule: "cosine" });
  throwsCode(() => resumed({ epochs: 40 }), "ERR_LCONV_CHECKPOINT", "cosine");
});

test.run();
