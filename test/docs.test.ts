import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Application, type DeclarationReflection, Logger, LogLevel, ReflectionKind, TSConfigReader, TypeDocReader } from "typedoc";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("docs");
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = `${root}build-docs/`; // inside the package, so that examples find its dependencies

/** An example as a program; `const name = ...; // value` is checked, the value being a text, a number, or the shape of a tensor. */
const programOf = (code: string): string =>
  `import { equal } from "uvu/assert";\nconst shown = (value: any) => value?.shape ?? value;\n${code}`
    .replaceAll('from "lconv"', 'from "../src/index.js"')
    .replace(/^const (\w+) = .*; \/\/ (\[[\d, ]+\]|"[^"]*"|\d+)$/gm, "$&\nequal(shown($1), $2);");

/** The code blocks in the comments of src. */
const examples = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" }).flatMap((path) => {
  if (!path.endsWith(".ts")) return [];
  const blocks = [...readFileSync(`${root}src/${path}`, "utf8").matchAll(/^ *\* ```ts\n([\s\S]*?)^ *\* ```$/gm)];
  return blocks.map((block, i) => ({ name: `${path.replaceAll("/", "-")}-${i}.mts`, code: (block[1] ?? "").replace(/^ *\* ?/gm, "") }));
});

const tsconfig = { extends: "../tsconfig.json", compilerOptions: { noUnusedLocals: false }, include: ["../src/index.ts", "*.mts"] };
test.before(() => {
  mkdirSync(folder, { recursive: true });
  for (const { name, code } of examples) writeFileSync(folder + name, programOf(code));
  writeFileSync(`${folder}tsconfig.json`, JSON.stringify(tsconfig));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

class Warnings extends Logger {
  readonly all: string[] = [];
  override log(message: string, level: LogLevel): void {
    super.log(message, level); // counts it
    if (level >= LogLevel.Warn) this.all.push(message);
  }
}

const { Class, Interface, Function: Func, Variable, TypeAlias, Namespace, Property, Method, Accessor, Constructor } = ReflectionKind;
const documented = Class | Interface | Func | Variable | TypeAlias | Namespace | Property | Method | Accessor | Constructor;

/** A name with its signatures, which have the comments of functions, methods and accessors. */
const partsOf = (name: DeclarationReflection) => [name, ...(name.signatures ?? []), ...(name.getSignature ? [name.getSignature] : [])];

function lacksComment(name: DeclarationReflection): boolean {
  if (name.flags.isExternal) return false;
  if (name.parent?.kindOf(ReflectionKind.TypeLiteral)) return false; // the comment of what has this type explains it
  if (name.kindOf(Constructor) && !name.signatures?.some(({ parameters = [] }) => parameters.length > 0)) return false;
  return !partsOf(name).some((part) => part.hasComment());
}

const shownByExample = ["fit", "record", "discover.discoverData", "discover.discoverPairs"];
shownByExample.push("loadModel", "saveModel", "Predictor");
shownByExample.push("lie.extractSymmetries", "lie.generatorsFromPairs", "lie.identify");

function lacksExample(name: DeclarationReflection): boolean {
  const isLayer = name.kindOf(Class) && name.parent?.name === "nn" && name.name !== "WeightSource";
  return (isLayer || shownByExample.includes(name.getFullName())) && !partsOf(name).some((part) => part.comment?.getTag("@example"));
}

test("public names and their members have comments, layers and entry points examples; all of it compiles without a warning", async () => {
  const options = { options: root, tsconfig: `${folder}tsconfig.json` };
  const app = await Application.bootstrap(options, [new TypeDocReader(), new TSConfigReader()]);
  const warnings = new Warnings();
  app.logger = warnings;
  const project = await app.convert();
  if (project) app.validate(project);
  assert.equal(warnings.all, []);
  const names = project?.getReflectionsByKind(documented) as DeclarationReflection[];
  assert.ok(names.length > 900, `${names.length} names`);
  const without = (lacks: (name: DeclarationReflection) => boolean): string[] => names.filter(lacks).map((name) => name.getFullName());
  assert.equal([without(lacksComment), without(lacksExample)], [[], []]);
});

for (const { name, code } of examples) {
  test(`example ${name} has at most 12 lines and runs`, async () => {
    assert.ok(code.trimEnd().split("\n").length <= 12);
    process.chdir(folder); // some write files
    await import(folder + name);
  });
}

test.run();
