// Builds lconv.node: node scripts/build-native.mjs [--gyp] [--tests] [--baseline | --sanitized] [--clean] [--verbose] [--CDNAME=VALUE ...]
// --tests: also what only tests need (the target `tests` of CMakeLists.txt). Two lean builds, in folders of their own, have the kernels for the baseline
// instruction set alone, neither oneDNN nor CUDA: --baseline, for work on kernels, lconv.node and parity in build-baseline; --sanitized lconv.node under
// AddressSanitizer and UBSan in build-sanitized. With CMake into build/Release; with --gyp, or where CMake is missing, by node-gyp into native/gyp/build/Release.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { configureAndBuild } from "./cmake.mjs";
import { explain } from "./explain.mjs";
import { nodeApiFolders } from "./nodeApi.mjs";
import { usableProcessors } from "./processors.mjs";
import { haveCMake, haveCompiler, haveGyp, haveOneDnn, intact, main, root, run, SetupError, say, sha256 } from "./support.mjs";

const args = process.argv.slice(2);
const options = args.includes("--verbose") ? { stdio: ["ignore", "inherit", "pipe"] } : {};
const leanSettings = ["LCONV_BASELINE_ONLY=ON", "LCONV_ONEDNN=OFF", "LCONV_CUDA=OFF"];
const leanBuilds = {
  "--baseline": { folder: "build-baseline", settings: leanSettings },
  "--sanitized": { folder: "build-sanitized", settings: [...leanSettings, "LCONV_PARITY=OFF", "LCONV_SANITIZE=address,undefined"] },
};
const lean = Object.keys(leanBuilds).filter((flag) => args.includes(flag));

function buildWithCMake() {
  const { folder: name, settings: preset } = leanBuilds[lean[0]] ?? { folder: "build", settings: [] };
  const folder = join(root, name);
  if (args.includes("--clean")) rmSync(folder, { recursive: true, force: true });
  discardDamaged(join(folder, "Release/lconv.node"));
  const asked = args.filter((arg) => arg.startsWith("--CD")).map((arg) => arg.slice("--CD".length));
  const settings = ["CMAKE_BUILD_TYPE=Release", `CMAKE_JS_INC=${nodeApiFolders().join(";")}`, ...preset, ...asked];
  const targets = ["all", ...(args.includes("--tests") ? ["tests"] : [])];
  const result = configureAndBuild(folder, settings, targets, options);
  if (result.failed) throw new SetupError(explain(result.output));
}

function buildWithGyp() {
  const folder = join(root, "native/gyp");
  const binary = join(folder, "build/Release/lconv.node");
  if (!haveGyp()) throw new SetupError("node-gyp needs python3 and make; install them: apt-get install python3 make");
  if (args.includes("--clean")) rmSync(join(folder, "build"), { recursive: true, force: true });
  discardDamaged(binary);
  const headers = nodeHeaders();
  const settings = [
    ...(headers ? [`--nodedir=${headers}`] : []),
    `--have_onednn=${Number(process.platform !== "darwin" && haveOneDnn())}`,
    "--jobs",
    String(usableProcessors()),
  ];
  const result = run(process.execPath, [nodeGyp(), "configure", "build", "--directory", folder, ...settings], options);
  if (result.failed) throw new SetupError(explain(result.output));
  writeFileSync(`${binary}.sha256`, `${sha256(binary)}  ${binary}\n`);
}

/** Make and ninja go by time stamps, so a damaged output has to go before they build it again. */
function discardDamaged(binary) {
  if (existsSync(binary) && !intact(binary)) rmSync(binary);
}

/** The folder that holds include/node: node-gyp would download headers otherwise. */
function nodeHeaders() {
  const folders = [process.env.npm_config_nodedir, resolve(process.execPath, "../.."), "/usr", "/usr/local"];
  return folders.find((folder) => folder && existsSync(join(folder, "include/node/node_api.h")));
}

/** node-gyp of this package, else the one that comes with npm: it is not a dependency of users. */
function nodeGyp() {
  const npm = process.env.npm_execpath && resolve(dirname(process.env.npm_execpath), "../node_modules/node-gyp/bin/node-gyp.js");
  const bundled = resolve(process.execPath, "../../lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js");
  const own = join(root, "node_modules/node-gyp/bin/node-gyp.js");
  const found = [own, npm, bundled].find((path) => path && existsSync(path));
  if (!found) throw new SetupError("node-gyp not found; install it: npm install --no-save node-gyp@12");
  return found;
}

main(() => {
  const known = ["--gyp", "--tests", ...Object.keys(leanBuilds), "--clean", "--verbose"];
  const unknown = args.find((arg) => !known.includes(arg) && !arg.startsWith("--CD"));
  if (unknown) throw new SetupError(`unknown argument ${unknown}; known: ${known.join(", ")}, --CDNAME=VALUE`);
  if (lean.length > 1) throw new SetupError(`${lean.join(" and ")} are two builds; name one`);
  if (lean.length > 0 && args.includes("--gyp")) throw new SetupError(`${lean[0]} needs CMake, so it does not go with --gyp`);
  if (!haveCompiler()) throw new SetupError("no C++ compiler found; install one: apt-get install g++");
  const gyp = args.includes("--gyp") || (!haveCMake() && haveGyp() && lean.length === 0);
  if (!gyp && !haveCMake()) throw new SetupError("no CMake found (or neither make nor ninja); install it: apt-get install cmake make");
  if (gyp && !args.includes("--gyp")) say("CMake is missing, so the native engine is built by node-gyp");
  if (gyp) buildWithGyp();
  else buildWithCMake();
});
