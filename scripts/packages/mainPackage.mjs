// The main package: what `npm pack` takes from this repository, the headers that a build from source needs, and the published package.json.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import typescript from "typescript";
import { headerPackages, packageFolder } from "../nodeApi.mjs";
import { root, run, SetupError } from "../support.mjs";
import { mainManifest } from "./manifests.mjs";

export function writeMainPackage(folder) {
  const dist = run(process.execPath, ["scripts/setup.mjs", "--dist"]);
  if (dist.failed) throw new SetupError(`dist/ cannot be made:\n${dist.output}`);
  const { files } = packed(root);
  for (const { path } of files.filter(({ path }) => path !== "package.json")) {
    copy(join(root, path), join(folder, path));
    if (path.startsWith("dist/") && path.endsWith(".js")) stripComments(join(folder, path));
  }
  copyHeaders(join(folder, "native/vendor"));
  writeManifest(folder, mainManifest());
}

/** A fifth of a program is comments: editors show those of the .d.ts, and the sources have all of them. */
function stripComments(file) {
  const { outputText } = typescript.transpileModule(readFileSync(file, "utf8"), {
    fileName: file,
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: typescript.ModuleKind.ESNext,
      removeComments: true,
      allowJs: true,
    },
  });
  writeFileSync(file, outputText); // over the copy, which has the mode of the original
}

/** What npm would pack of `folder`: sizes, and paths of files. */
export function packed(folder) {
  // Not --silent: then npm says nothing of what is wrong with a package.
  const { failed, output } = run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (failed) throw new SetupError(`npm pack failed in ${folder}:\n${output}`);
  return JSON.parse(output.slice(output.indexOf("[\n"), output.lastIndexOf("]") + 1))[0];
}

export function writeManifest(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** With their licences; their packages are not needed then, and neither is a download. */
function copyHeaders(folder) {
  const lines = headerPackages.map(({ name, folder: from, files, licence }) => {
    const source = packageFolder(name);
    for (const file of files) copy(join(source, from, file), join(folder, name, file));
    copy(join(source, licence), join(folder, name, "LICENSE"));
    return `- ${name} ${JSON.parse(readFileSync(join(source, "package.json"), "utf8")).version}, MIT licence`;
  });
  writeFileSync(join(folder, "README.md"), `Headers of Node-API, unchanged, for builds from source:\n\n${lines.join("\n")}\n`);
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}
