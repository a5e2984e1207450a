// Packs all that running lconv needs into one archive for machines without Node, npm, compiler or network:
// node scripts/bundle.mjs [--out FILE.tar.xz] [--check] [--as-built]      --check: also tests, benchmarks and what runs them (./gpu-check)
// The system's C library and the NVIDIA driver are not in it; cuBLAS is looked for as always. On x86-64 its binaries are those of the packages, which
// have libstdc++ in them and run with glibc 2.31; with --as-built, and elsewhere, they are those of build/Release, for systems like this one.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildBinaries } from "./packages/binaries.mjs";
import { librariesNeeded, tooNew } from "./packages/needs.mjs";
import { platforms } from "./packages/platforms.mjs";
import { sysroot } from "./packages/sysroot.mjs";
import { main, onPath, root, run, SetupError, say } from "./support.mjs";

const MAX_MIB = 60;
const { values } = parseArgs({
  options: { out: { type: "string" }, check: { type: "boolean", default: false }, "as-built": { type: "boolean", default: false } },
});
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const name = `lconv-${version}-${process.platform}-${process.arch}`;

const files = ["dist", "scripts/lockFile.mjs", "scripts/processors.mjs", "package.json", "LICENSE", "README.md"];
const binaries = ["lconv.node", "lconv.node.sha256"];
const portable = !values["as-built"] && process.platform === "linux" && process.arch === "x64";
const optionalBinaries = ["lconv_onednn.so", "lconv_cuda.so", "lconv_cuda12.so", "parity"];
const checkFiles = ["src", "test", "bench", "tsconfig.json"];
const checkPackages = ["tsx", "uvu", "fast-check"];

/** Older than what the machine has, these would break its other libraries; every system has them. */
const ofTheSystem = /^(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s)[.-]/;

function pack(folder) {
  for (const file of [...files, ...(values.check ? checkFiles : [])]) copy(file, folder);
  rmSync(join(folder, "bench/results"), { recursive: true, force: true });
  const release = join(folder, "build/Release");
  for (const path of builtBinaries()) copyTo(path, join(release, basename(path)));
  const built = optionalBinaries.filter((file) => existsSync(join(release, file)));
  for (const path of packages(values.check ? checkPackages : [])) copy(path, folder);
  for (const library of librariesOf([...binaries.slice(0, 1), ...built].map((file) => join(release, file))))
    copyTo(library, join(folder, "lib", basename(library)));
  copyTo(process.execPath, join(folder, "bin/node"));
  for (const file of ["bin/node", ...built.map((file) => `build/Release/${file}`)]) strip(join(folder, file));
  writeScript(join(folder, "lconv"), "dist/cli/main.js");
  if (values.check) writeScript(join(folder, "gpu-check"), "bench/gpuCheck.ts", '--import "$here/node_modules/tsx/dist/loader.mjs"');
  const missing = optionalBinaries.filter((file) => !built.includes(file));
  if (missing.length > 0) say(`not built here and therefore not in the bundle: ${missing.join(", ")}`);
  checkAge(folder, ["bin/node", ...[...binaries.slice(0, 1), ...built].map((file) => `build/Release/${file}`)]);
}

/** Paths of what was built: by the toolchain of the packages, or as it lies in build/Release. */
function builtBinaries() {
  const asBuilt = (names) => names.map((file) => join(root, "build/Release", file)).filter((path) => existsSync(path));
  if (!portable) {
    const missing = binaries.find((file) => !existsSync(join(root, "build/Release", file)));
    if (missing) throw new SetupError(`build/Release/${missing} is missing; type: npm run setup`);
    return asBuilt([...binaries, ...optionalBinaries]);
  }
  const [engine, cuda] = ["linux-x64", "cuda-linux-x64"].map((folder) => platforms.find((platform) => platform.folder === folder));
  const missing = engine.missing();
  if (missing) throw new SetupError(`missing: ${missing}; or give --as-built, for systems that are as new as this one`);
  const paths = buildBinaries({ ...engine, targets: [...engine.targets, "parity"] }, []);
  const beside = ["lconv.node.sha256", "parity"].map((file) => join(dirname(paths[0]), file));
  // CUDA 12 needs a toolkit of its own: what was built with it is put into build/Release by hand (docs/cuda.md).
  return [...paths, ...beside, ...(cuda.missing() ? [] : buildBinaries(cuda, [])), ...asBuilt(["lconv_cuda12.so"])];
}

/** Says what makes older systems refuse the bundle; in what was built to run there, it is an error. */
function checkAge(folder, files) {
  const libraries = existsSync(join(folder, "lib")) ? readdirSync(join(folder, "lib")).map((file) => `lib/${file}`) : [];
  const found = [...files, ...libraries].flatMap((file) => {
    const versions = tooNew(join(folder, file));
    return versions.length > 0 ? [{ file, text: `${file} needs ${versions.join(", ")}` }] : [];
  });
  const ours = found.filter(({ file }) => portable && file !== "bin/node" && !file.endsWith("lconv_cuda12.so"));
  if (ours.length > 0) throw new SetupError(ours.map(({ text }) => text).join("\n"));
  if (found.length > 0) say(`systems with glibc 2.31 do not run all of it:\n${found.map(({ text }) => `  ${text}`).join("\n")}`);
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

/** Paths of the shared libraries that are not the system's: where the loader finds them here, or in the sysroot of the packages. */
function librariesOf(built) {
  if (portable) return librariesInSysroot(built);
  const found = built.flatMap((file) => {
    const { stdout = "" } = spawnSync("ldd", [file], { encoding: "utf8" });
    if (stdout.includes("not found")) throw new SetupError(`${file} needs libraries that are not here:\n${stdout}`);
    return [...stdout.matchAll(/=> (\/\S+)/g)].map(([, path]) => path);
  });
  return [...new Set(found)].filter((path) => !ofTheSystem.test(basename(path)));
}

function librariesInSysroot(built) {
  const folder = join(sysroot("amd64"), "usr/lib/x86_64-linux-gnu");
  const found = new Set();
  for (const file of built) add(file);
  return [...found];
  function add(file) {
    for (const path of librariesNeeded(file)
      .filter((name) => !ofTheSystem.test(name))
      .map((name) => join(folder, name))) {
      if (found.has(path)) continue;
      if (!existsSync(path)) throw new SetupError(`${file} needs ${basename(path)}, which is not in ${folder}`);
      found.add(path);
      add(path);
    }
  }
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
