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

function isAllowed({ library, version }) {
  const [, family, numbers] = /^([A-Z]+)_(\d+(?:\.\d+)*)$/.exec(version) ?? [];
  const most = allowed[library][family];
  if (!most) return false;
  const [major, minor = 0] = numbers.split(".").map(Number);
  return major < most[0] || (major === most[0] && minor <= most[1]);
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
