// Preload (`node --import`) that makes one file operation go wrong: FILE_FAULT says which, FILE_FAULT_ROOT under which folder they count.
//   count           nothing goes wrong; the list of operations is written to FILE_FAULT_LIST at exit
//   kill:K          SIGKILL in place of operation K
//   half:K          operation K, a write, reaches the disk by half; then SIGKILL. Other operations: as kill
//   error:K:CODE    operation K fails with CODE and does nothing, but a close, which closes as the kernel does when it reports an error
// Processes with the argument FILE_FAULT_UNLESS are left alone: children that inherit all this.
// Operations are counted from 1: everything that src/ changes files with. Their order is the program's, so a count taken once holds for
// the next run of the same program.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve, sep } from "node:path";

const exempt = process.argv.includes(process.env.FILE_FAULT_UNLESS);
let [mode, at, code] = ((!exempt && process.env.FILE_FAULT) || "count").split(":");
let root = resolve(process.env.FILE_FAULT_ROOT ?? ".");
const original = { ...fs };
const paths = new Map(); // of open files under the root
let done = [];

/** For a test that imports this file: begins anew with another fault and folder, and returns the list of operations, which grows. */
export function arm(fault, folder) {
  [mode, at, code] = fault.split(":");
  [root, done] = [resolve(folder), []];
  return done;
}

const inside = (path) => typeof path === "string" && (resolve(path) + sep).startsWith(root + sep);
const die = () => process.kill(process.pid, "SIGKILL");

/** Counts one operation and says whether it is the one. */
function isNext(name, path) {
  done.push(`${name} ${path}`);
  return mode !== "count" && done.length === Number(at);
}

function failure(name, path) {
  return Object.assign(new Error(`${code}: made to fail, ${name} '${path}'`), { code, syscall: name, path });
}

/** `change` replaces fs[name]; `pathOf` finds the path that a call is about, undefined where it does not count. */
function patch(name, pathOf, half = () => {}, before = () => {}) {
  fs[name] = (...args) => {
    const path = pathOf(...args);
    if (path === undefined || !isNext(name, path)) return original[name](...args);
    if (mode === "error") {
      before(...args);
      throw failure(name, path);
    }
    if (mode === "half") half(...args);
    die();
  };
}

const named = (path) => (inside(path) ? path : undefined);
const opened = (file) => paths.get(file);
const writes = (flags) => /[wa+]/.test(String(flags ?? "r"));

patch("mkdirSync", named);
patch("rmSync", named);
patch("unlinkSync", named);
patch("rmdirSync", named);
patch("renameSync", named);
patch("linkSync", named);
patch("symlinkSync", (_target, path) => named(path));
patch("fsyncSync", opened);
patch("writeFileSync", named, (path, data, options) => original.writeFileSync(path, data.slice(0, data.length >> 1), options));
patch("writeSync", opened, (file, data, offset = 0, length = data.length - offset, position = null) =>
  original.writeSync(file, data, offset, length >> 1, position),
);
patch("closeSync", opened, undefined, (file) => original.closeSync(file));
patch("openSync", (path, flags) => (writes(flags) ? named(path) : undefined));

// Who has which file open; a close forgets it even where it "fails".
const { openSync, closeSync } = fs;
fs.openSync = (path, flags, ...rest) => {
  const file = openSync(path, flags, ...rest);
  if (inside(path)) paths.set(file, path);
  return file;
};
fs.closeSync = (file) => {
  try {
    return closeSync(file);
  } finally {
    paths.delete(file);
  }
};
syncBuiltinESMExports();

process.on("exit", () => {
  if (process.env.FILE_FAULT_LIST && !exempt) original.writeFileSync(process.env.FILE_FAULT_LIST, done.map((line) => `${line}\n`).join(""));
});
