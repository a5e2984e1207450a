// Makes a clone ready to run: npm packages, system packages where that is allowed, native engine, dist/.
// Only Node built-ins here, as it runs before `npm ci`. Running it again does only what has changed.
// node scripts/setup.mjs [--main] [--tests] [--dist | --no-dist] [--steal-lock] [--CDNAME=VALUE ...]    --main: also find images for the main job; --tests:
// also build what only tests need; --dist: nothing but dist/; --no-dist: all but that; --steal-lock: take the lock of a set-up that cannot be asked whether
// it has ended; --CDNAME=VALUE: a setting of CMake, which keeps it
// LCONV_SKIP_APT=1: never call apt-get
import { chmodSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { canInstall, install } from "./apt.mjs";
import { fetchCublasHeaders, haveCublasHeaders, nvcc } from "./cublas-headers.mjs";
import { withLock } from "./lock.mjs";
import { compiler, hashOf, haveCMake, haveCompiler, haveGyp, haveOneDnn, intact, main, root, run, SetupError, say } from "./support.mjs";

const stampFile = join(root, ".setup-stamp.json");

/** The range of "engines" in package.json: ^20.19 || >=22.12. */
function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  if (!fits)
    throw new SetupError(
      `Node ${process.versions.node} is too old or odd; install Node 20.19 or newer, 22.12 or newer: https://nodejs.org`,
    );
}

function installTools() {
  const missing = [...(haveCompiler() ? [] : ["g++"]), ...(haveCMake() || haveGyp() ? [] : ["cmake", "make"])];
  if (missing.length === 0) return;
  const command = `apt-get install ${missing.join(" ")}`;
  const failure = canInstall() ? install(missing) : "apt-get cannot be used here";
  if (failure) throw new SetupError(`${missing.join(", ")} missing and not installed (${failure}); type: ${command}`);
}

function installOneDnn(stamp) {
  if (haveOneDnn()) return;
  const failure = installOnce(stamp, "libdnnl-dev");
  if (!failure) return;
  say(
    `going on without oneDNN, with which narrow matrix products are faster (${failure}); for those type: apt-get install libdnnl-dev && npm run setup`,
  );
}

/** Where nvcc is, the CUDA part is built; its cuBLAS headers may be missing. Without nvcc there is nothing to say. */
function prepareCuda(stamp) {
  if (!nvcc() || !haveCMake() || haveCublasHeaders()) return;
  let failure = stamp.failed?.cublas;
  if (!failure) {
    say("fetching the headers of cuBLAS");
    failure = fetchCublasHeaders();
    if (failure) writeStamp(stamp, { failed: { ...stamp.failed, cublas: failure } });
  }
  if (failure)
    say(
      `building without CUDA, cublas_v2.h is missing (${failure}); install the toolkit's cuBLAS headers, or set CUBLAS_ROOT, and run npm run setup`,
    );
}

/** Real images for the main job where there is no MNIST: Fashion-MNIST, as Debian packages it. */
function installImages(stamp) {
  const folders = [
    process.env.LCONV_DATA && join(process.env.LCONV_DATA, "mnist"),
    join(homedir(), ".cache/lconv/mnist"),
    "/usr/share/datasets/fashion-mnist",
  ];
  const names = ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"];
  if (folders.some((folder) => folder && names.some((name) => existsSync(join(folder, name))))) return;
  const failure = installOnce(stamp, "dataset-fashion-mnist");
  if (failure) say(`no image data set installed (${failure}); for real images type: apt-get install dataset-fashion-mnist`);
}

/** Tries an optional Debian package once; later runs only repeat the outcome. Returns why it failed. */
function installOnce(stamp, name) {
  if (!canInstall()) return "apt-get cannot be used here";
  if (stamp.failed?.[name]) return stamp.failed[name];
  const failure = install([name]);
  if (failure) writeStamp(stamp, { failed: { ...stamp.failed, [name]: failure } });
  return failure;
}

