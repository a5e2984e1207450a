import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defined, pick } from "../src/defined.js";

const test = suite("defined");

interface Options {
  steps: number;
  seed?: number;
  name?: string | null;
}

const maybe = <T>(value: T | undefined): T | undefined => value;

test("what is undefined is left out, all else stays, in its order", () => {
  const options: Options = defined({ steps: 1, seed: maybe<number>(undefined), name: maybe<string>("a") });
  assert.equal(Object.entries(options), [
    ["steps", 1],
    ["name", "a"],
  ]);
  assert.equal(defined({ zero: 0, no: false, empty: "", nothing: null, nan: Number.NaN }), {
    zero: 0,
    no: false,
    empty: "",
    nothing: null,
    nan: Number.NaN,
  });
});

test("the types are exact: what may be undefined is optional, what may not is required", () => {
  // @ts-expect-error steps may be missing
  const missing: Options = defined({ steps: maybe(1) });
  // @ts-expect-error seed is no number
  const wrong: Options = defined({ steps: 1, seed: maybe("2") });
  // @ts-expect-error that is why there is defined()
  const undefinedSeed: Options = { steps: 1, seed: maybe(2) };
  assert.equal([missing, wrong, undefinedSeed], [{ steps: 1 }, { steps: 1, seed: "2" }, { steps: 1, seed: 2 }]);
});

test("pick: the named entries that are there, in the order of the names", () => {
  const names = ["seed", "name", "size"] as const;
  const options: Partial<Options> = pick({ steps: 1, name: "a", seed: 2 }, names);
  assert.equal(Object.entries(options), [
    ["seed", 2],
    ["name", "a"],
  ]);
  assert.equal(pick({ other: 1 }, names), {});
  assert.equal(pick({}, ["toString"]), {});
});

test.run();
