// Builds the engine from source into a folder outside the package, for `lconv setup`: node scripts/setup-engine.mjs --to FOLDER [--apt]
// --apt: first install what is missing by apt-get, as root or by sudo; without it nothing of the system is changed.
// The package's own folder is only read: it may belong to another user, and `npm ci` empties it.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { aptUsable, install } from "./apt.mjs";
import { configureAndBuild } from "./cmake.mjs";
import { explain } from "./explain.mjs";
import { withLock } from "./lock.mjs";
import { nodeApiFolders } from "./nodeApi.mjs";
import { haveCMake, haveCompiler, haveOneDnn, intact, main, SetupError, say } from "./support.mjs";

const { values } = parseArgs({ options: { to: { type: "string" }, apt: { type: "boolean", default: false } } });

/** Debian's names of the tools that a build needs and that are not here. */
function missingTools() {
  return [...(haveCompiler() ? [] : ["g++"]), ...(haveCMake() ? [] : ["cmake", "make"])];
}

function checkTools() {
  const wanted = [...missingTools(), ...(values.apt && process.platform === "linux" && !haveOneDnn() ? ["libdnnl-dev"] : [])];
  const failure = values.apt && wanted.length > 0 ? (aptUsable() ? install(wanted) : "apt-get, or leave to use it, is missing") : undefined;
  const missing = missingTools();
  if (missing.length === 0) return;
  const reason = failure === undefined ? "" : ` (${failure})`;
  throw new SetupError(
    process.platform === "darwin"
      ? `a C++ compiler or CMake is missing: xcode-select --install, and brew install cmake; then again: npx lconv setup`
      : `${missing.join(", ")} missing${reason}; a C++17 compiler, CMake 3.21 and make or ninja are needed: apt-get install ${missing.join(" ")}, or have that done: npx lconv setup --apt`,
  );
}

const begun = Date.now();

/** Whether somebody else built it while this process waited for the lock. */
const builtMeanwhile = (to) => intact(join(to, "lconv.node")) && statSync(join(to, "lconv.node")).mtimeMs > begun;

/** Everything that the engine is made of, in a folder of its own that takes its place at once. */
function build(to) {
  if (builtMeanwhile(to)) return say("another set-up has built it meanwhile");
  const litter = `${basename(to)}.building-`; // of builds that were killed: this process has the lock
  for (const name of readdirSync(dirname(to)).filter((name) => name.startsWith(litter)))
    rmSync(join(dirname(to), name), { recursive: true, force: true });
  const work = mkdtempSync(join(dirname(to), litter));
  try {
    say("building the native engine, which takes minutes");
    const settings = ["CMAKE_BUILD_TYPE=Release", "LCONV_PARITY=OFF", `CMAKE_JS_INC=${nodeApiFolders().join(";")}`];
    const { failed, output } = configureAndBuild(join(work, "build"), settings, ["all"]);
    if (failed) throw new SetupError(explain(output));
    mkdirSync(join(work, "engine"));
    const made = join(work, "build/Release");
    for (const name of readdirSync(made).filter((file) => /^lconv.*\.(node|so|sha256)$/.test(file)))
      copyFileSync(join(made, name), join(work, "engine", name));
    if (existsSync(to)) renameSync(to, join(work, "before"));
    renameSync(join(work, "engine"), to);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What the file system refuses is said in a line. */
function told(work) {
  try {
    work();
  } catch (error) {
    throw error.syscall ? new SetupError(error.message) : error;
  }
}

main(() => {
  const { to } = values;
  if (!to) throw new SetupError("--to FOLDER is needed; npx lconv setup gives it");
  checkTools();
  withLock(() => told(() => build(to)), `${to}.lock`);
});
