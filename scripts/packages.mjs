// Makes the folders that are published, in build/packages: node scripts/packages.mjs [--all] [--CDNAME=VALUE ...]
// The main package, and one of binaries for each platform that this machine has the compilers for; --all: it is an error where one is missing, as it
// would be to publish the main package without it; --CDNAME=VALUE: a setting of CMake. To publish: npm publish in each folder, the main package last.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { buildBinaries } from "./packages/binaries.mjs";
import { packed, writeMainPackage, writeManifest } from "./packages/mainPackage.mjs";
import { hasSum, manifest, platformManifest } from "./packages/manifests.mjs";
import { platforms } from "./packages/platforms.mjs";
import { main, root, run, SetupError, say, sha256 } from "./support.mjs";

const MEGABYTE = 1e6;
const most = { main: 1 * MEGABYTE, binaries: 8 * MEGABYTE };
const to = join(root, "build/packages");

function writePlatformPackage(platform, binaries) {
  const folder = join(to, platform.folder);
  writeManifest(folder, platformManifest(platform));
  for (const binary of binaries) {
    const file = join(folder, basename(binary));
    cpSync(binary, file);
    if (hasSum(basename(binary))) writeFileSync(`${file}.sha256`, `${sha256(file)}  ${basename(file)}\n`);
  }
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "README.md"), readme(platform));
  return folder;
}

const readme = ({ name, description, about }) => `# ${name}

${description}.
It is a part of [lconv](${manifest.homepage}), which npm installs it with; nothing is to be done with it alone.

${about.map((line) => `- ${line}`).join("\n")}

MIT licence.
`;

/** A line of the table; an error where the package is too large, or has faults that publint knows. */
function inspect(folder, limit) {
  const { name, version, size, unpackedSize, entryCount } = packed(folder);
  const lint = run(process.execPath, ["node_modules/publint/src/cli.js", "--strict", folder]);
  if (lint.failed) throw new SetupError(`publint refuses ${folder}:\n${lint.output}`);
  if (size > limit) throw new SetupError(`${folder} takes ${kilobytes(size)} packed, more than ${kilobytes(limit)}`);
  return [`${name} ${version}`, kilobytes(size), kilobytes(limit), kilobytes(unpackedSize), String(entryCount)];
}

const kilobytes = (bytes) => `${Math.ceil(bytes / 1000).toLocaleString("en")} kB`;

function table(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "))
    .join("\n");
}

main(() => {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg !== "--all" && !arg.startsWith("--CD"));
  if (unknown) throw new SetupError(`unknown argument ${unknown}; known: --all, --CDNAME=VALUE`);
  const settings = args.filter((arg) => arg.startsWith("--CD")).map((arg) => arg.slice("--CD".length));
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const lines = [["package", "packed", "at most", "unpacked", "files"]];
  for (const platform of platforms) {
    const missing = platform.missing();
    if (missing && args.includes("--all")) throw new SetupError(`${platform.name} cannot be built here without ${missing}`);
    if (missing) say(`left out: ${platform.name}, which cannot be built here without ${missing}`);
    else lines.push(inspect(writePlatformPackage(platform, buildBinaries(platform, settings)), most.binaries));
  }
  writeMainPackage(join(to, "lconv"));
  lines.push(inspect(join(to, "lconv"), most.main));
  console.log(table(lines));
});
