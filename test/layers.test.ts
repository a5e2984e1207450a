import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("layers");
const src = fileURLToPath(new URL("../src/", import.meta.url));

/** Imports point downwards only: a folder may import those in rows below it, and within itself. Folders of one row stand side by side. */
const rows = [
  ["cli"],
  ["report"],
  ["experiments"],
  ["predict"],
  ["discover", "cost"],
  ["train"],
  ["models", "optim", "data"],
  ["io"],
  ["nn"],
  ["moments"],
  ["symmetry"],
  ["ops"],
  ["autograd"],
  ["tensor"],
  ["lie"],
  ["distributed"],
  ["engine"],
  ["errors.ts", "defined.ts"],
];
const facade = "index.ts"; // the public face imports from everywhere and nothing imports it
const shared = ["../scripts/lockFile.mjs", "../scripts/processors.mjs"]; // what the set-up needs too, which runs before src/ is compiled

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
const layerOf = (path: string): string => path.split("/")[0]!;
const rowOf = (path: string): number => rows.findIndex((row) => row.includes(layerOf(path)));

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"(\.[^"]+)"/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => relative(src, resolve(dirname(join(src, file)), specifier)).replace(/\.js$/, ".ts"));
}

test("there are sources, and each lies in a known layer", () => {
  assert.ok(files.length > 0);
  assert.equal(
    files.filter((file) => file !== facade && rowOf(file) < 0),
    [],
  );
});

test("imports point downwards", () => {
  const wrong = files
    .filter((file) => file !== facade)
    .flatMap((file) =>
      importsOf(file)
        .filter(
          (target) =>
            !shared.includes(target) && (target === facade || (layerOf(target) !== layerOf(file) && rowOf(target) <= rowOf(file))),
        )
        .map((target) => `${file} imports ${target}`),
    );
  assert.equal(wrong, []);
});

/** Rows of the rooms of a folder that has some; a file beside the rooms stands above them. */
const rooms: Record<string, string[][]> = {
  cli: [["reproduce"], ["sweep"], ["train", "compare", "discover", "plan", "commands"], ["run", "live"], ["terminal"]],
  experiments: [["reproduction"], ["symbench", "discover", "verify", "bench", "sweep"], ["regression"]],
  lie: [["identify", "pairs", "regression"], ["functions"], ["generators"]],
};

test("within a folder with rooms, too, imports point downwards, and every room has a row", () => {
  const wrong = files.flatMap((file) => {
    const [folder, room, rest] = file.split("/");
    if (rest === undefined) return [];
    const rowIn = (path: string): number => (rooms[folder!] ?? []).findIndex((row) => row.includes(path.split("/")[1]!));
    if (rowIn(file) < 0) return [`${file} lies in a room without a row`];
    return importsOf(file)
      .filter((target) => layerOf(target) === folder && target.split("/")[1] !== room && rowIn(target) <= rowIn(file))
      .map((target) => `${file} imports ${target}`);
  });
  assert.equal(wrong, []);
});

test("no files import each other in a circle", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (done.has(file) || path.includes(file)) return;
    for (const target of importsOf(file).filter((target) => files.includes(target))) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  assert.equal(circles, []);
});

test("only the engine, the command line and the codes of errors know the word CUDA", () => {
  const knowing = files.filter(
    (file) => !["engine", "cli", "errors.ts"].includes(layerOf(file)) && /cuda/i.test(readFileSync(join(src, file), "utf8")),
  );
  assert.equal(knowing, []);
});

test("settings of the environment are read, never written", () => {
  const wrong = files.filter((file) =>
    /process\.env(\.\w+|\[[^\]]+\])\s*(\?\?|\|\||&&)?=[^=]|delete process\.env/.test(readFileSync(join(src, file), "utf8")),
  );
  assert.equal(wrong, []);
});

test.run();
