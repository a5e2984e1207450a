// What the recipes ask for and nothing else would miss.
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { native } from "../../src/engine/native.js";
import { scope } from "../../src/tensor/scope.js";
import { validCommands } from "../support/validCommands.js";

const test = suite("ops/index");
const folder = new URL("../../src/ops/", import.meta.url);
const internal = ["apply", "check", "contraction", "index"];

test("every family of operations is public", () => {
  const index = readFileSync(new URL("index.ts", folder), "utf8");
  const families = readdirSync(folder).map((file) => file.replace(/\.ts$/, ""));
  const missing = families.filter((name) => !internal.includes(name) && !index.includes(`"./${name}.js"`));
  assert.equal(missing, [], "missing in src/ops/index.ts");
});

test("the hostile and random calls know every command", () => {
  const known = new Set(scope(validCommands).commands.map(({ op }) => op));
  const missing = Object.entries(native().ops).filter(([, op]) => !known.has(op));
  assert.equal(missing, [], "missing in test/support/validCommands.ts");
});

test.run();
