// What a binary needs of the machine that loads it: libraries, versions of their symbols, and symbols that nobody in particular provides.
import { run, SetupError } from "../support.mjs";

/** The newest version of each family of symbols that may be needed, by library; libstdc++ and libgcc are linked in, so none of theirs may be. */
const glibc = { GLIBC: [2, 31] };
const allowed = {
  "libc.so.6": glibc,
  "libm.so.6": glibc,
  "libdl.so.2": glibc,
  "libpthread.so.0": glibc,
  "librt.so.1": glibc,
  "ld-linux-x86-64.so.2": glibc,
  "ld-linux-aarch64.so.1": glibc,
  // of lconv_onednn.so alone, without which the engine goes on
  "libgomp.so.1": { OMP: [4, 5], GOMP: [4, 5] },
  "libdnnl.so.2": {},
};

/** What comes without a version: Node-API, of the process, and oneDNN. */
const unversioned = /^(napi_|node_api_|dnnl_)/;

/** Why `binary` would not load somewhere where it has to: one line a reason, none if it would. */
export function faults(binary) {
  const { libraries, versions, symbols, paths } = needs(binary);
  return [
    ...libraries.filter((library) => !allowed[library]).map((library) => `needs ${library}`),
    ...versions.filter((one) => allowed[one.library] && !isAllowed(one)).map(({ library, version }) => `needs ${version} of ${library}`),
    ...symbols.filter((symbol) => !unversioned.test(symbol)).map((symbol) => `needs ${symbol}, which no library was linked for`),
    ...paths.map((path) => `looks for libraries in ${path}`),
  ];
}

export const librariesNeeded = (binary) => needs(binary).libraries;

/** Debian 11 and Ubuntu 20.04 have these; libstdc++ is the system's for Node and for libraries that are not ours. */
const ofOldSystems = { ...glibc, GLIBCXX: [3, 4, 28], CXXABI: [1, 3, 12] };

/** Versions of the C and C++ libraries that `binary` needs and systems with glibc 2.31 do not have, such as "GLIBC_2.34". */
export function tooNew(binary) {
  const beyond = needs(binary).versions.filter(({ version }) => {
    const { family, numbers } = partsOf(version);
    return ofOldSystems[family] !== undefined && isNewer(numbers, ofOldSystems[family]);
  });
  return [...new Set(beyond.map(({ version }) => version))];
}

function partsOf(version) {
  const [, family, numbers = ""] = /^([A-Z]+)_(\d+(?:\.\d+)*)$/.exec(version) ?? [];
  return { family, numbers: numbers.split(".").map(Number) };
}

function isNewer(numbers, most) {
  const at = most.findIndex((number, i) => (numbers[i] ?? 0) !== number);
  return at < 0 ? numbers.length > most.length : (numbers[at] ?? 0) > most[at];
}

function isAllowed({ library, version }) {
  const { family, numbers } = partsOf(version);
  const most = allowed[library][family];
  return most !== undefined && !isNewer(numbers, most);
}

/** Read with readelf, which comes with every compiler. */
function needs(binary) {
  const { failed, output } = run("readelf", ["--wide", "--dynamic", "--version-info", "--dyn-syms", binary], {
    env: { ...process.env, LC_ALL: "C" },
  });
  if (failed) throw new SetupError(`readelf cannot read ${binary}: ${output.trim()}`);
  const all = (pattern) => [...output.matchAll(pattern)].map(([, found]) => found);
  return {
    libraries: all(/\(NEEDED\)\s+Shared library: \[(.+?)\]/g),
    versions: versionsOf(output),
    symbols: all(/ GLOBAL +DEFAULT +UND +([^\s@]+)(?: \(\d+\))?$/gm),
    paths: all(/\(R(?:UN)?PATH\)\s+Library r(?:un)?path: \[(.+?)\]/g),
  };
}

/** A library's line is followed by one for each version that is needed of it. */
function versionsOf(output) {
  let library = "";
  return output.split("\n").flatMap((line) => {
    const [, file] = /Version: \d+ +File: (\S+)/.exec(line) ?? [];
    if (file) library = file;
    const [, version] = /Name: (\S+) +Flags: .* Version: \d+/.exec(line) ?? [];
    return version && !file && library ? [{ library, version }] : [];
  });
}
