import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LconvError } from "../errors.js";
import { ABI } from "./addon.js";

/** A file that may be the engine; `fault` says why it cannot be. */
export interface Place {
  path: string;
  fault?: string;
}

/** The platforms that have a package of binaries. */
const packaged: readonly string[] = ["linux-x64", "linux-arm64"];
const platform = `${process.platform}-${process.arch}`;
/** npm's package with the engine for this platform, if there is one. */
export const platformPackage = packaged.includes(platform) ? `@lconv/${platform}` : undefined;
/** npm's package with lconv_cuda.so. */
export const cudaPackage = `@lconv/cuda-${platform}`;

/** XDG_CACHE_HOME/lconv or ~/.cache/lconv; a relative XDG_CACHE_HOME does not count, as its standard says. */
export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"];
  if (base?.startsWith("/")) return join(base, "lconv");
  const home = homedir(); // HOME as it is: code must not be taken from the folder that a command happens to run in
  return join(isAbsolute(home) ? home : userInfo().homedir, ".cache", "lconv");
}

/** Where `lconv setup` puts the engine that it builds: outside node_modules, which `npm ci` empties; apart for each version that needs another. */
export const engineFolder = (): string => join(cacheFolder(), "engine", `${version()}-abi${ABI}-${platform}`);

/** The folder of this package. Throws ERR_LCONV_NATIVE where a bundler has put this code elsewhere. */
export function root(): string {
  const here = import.meta.url as string | undefined; // undefined where a bundler made CommonJS of this
  const folder = here ? fileURLToPath(new URL("../../", here)) : "";
  if (here && nameIn(folder) === "lconv") return folder;
  throw new LconvError(
    "ERR_LCONV_NATIVE",
    [
      `lconv was bundled into another file, where it cannot find its engine${here ? ` (looked around ${fileURLToPath(here)})` : ""}.`,
      "Mark it as external, so that it is loaded from node_modules:",
      "  - esbuild: --external:lconv",
      '  - vite: build.rollupOptions.external: ["lconv"], and ssr.external for a server build',
      '  - webpack: externals: { lconv: "module lconv" }, with output of modules',
    ].join("\n"),
  );
}

/** Whether this is a clone with its sources, and not a package that npm installed. */
export const inCheckout = (): boolean => existsSync(join(root(), "src"));

export const version = (): string => manifestOf(root()).version ?? "unknown";

/** Where the engine may be, best first: built in this folder, built by `lconv setup`, from npm's package for this platform. */
export function enginePlaces(): Place[] {
  const folder = root();
  const built = [join(folder, "build/Release/lconv.node"), join(folder, "native/gyp/build/Release/lconv.node")];
  return [...built.map((path) => ({ path })), cached(), ...(platformPackage ? [inPackage(platformPackage, "lconv.node")] : [])];
}

function cached(): Place {
  try {
    return { path: join(engineFolder(), "lconv.node") };
  } catch (error) {
    return { path: "the cache", fault: `missing: there is no home folder (${(error as Error).message})` }; // os.homedir
  }
}

/** `file` of a package of binaries, which must be of this very version. */
export function inPackage(name: string, file: string): Place {
  const found = installed(name);
  if (found === undefined) return { path: name, fault: "missing: this package is not installed" };
  const { version: theirs } = manifestOf(found);
  const path = join(found, file);
  if (theirs !== version()) return { path, fault: `other version: expected ${name} ${version()}, got ${theirs}` };
  return existsSync(path) ? { path } : { path, fault: `half-installed: ${name} is there without ${file}` };
}

/** The folder of an installed package, as Node finds it from here. A bundler would replace an import of createRequire by its own. */
function installed(name: string): string | undefined {
  try {
    const { createRequire } = process.getBuiltinModule("node:module");
    return dirname(createRequire(join(root(), "package.json")).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

interface Manifest {
  name?: string;
  version?: string;
}

const nameIn = (folder: string): string | undefined => manifestOf(folder).name;

function manifestOf(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return {};
  }
}
