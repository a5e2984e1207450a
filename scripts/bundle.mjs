// Packs all that running lconv needs into one archive for machines without Node, npm, compiler or network:
// node scripts/bundle.mjs [--out FILE.tar.xz] [--check]      --check: also tests, benchmarks and what runs them (./gpu-check)
// The system's C and C++ libraries and the NVIDIA driver are not in it; cuBLAS is looked for as always.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { main, onPath, root, run, SetupError, say } from "./support.mjs";

const MAX_MIB = 60;
const { values } = parseArgs({ options: { out: { type: "string" }, check: { type: "boolean", default: false } } });
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const name = `lconv-${version}-${process.platform}-${process.arch}`;

const files = ["dist", "scripts/lockFile.mjs", "scripts/processors.mjs", "package.json", "LICENSE", "README.md"];
const binaries = ["lconv.node", "lconv.node.sha256"];
const optionalBinaries = ["lconv_onednn.so", "lconv_cuda.so", "lconv_cuda12.so", "parity"];
const checkFiles = ["src", "test", "bench", "tsconfig.json"];
const checkPackages = ["tsx", "uvu", "fast-check"];

/** Older than what the machine has, these would break its other libraries; every system has them. */
const ofTheSystem = /^(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s)[.-]/;

function pack(folder) {
  for (const file of [...files, ...(values.check ? checkFiles : [])]) copy(file, folder);
  rmSync(join(folder, "bench/results"), { recursive: true, force: true });
  const built = optionalBinaries.filter((file) => existsSync(join(root, "build/Release", file)));
  for (const file of [...binaries, ...built]) copy(join("build/Release", file), folder);
  for (const path of packages(values.check ? checkPackages : [])) copy(path, folder);
  for (const library of librariesOf([...binaries.slice(0, 1), ...built])) copyTo(library, join(folder, "lib", basename(library)));
  copyTo(process.execPath, join(folder, "bin/node"));
  for (const file of ["bin/node", ...built.map((file) => `build/Release/${file}`)]) strip(join(folder, file));
  writeScript(join(folder, "lconv"), "dist/cli/main.js");
  if (values.check) writeScript(join(folder, "gpu-check"), "bench/gpuCheck.ts", '--import "$here/node_modules/tsx/dist/loader.mjs"');
  const missing = optionalBinaries.filter((file) => !built.includes(file));
  if (missing.length > 0) say(`not built here and therefore not in the bundle: ${missing.join(", ")}`);
}

function copy(path, folder) {
  const [from, to] = [join(root, path), join(folder, path)];
  if (!existsSync(from)) throw new SetupError(`${path} is missing; type: npm run setup`);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, filter: (file) => basename(file) !== ".bin" });
}

/** Follows links, so that a library lies there under the name by which it is asked for. */
function copyTo(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}

/** Folders of node_modules that production needs by the lock file, and `more` with all that they depend on. */
function packages(more) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const wanted = new Set(Object.keys(packages).filter((path) => path !== "" && !packages[path].dev && installed(path)));
  const add = (name, from) => {
    const path = placeOf(packages, name, from);
    if (!path || wanted.has(path) || !installed(path)) return;
    wanted.add(path);
    const { dependencies, optionalDependencies } = packages[path];
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) add(needed, path);
  };
  for (const name of more) add(name, "");
  // A folder inside another one of the list comes with it.
  return [...wanted].filter((path) => ![...wanted].some((other) => path.startsWith(`${other}/`)));
}

const installed = (path) => existsSync(join(root, path));

/** Where Node finds package `name` from the package at `from`: there, or in one of the folders around it. */
function placeOf(packages, name, from) {
  const path = `${from === "" ? "" : `${from}/`}node_modules/${name}`;
  if (packages[path]) return path;
  if (from === "") return undefined;
  return placeOf(packages, name, from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))));
}

/** Paths of the shared libraries that are not the system's. */
function librariesOf(built) {
  const found = built.flatMap((file) => {
    const { stdout = "" } = spawnSync("ldd", [join(root, "build/Release", file)], { encoding: "utf8" });
    if (stdout.includes("not found")) throw new SetupError(`${file} needs libraries that are not here:\n${stdout}`);
    return [...stdout.matchAll(/=> (\/\S+)/g)].map(([, path]) => path);
  });
  return [...new Set(found)].filter((path) => !ofTheSystem.test(basename(path)));
}

/** Symbols are half of Node. lconv.node stays as it is: its checksum is compared. */
function strip(file) {
  if (onPath("strip") && run("strip", ["--strip-unneeded", file]).failed) say(`strip failed for ${file}; it is packed as it is`);
}

/** Only what the shell itself can do, unless the script was called through a link. */
function writeScript(file, entry, flags = "") {
  const script = `#!/bin/sh
self=$0
[ -L "$self" ] && self=$(readlink -f "$self")
here=$(CDPATH= cd -- "\${self%/*}" && pwd -P) || exit 1
export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib"
exec "$here/bin/node" ${flags} "$here/${entry}" "$@"
`;
  writeFileSync(file, script, { mode: 0o755 });
}

/** Sizes of what is in `folder`, the largest first. */
function sizes(folder) {
  const { output } = run("du", ["-m", "-d", "2", folder]);
  const lines = output
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  lines.sort(([a], [b]) => b - a);
  return lines
    .slice(0, 15)
    .map(([mib, path]) => `  ${mib} MiB  ${path.replace(folder, name)}`)
    .join("\n");
}

main(() => {
  for (const tool of ["tar", "xz", "ldd"])
    if (!onPath(tool)) throw new SetupError(`${tool} is missing; type: apt-get install tar xz-utils libc-bin`);
  const out = resolve(values.out ?? join(root, `build/${name}.tar.xz`));
  const work = mkdtempSync(join(tmpdir(), "lconv-bundle-"));
  try {
    const folder = join(work, name);
    mkdirSync(folder);
    pack(folder);
    const env = { ...process.env, XZ_OPT: process.env.XZ_OPT ?? "-6 -T0" };
    const { failed, output } = run("tar", ["--owner=0", "--group=0", "--sort=name", "-cJf", out, "-C", work, name], { env });
    if (failed) throw new SetupError(`packing failed:\n${output}`);
    const mib = statSync(out).size / 2 ** 20;
    if (mib > MAX_MIB) throw new SetupError(`${out} takes ${mib.toFixed(1)} MiB, more than ${MAX_MIB}; before packing:\n${sizes(folder)}`);
    console.log(`${out}  ${mib.toFixed(1)} MiB`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
