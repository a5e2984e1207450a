import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../", import.meta.url));

/** A failure with a message for the user; anything else that is thrown is a bug and shows its stack. */
export class SetupError extends Error {}

/** Runs a script's main function; messages go to stderr, so that stdout stays free for what comes after. */
export function main(body) {
  try {
    body();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`lconv setup: ${error.message}`);
    process.exitCode = 1;
  }
}

export const say = (line) => console.error(`lconv setup: ${line}`);

/** Runs a command in the package root with its output kept; `failed` also covers a command that could not start. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "pipe"],
    ...options,
  });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error ? `${result.error.message}\n` : ""}`;
  return { failed: result.status !== 0, output };
}

const inCheckout = existsSync(join(root, "package-lock.json"));

/** What to type for a script of ours: the published package has no npm scripts, and is called from elsewhere. */
export function command(script, file, ...args) {
  if (!inCheckout) return ["node", join(root, "scripts", file), ...args].join(" ");
  return ["npm run", script, ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
}

/** Whether `name` is an executable on PATH. */
export function onPath(name) {
  const folders = name.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Paths of all files under `path` (or `path` itself), relative to the root, sorted; build folders are left out. */
export function filesUnder(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (statSync(full).isFile()) return [path];
  const entries = readdirSync(full, { withFileTypes: true }).filter((entry) => entry.name !== "build" && entry.name !== "node_modules");
  return entries.flatMap((entry) => filesUnder(join(path, entry.name))).sort();
}

/** One hash over names and contents of files, and over further strings that decide a result. */
export function hashOf(paths, ...facts) {
  const hash = createHash("sha256");
  for (const path of paths.flatMap(filesUnder)) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.update(JSON.stringify(facts)).digest("hex");
}

export const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Whether the binary is there and is what the build wrote; the build leaves its sum beside it. */
export function intact(binary) {
  if (!existsSync(binary) || !existsSync(`${binary}.sha256`)) return false;
  return readFileSync(`${binary}.sha256`, "utf8").startsWith(sha256(binary));
}

/** Whether oneDNN's header is where the compiler looks. */
export function haveOneDnn() {
  const folders = [process.env.DNNL_ROOT && join(process.env.DNNL_ROOT, "include"), "/usr/include", "/usr/local/include"];
  return folders.some((folder) => folder && existsSync(join(folder, "oneapi/dnnl/dnnl.hpp")));
}

export const compiler = () => process.env.CXX || ["c++", "g++", "clang++"].find(onPath) || "c++";
export const haveCompiler = () => onPath(compiler().split(" ")[0]);
export const haveCMake = () => onPath("cmake") && (onPath("make") || onPath("ninja"));
export const haveGyp = () => onPath("python3") && onPath("make");