function installPackages() {
  if (!existsSync(join(root, "package-lock.json")) || packagesMatch()) return;
  say("installing npm packages");
  const { failed, output } = run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
  if (failed) throw new SetupError(`npm ci failed:\n${excerpt(output)}`);
}

/** Whether node_modules holds the versions of package-lock.json, by the list that npm itself keeps there. */
function packagesMatch() {
  const installed = readJson("node_modules/.package-lock.json")?.packages;
  if (!installed) return false;
  const wanted = Object.entries(readJson("package-lock.json").packages);
  return wanted.every(
    ([path, { version, optional }]) => path === "" || (optional && !installed[path]) || installed[path]?.version === version,
  );
}

function buildNative(stamp) {
  const { version } = readJson("package.json");
  const tests = process.argv.includes("--tests");
  const facts = [version, process.arch, compiler(), haveCMake(), haveOneDnn(), nvcc() ?? "", haveCublasHeaders()];
  const native = hashOf(["native", "cmake", "CMakeLists.txt", "scripts/build-native.mjs", "scripts/cmake.mjs"], ...facts);
  const binary = join(root, haveCMake() ? "build/Release/lconv.node" : "native/gyp/build/Release/lconv.node");
  const done = stamp.native === native && intact(binary);
  const settings = process.argv.filter((arg) => arg.startsWith("--CD"));
  if (done && settings.length === 0 && (!tests || stamp.nativeTests === native)) return;
  say("building the native engine");
  writeStamp(stamp, { native: undefined, nativeTests: undefined });
  const command = ["scripts/build-native.mjs", ...(tests && haveCMake() ? ["--tests"] : []), ...settings];
  if (run(process.execPath, command, { stdio: "inherit" }).failed)
    throw new SetupError("without the native engine there is nothing to run");
  writeStamp(stamp, tests ? { native, nativeTests: native } : { native });
}

function prepare(stamp) {
  installTools();
  installOneDnn(stamp);
  if (process.argv.includes("--main")) installImages(stamp);
  installPackages();
  prepareCuda(stamp);
  buildNative(stamp);
}

function buildDist(stamp) {
  if (!existsSync(join(root, "src"))) return; // an installed package brings dist/ and no sources
  const dist = hashOf(["src", "tsconfig.json", "tsconfig.build.json"], readJson("node_modules/typescript/package.json")?.version);
  const command = join(root, "dist/cli/main.js");
  if (stamp.dist !== dist || !existsSync(join(root, "dist"))) {
    say("compiling TypeScript");
    writeStamp(stamp, { dist: undefined });
    rmSync(join(root, "dist"), { recursive: true, force: true });
    const { failed, output } = run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
    if (failed) throw new SetupError(`tsc failed:\n${excerpt(output)}`);
    writeStamp(stamp, { dist });
  }
  if (existsSync(command)) linkCommand(command);
}

/** `npx lconv` in the clone itself. */
function linkCommand(command) {
  const link = join(root, "node_modules/.bin/lconv");
  chmodSync(command, 0o755);
  if (!existsSync(link)) {
    rmSync(link, { force: true });
    symlinkSync("../../dist/cli/main.js", link);
  }
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, "utf8"));
  } catch {
    return {};
  }
}

function writeStamp(stamp, changes) {
  Object.assign(stamp, changes);
  writeFileSync(stampFile, JSON.stringify(stamp));
}

function readJson(path) {
  const full = join(root, path);
  return existsSync(full) ? JSON.parse(readFileSync(full, "utf8")) : undefined;
}

const excerpt = (output) =>
  output
    .trim()
    .split("\n")
    .slice(0, 20)
    .map((line) => `  ${line}`)
    .join("\n");

main(() => {
  checkNode();
  withLock(() => {
    const stamp = readStamp();
    if (!process.argv.includes("--dist")) prepare(stamp);
    if (!process.argv.includes("--no-dist")) buildDist(stamp);
  });
});
