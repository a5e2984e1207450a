// needs dist: its code imports "lconv", as users do
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("readme");
const root = new URL("../", import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");
const run = (file: URL, cwd = root): string =>
  execFileSync(process.execPath, ["--import", import.meta.resolve("tsx"), file.pathname], { cwd, encoding: "utf8" });

test("the README has at most 100 lines", () => {
  assert.ok(textOf("README.md").trimEnd().split("\n").length <= 100);
});

test("the README's examples run as they stand, one after the other", () => {
  const readme = textOf("README.md");
  const [, command = ""] = /^npx (lconv train [^#\n]*--out \S+)/m.exec(readme) ?? [];
  const [predict = "", train = ""] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]);
  const folder = new URL("build/readme/", root); // inside the package, so that "lconv" means this package
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync(process.execPath, [new URL("dist/cli/main.js", root).pathname, ...command.trim().split(" ").slice(1)], { cwd: folder });
  for (const [name, code] of Object.entries({ predict, train })) writeFileSync(new URL(`${name}.mts`, folder), code);
  assert.match(run(new URL("predict.mts", folder), folder), /Int32Array\(5\) \[(\s*\d,?){5}\s*\]/);
  const [best, tested] = (run(new URL("train.mts", folder), folder).trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  assert.ok(best > 0.6 && tested > 0.6, `accuracies ${best} and ${tested}`);
  rmSync(folder, { recursive: true });
});

for (const example of readdirSync(new URL("examples/", root))) {
  test(`examples/${example} runs`, () => {
    assert.ok(run(new URL(`examples/${example}`, root)).length > 0);
  });
}

const markdown = (folder: string): string[] =>
  readdirSync(new URL(folder, root)).flatMap((name) => (name.endsWith(".md") ? [folder + name] : []));
const pages = ["", "docs/", "bench/"].flatMap(markdown);
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, "");

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): string[] {
  const headings = [...withoutCode(textOf(page)).matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? "");
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** What is wrong with the target of a link on `page`; undefined where it resolves. */
function brokenLink(page: string, target: string): string | undefined {
  const [path = "", anchor] = target.split("#");
  const url = new URL(path, new URL(page, root));
  if (!existsSync(url)) return `${page}: there is no file ${target}`;
  const linked = path === "" ? page : url.pathname.slice(root.pathname.length);
  return anchor === undefined || anchorsOf(linked).includes(anchor) ? undefined : `${page}: there is no heading ${target}`;
}

test("links in Markdown resolve, those to headings too", () => {
  const broken = pages.flatMap((page) => {
    const targets = [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? "");
    return targets.filter((target) => !/^https?:/.test(target)).flatMap((target) => brokenLink(page, target) ?? []);
  });
  assert.equal(broken, []);
});

test("files that Markdown names in backticks are there", () => {
  const folders = ["src", "native", "test", "bench", "scripts", "docs", "examples", "cmake"];
  const names = new Set(
    folders.flatMap((folder) => readdirSync(new URL(folder, root), { recursive: true, encoding: "utf8" })).map((path) => basename(path)),
  );
  const there = (path: string): boolean => ["", ".ts", ".test.ts"].some((ending) => existsSync(new URL(path + ending, root)));
  const missing = pages.flatMap((page) => {
    const quoted = [...withoutCode(textOf(page)).matchAll(/`([\w./-]+)`/g)].map((match) => match[1] ?? "");
    const paths = quoted.filter((text) => folders.includes(text.split("/")[0] ?? "") && text.includes("/") && !text.startsWith("docs/api"));
    const bare = quoted.filter((text) => /^[\w-]+\.(ts|mjs|h|cpp|cuh?)$/.test(text));
    return [...paths.filter((path) => !there(path)), ...bare.filter((name) => !names.has(name))].map((text) => `${page}: ${text}`);
  });
  assert.equal(missing, []);
});

test.run();
