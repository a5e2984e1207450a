// needs dist: its code imports "lconv", as users do
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("readme");
const root = new URL("../", import.meta.url);
const run = (file: URL): string => execFileSync(process.execPath, ["--import", "tsx", file.pathname], { cwd: root, encoding: "utf8" });

test("the README's library example runs as it stands", () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("README.md", root), "utf8"))?.[1] ?? "";
  assert.match(code, /from "lconv"/);
  const folder = new URL("build/readme/", root); // inside the package, so that "lconv" means this package
  mkdirSync(folder, { recursive: true });
  const file = new URL("example.mts", folder);
  writeFileSync(file, code);
  const lines = run(file).trim().split("\n");
  const [best, tested] = (lines.at(-1) ?? "").split(" ").map(Number);
  assert.ok(best > 0.6 && tested > 0.6, `accuracies ${best} and ${tested}`);
  rmSync(folder, { recursive: true });
});

for (const example of readdirSync(new URL("examples/", root))) {
  test(`examples/${example} runs`, () => {
    assert.ok(run(new URL(`examples/${example}`, root)).length > 0);
  });
}

test.run();
