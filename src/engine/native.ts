import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { resolve } from "node:path";
import { isMainThread } from "node:worker_threads";
import { LconvError } from "../errors.js";
import { ABI, type Native } from "./addon.js";
import { elfFault } from "./elf.js";
import { cudaPackage, enginePlaces, inCheckout, inPackage, type Place, platformPackage, root, version } from "./places.js";

export type { Native, NativeDevice, NativeProgram } from "./addon.js";

interface Failure {
  path: string;
  cause: string;
}

let loaded: Native | undefined;

/** The native engine, loaded on the first call; one instance per thread. Throws ERR_LCONV_NATIVE with every path tried and what to do. */
export function native(): Native {
  if (loaded) return loaded;
  loaded = load(candidates());
  // Before any library is taken down; a worker's end is that of its own programs alone, which the addon sees to.
  if (isMainThread) process.once("exit", loaded.endThreads);
  return loaded;
}

/** With LCONV_NATIVE no other place is tried: a named file that does not load must not be replaced silently. */
function candidates(): Place[] {
  const override = process.env["LCONV_NATIVE"];
  return override ? [{ path: resolve(override) }] : enginePlaces();
}

function load(places: readonly Place[]): Native {
  const failures: Failure[] = [];
  for (const { path, fault } of places) {
    try {
      if (fault !== undefined) throw new Error(fault);
      return withCuda(open(path));
    } catch (error) {
      failures.push({ path, cause: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new LconvError("ERR_LCONV_NATIVE", explain(failures));
}

/** npm's package of the CUDA part lies in a folder of its own; one beside the engine goes before it. */
function withCuda(engine: Native): Native {
  if (process.env["LCONV_NATIVE"]) return engine;
  const { path, fault } = inPackage(cudaPackage, "lconv_cuda.so");
  if (fault === undefined) engine.offerCuda(path);
  return engine;
}

/** The engine in one file, and no other. Throws ERR_LCONV_NATIVE. */
export const opened = (path: string): Native => load([{ path }]);

function open(path: string): Native {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) throw new Error("missing: no such file");
  if (!status.isFile()) throw new Error("not a file"); // reading a named pipe would block
  const fault = (process.platform === "linux" ? elfFault(path) : undefined) ?? checksumFault(path);
  if (fault) throw new Error(fault);

  // Not require(): it chooses the format by file extension, caches failures by name and reports less about them.
  const module: { exports: Partial<Native> } = { exports: {} };
  process.dlopen(module, path, constants.dlopen.RTLD_NOW);
  const addon = module.exports;
  if (typeof addon.info !== "function" || typeof addon.setErrorClass !== "function")
    throw new Error("not the lconv engine: it exports no info()");
  const { abi, version } = addon.info();
  if (abi !== ABI) throw new Error(`other interface: expected ABI ${ABI}, got ${abi} (built from lconv ${version})`);
  addon.setErrorClass(LconvError);
  return addon as Native;
}

/** The build writes `lconv.node.sha256` beside the binary; without that file there is nothing to compare. */
function checksumFault(path: string): string | undefined {
  const sumFile = `${path}.sha256`;
  if (!statSync(sumFile, { throwIfNoEntry: false })?.isFile()) return undefined;
  const expected = readFileSync(sumFile, "utf8").slice(0, 64);
  const actual = createHash("sha256").update(readFileSync(path)).digest("hex");
  return actual === expected ? undefined : "corrupted: its contents differ from lconv.node.sha256 beside it";
}

/** What to type to have the engine built, and built again from nothing, here. */
const build = (): string => (inCheckout() ? "npm run setup" : "npx lconv setup");
const rebuild = (): string => (inCheckout() ? "npm run build:native -- --clean" : "npx lconv setup --force");

/** Remedies by the words that the loader (ld.so) uses for the cause; the first match is used. */
const remedies: readonly [RegExp, () => string][] = [
  [/^missing/, missing],
  [/^half-installed/, () => `install it again, its packages are incomplete: npm install lconv@${version()}`],
  [/^other version/, () => `install packages of one version: npm install lconv@${version()}`],
  [
    /^corrupted|file too short|invalid ELF|ELF load command|cannot read file data/i,
    () => `build it again, the file is damaged: ${rebuild()}`,
  ],
  [
    /^wrong architecture|wrong ELF class|cannot open shared object file: Exec format/i,
    () => `build it on this machine, the file comes from another kind: ${rebuild()}`,
  ],
  [/^other interface/, () => `build it again, it is older or newer than the TypeScript part: ${rebuild()}`],
  [
    /(GLIBC|GLIBCXX|CXXABI)_[\d.]+'? not found/,
    () => `build it on this machine, the file needs a newer C or C++ library than this system has: ${rebuild()}`,
  ],
  [/libgomp\.so/, () => "install the OpenMP runtime: apt-get install libgomp1"],
  [/cannot open shared object file/, () => `install the library named above, or build again without it: ${rebuild()}`],
  [/undefined symbol|^not the lconv engine/, () => `build it again from nothing: ${rebuild()}`],
  [/EACCES|Permission denied/i, () => "make the file readable for this user"],
  [/noexec|failed to map segment/i, () => "move the package to a file system that is not mounted noexec"],
];

function missing(): string {
  if (process.platform === "win32") return "Windows is not supported; lconv runs there in WSL 2";
  if (inCheckout()) return `build it: ${build()}`;
  const unpackaged = `there is no package of binaries for ${process.platform}-${process.arch}; build from source: ${build()}`;
  if (platformPackage === undefined) return unpackaged;
  return `install ${platformPackage}, which npm leaves out with --omit=optional or for another platform: npm install lconv@${version()}; or build from source: ${build()}`;
}

function explain(failures: readonly Failure[]): string {
  const present = failures.filter((failure) => !failure.cause.startsWith("missing"));
  const relevant = present.length > 0 ? present : failures;
  const named = Boolean(process.env["LCONV_NATIVE"]);
  const advice = new Set(named ? ["unset LCONV_NATIVE, which names this file"] : []);
  for (const { cause } of relevant) advice.add((remedies.find(([pattern]) => pattern.test(cause))?.[1] ?? missing)());
  return [
    `cannot load the native engine for ${process.platform}-${process.arch}, Node ${process.versions.node}; tried:`,
    ...failures.map(({ path, cause }) => `  - ${path}: ${cause}`),
    `Possible solutions${inCheckout() ? ` (commands are for ${root()})` : ""}:`,
    ...[...advice].map((line) => `  - ${line}`),
  ].join("\n");
}
