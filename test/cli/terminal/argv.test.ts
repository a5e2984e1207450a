import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildProgram } from "../../../src/cli/program.js";
import { runFlags } from "../../../src/cli/run/flags.js";
import { checkArgv } from "../../../src/cli/terminal/argv.js";
import { fail } from "../../../src/cli/terminal/failure.js";
import { parseFlag } from "../../../src/cli/terminal/flags.js";
import { Interrupted } from "../../../src/cli/terminal/interrupt.js";
import { Output } from "../../../src/cli/terminal/output.js";
import { LconvError } from "../../../src/errors.js";
import { rejectsCode, throwsCode } from "../../support/throws.js";

const test = suite("cli/argv");

const program = () => buildProgram({ out: new Output(false), signal: new AbortController().signal });
const checked = (...argv: string[]) => checkArgv(program(), argv);

test("a sound command line passes", () => {
  checked("train", "--dataset", "glyphs", "--lr=0.1", "--json");
  checked("data", "fetch", "mnist");
  checked("bench", "steps", "--cases", "mnist/lconv");
  checked("train", "--help");
});

test("unknown flags and commands name the nearest known one", () => {
  throwsCode(() => checked("train", "--epoch", "3"), "ERR_LCONV_OPTION", '--epoch"; did you mean "--epochs"?');
  throwsCode(() => checked("train", "--learning-rate=3"), "ERR_LCONV_OPTION", "lconv train --help");
  throwsCode(() => checked("trian"), "ERR_LCONV_ARGUMENT", 'did you mean "train"?');
  throwsCode(() => checked("bench", "step"), "ERR_LCONV_ARGUMENT", 'did you mean "steps"?');
  throwsCode(() => checked("--json", "doctor"), "ERR_LCONV_OPTION", "--json");
});

test("long words of the command line are clipped and escaped", () => {
  const long = "\u001b[31m".padEnd(1e5, "x");
  const short = /^\P{C}{1,300}$/u;
  throwsCode(() => checked("train", `--${long}`), "ERR_LCONV_OPTION", short);
  throwsCode(() => checked(long), "ERR_LCONV_ARGUMENT", short);
  throwsCode(() => checked("train", "--out", `--json=${long}`), "ERR_LCONV_ARGUMENT", short);
  throwsCode(() => parseFlag("epochs", runFlags.epochs.kind, long), "ERR_LCONV_ARGUMENT", short);
  throwsCode(() => parseFlag("variant", runFlags.variant.kind, long), "ERR_LCONV_ARGUMENT", short);
});

test("a flag given twice is refused in every spelling", () => {
  throwsCode(() => checked("train", "--lr", "1", "--lr", "2"), "ERR_LCONV_ARGUMENT", "--lr is given twice");
  throwsCode(() => checked("train", "--lr=1", "--lr", "2"), "ERR_LCONV_ARGUMENT", "--lr is given twice");
  throwsCode(() => checked("doctor", "--json", "--json"), "ERR_LCONV_ARGUMENT", "--json is given twice");
});

test("a flag where a value belongs is a missing value", () => {
  throwsCode(() => checked("train", "--out", "--json"), "ERR_LCONV_ARGUMENT", "--out <DIR> needs a value, got --json");
  throwsCode(() => checked("train", "--epochs"), "ERR_LCONV_ARGUMENT", "needs a value, got none");
  checked("train", "--lr", "-1"); // a value, if a bad one
});

const parse = (...argv: string[]): Promise<unknown> => program().parseAsync(argv, { from: "user" });

test("numbers are read strictly", async () => {
  for (const bad of ["12abc", "", " ", "0x10", "Infinity", "NaN", "1e999", "1,5", "0", "2.5", "-3"]) {
    await rejectsCode(parse("train", "--epochs", bad), "ERR_LCONV_ARGUMENT", "--epochs: expected an integer from 1", JSON.stringify(bad));
  }
  for (const bad of ["0", "-1", "Infinity", "1e400", "0,1"])
    await rejectsCode(parse("train", "--lr", bad), "ERR_LCONV_ARGUMENT", "--lr: expected a number above 0");
  await rejectsCode(parse("train", "--hold-out", "1"), "ERR_LCONV_ARGUMENT", "--hold-out: expected a number above 0 and below 1");
  await rejectsCode(parse("train", "--layers", "3"), "ERR_LCONV_ARGUMENT", "--layers: expected 1 or 2");
});

test("weights are read by name", async () => {
  assert.equal(parseFlag("regularize", runFlags.regularize.kind, "closure=1e-3,killing=.5"), { closure: 1e-3, killing: 0.5 });
  const refused = (text: string, ...texts: (string | RegExp)[]) =>
    rejectsCode(
      parse("train", "--regularize", text),
      "ERR_LCONV_ARGUMENT",
      "--regularize: expected NAME=WEIGHT",
      JSON.stringify(text),
      ...texts,
    );
  await refused("closur=1", 'there is no "closur"; did you mean "closure"?');
  await refused("killing=1,=2", /there is no ""$/);
  for (const bad of ["closure", "closure=", "closure=x", "closure=-1", "closure=1=2", "closure=Infinity", "closure=1e999", "closure= 1"])
    await refused(bad, "the weight of closure is no number from 0 on");
  await refused("closure=1,closure=2", "closure is there twice");
});

test("choices name the nearest", async () => {
  await rejectsCode(parse("train", "--variant", "rotatd"), "ERR_LCONV_ARGUMENT", 'did you mean "rotated"?');
  await rejectsCode(parse("train", "--device", "gpu"), "ERR_LCONV_ARGUMENT", "auto, cpu, cuda or cuda:k");
  await rejectsCode(parse("train", "--out", ""), "ERR_LCONV_ARGUMENT", "--out: expected a folder");
});

test("momentum is for sgd", async () => {
  await rejectsCode(
    parse("train", "--momentum", "0.9", "--optimizer", "adam", "--dataset", "glyphs", "--progress", "silent"),
    "ERR_LCONV_ARGUMENT",
    "--momentum goes with --optimizer sgd",
  );
});

test("exit codes: 2 for bad usage, 1 for other failures, 128 + signal when stopped", () => {
  const { write } = process.stderr;
  const said: string[] = [];
  process.stderr.write = ((text: string) => said.push(text) > 0) as typeof write;
  try {
    const out = new Output(false);
    assert.is(fail(new LconvError("ERR_LCONV_ARGUMENT", "no"), out), 2);
    assert.is(fail(new LconvError("ERR_LCONV_OPTION", "no"), out), 2);
    assert.is(fail(new LconvError("ERR_LCONV_IO", "no"), out), 1);
    assert.is(fail(new TypeError("odd"), out), 1);
    assert.is(fail(new Interrupted("SIGINT"), out), 130);
    assert.is(fail(new Interrupted("SIGTERM"), out), 143);
    assert.is(fail(new Interrupted("SIGPIPE"), out), 141);
  } finally {
    process.stderr.write = write;
  }
  assert.is(said[0], "error [ERR_LCONV_ARGUMENT] no\n");
  assert.not.match(said.join(""), /\n\s+at /);
});

test.run();
