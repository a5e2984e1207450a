import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkOptions, type OptionNames, oneOf, unknownName } from "../src/errors.js";
import { throwsCode } from "./support/throws.js";

const test = suite("errors");

interface Options {
  steps?: number;
  signal?: AbortSignal;
}

test("options: all of an interface, and no others", () => {
  const options: Options = { steps: 1 };
  checkOptions("run", options, { steps: 1, signal: 1 });
  checkOptions("run", {}, {});
  throwsCode(
    () => checkOptions("run", { step: 1 } as Options, { steps: 1, signal: 1 }),
    "ERR_LCONV_OPTION",
    'run: unknown option "step"; did you mean "steps"? known: steps, signal',
  );
  for (const inherited of ["constructor", "__proto__", "toString"])
    throwsCode(() => checkOptions("run", JSON.parse(`{"${inherited}": 1}`), {}), "ERR_LCONV_OPTION", `"${inherited}"`);
});

test("a list of options that is not that of the interface does not compile", () => {
  const options: Options = {};
  // @ts-expect-error signal is missing
  checkOptions("run", options, { steps: 1 });
  // @ts-expect-error nobody knows stride
  checkOptions("run", options, { steps: 1, signal: 1, stride: 1 });
  // @ts-expect-error signal is missing
  const names: OptionNames<Options> = { steps: 1 };
  assert.equal(Object.keys(names), ["steps"]);
});

const known = ["lconv", "lconv-random", "cnn"] as const;

test("one of some names: itself, or where, what, what was got, the nearest and all", () => {
  assert.is(oneOf("makeModel", "model", "cnn", known) satisfies (typeof known)[number], "cnn");
  throwsCode(
    () => oneOf("makeModel", "model", "lconf", known),
    "ERR_LCONV_ARGUMENT",
    'makeModel: unknown model "lconf"; did you mean "lconv"? known: lconv, lconv-random, cnn',
  );
  throwsCode(() => oneOf("makeModel", "model", "transformer", known), "ERR_LCONV_ARGUMENT", 'unknown model "transformer"; known: lconv,');
  throwsCode(() => oneOf("makeModel", "model", null as never, known), "ERR_LCONV_ARGUMENT", '"null"');
  throwsCode(() => oneOf("makeModel", "model", 7 as never, known), "ERR_LCONV_ARGUMENT", '"7"');
});

test("a name of any length and with any characters is shown in one line", () => {
  const text = unknownName("f", "name", `\u001b[31m\n${"x".repeat(5000)}`, known);
  assert.match(text, '"\\u{1b}[31m\\u{a}xxx');
  assert.ok(text.length < 200);
});

test("a list of known names in other words", () => {
  assert.is(
    unknownName("algebra", "algebra", "so", ["so(n)"], "known: so(n) up to 64"),
    'algebra: unknown algebra "so"; known: so(n) up to 64',
  );
});

test.run();
