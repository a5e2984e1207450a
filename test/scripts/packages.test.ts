import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../io/helpers.js";
import { skip } from "../support/skip.js";

interface Manifest {
  name: string;
  version: string;
  scripts?: unknown;
  devDependencies?: unknown;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  repository?: { url: string };
  homepage?: string;
  bugs?: string;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  files?: string[];
}

interface Platform {
  folder: string;
  binaries: string[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const load = (name: string) => import(new URL(`../../scripts/packages/${name}`, import.meta.url).href);
const { faults, tooNew } = (await load("needs.mjs")) as Record<"faults" | "tooNew", (binary: string) => string[]>;
const { platforms } = (await load("platforms.mjs")) as { platforms: Platform[] };
const { mainManifest, platformManifest } = (await load("manifests.mjs")) as {
  mainManifest: () => Manifest;
  platformManifest: (platform: Platform) => Manifest;
};

const test = suite("scripts/packages");
const folder = temporaryFolder();
const readManifest = (path: string): Manifest => JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
const packages = join(root, "build/packages");
const notBuilt = "no build/packages; type: npm run packages";

/** A shared library made of `source`, C++ where it says so. */
function compile(name: string, source: string, ...flags: string[]): string {
  const file = join(folder, `${name}.${source.includes("std::") ? "cpp" : "c"}`);
  writeFileSync(file, source);
  const library = join(folder, name);
  execFileSync(file.endsWith("p") ? "c++" : "cc", ["-shared", "-fPIC", "-Wl,--as-needed", "-o", library, file, ...flags]);
  return library;
}

test("a library that every machine can load has no faults; symbols of Node-API come from the process", () => {
  const source = "int napi_throw(void *, void *); int f(void *env) { return napi_throw(env, 0); }";
  assert.equal(faults(compile("plain.so", source)), []);
});

test("a C library newer than 2.31 is refused, by the version of a symbol", () => {
  const versions = join(folder, "versions.map");
  writeFileSync(versions, "GLIBC_2.30 { global: older; }; GLIBC_2.32 { global: newer; }; GLIBC_3.1 { global: next; };");
  const source = "int older(void) { return 1; } int newer(void) { return 2; } int next(void) { return 3; }";
  const libm = compile("libm.so.6", source, "-Wl,-soname,libm.so.6", `-Wl,--version-script=${versions}`);
  const call = (name: string) => compile(`calls-${name}.so`, `int ${name}(void); int f(void) { return ${name}(); }`, libm);
  assert.equal(faults(call("older")), []);
  assert.equal(faults(call("newer")), ["needs GLIBC_2.32 of libm.so.6"]);
  assert.equal(faults(call("next")), ["needs GLIBC_3.1 of libm.so.6"]);
});

test("so are the system's libstdc++, a symbol that nothing provides, and a search path", () => {
  const source = '#include <string>\n#include <stdexcept>\nvoid f(int n) { throw std::runtime_error("n is " + std::to_string(n)); }';
  assert.ok(faults(compile("cxx.so", source)).includes("needs libstdc++.so.6"));
  const nobody = compile("nobody.so", "int nobody_has_this(void); int f(void) { return nobody_has_this(); }");
  assert.equal(faults(nobody), ["needs nobody_has_this, which no library was linked for"]);
  const searches = compile("searches.so", "int f(void) { return 1; }", "-Wl,-rpath,/opt/somewhere");
  assert.equal(faults(searches), ["looks for libraries in /opt/somewhere"]);
});

test("what systems with glibc 2.31 lack is found, of the C++ library, too", () => {
  const versions = join(folder, "cxx.map");
  const names = ["GLIBC_2.31", "GLIBC_2.34", "GLIBCXX_3.4.28", "GLIBCXX_3.4.29", "GLIBCXX_3.5", "CXXABI_1.3.13", "OTHER_9"];
  writeFileSync(versions, names.map((name, i) => `${name} { global: f${i}; };`).join("\n"));
  const library = compile(
    "liball.so",
    names.map((_, i) => `int f${i}(void) { return ${i}; }`).join("\n"),
    `-Wl,--version-script=${versions}`,
  );
  const calls = names.map((_, i) => `int f${i}(void); int g${i}(void) { return f${i}(); }`).join("\n");
  assert.equal(tooNew(compile("calls-all.so", calls, library)).sort(), ["CXXABI_1.3.13", "GLIBCXX_3.4.29", "GLIBCXX_3.5", "GLIBC_2.34"]);
  assert.equal(tooNew(compile("calls-none.so", "int f(void) { return 1; }")), []);
});

test("what is no library is an error that names it", () => {
  const file = join(folder, "text.so");
  writeFileSync(file, "text");
  assert.throws(() => faults(file), /text\.so/);
});

test("manifests have one version, one home, no scripts; the main one asks for exactly these binaries", () => {
  const own = readManifest(root);
  const main = mainManifest();
  const binaries = platforms.map(platformManifest);
  for (const { version, repository, homepage, bugs, scripts, devDependencies } of [main, ...binaries]) {
    assert.equal([version, repository, homepage, bugs], [own.version, own.repository, own.homepage, own.bugs]);
    assert.equal([scripts, devDependencies], [undefined, undefined]);
  }
  assert.equal(main.optionalDependencies, Object.fromEntries(binaries.map(({ name }) => [name, own.version])));
  assert.equal(main.dependencies, own.dependencies);
  assert.is(own.optionalDependencies, undefined, "a lock file cannot name what is not published");
  for (const { os, cpu, libc, files } of binaries) {
    assert.equal([os, cpu?.length, libc], [["linux"], 1, ["glibc"]]);
    assert.ok(files?.length);
  }
});

for (const platform of platforms) {
  const at = join(packages, platform.folder);
  test(`${platform.folder}: its binaries load everywhere, and its files are those that it names`, () => {
    if (!existsSync(at)) return skip(notBuilt);
    const { files = [], ...manifest } = readManifest(at);
    assert.is(manifest.version, readManifest(root).version);
    for (const binary of platform.binaries) {
      assert.equal(faults(join(at, binary)), []);
      assert.not(readFileSync(join(at, binary)).includes(root), "a path of this machine");
    }
    assert.equal(readdirSync(at).sort(), ["LICENSE", "README.md", "package.json", ...files].sort());
    for (const file of files.filter((name) => name.endsWith(".sha256"))) {
      const sum = createHash("sha256")
        .update(readFileSync(join(at, file.replace(".sha256", ""))))
        .digest("hex");
      assert.is(readFileSync(join(at, file), "utf8"), `${sum}  ${file.replace(".sha256", "")}\n`);
    }
  });
}

test("the engine for this machine works, with oneDNN where that is installed", () => {
  const binary = join(packages, `linux-${process.arch}/lconv.node`);
  if (process.platform !== "linux" || !existsSync(binary)) return skip(notBuilt);
  const loader = new URL("../../src/engine/native.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(loader)}).then(({ native }) => console.log(JSON.stringify(native().info())))`;
  const env = { ...process.env, LCONV_NATIVE: binary };
  const output = execFileSync(process.execPath, ["--import", "tsx", "-e", script], { cwd: root, encoding: "utf8", env });
  const { version, oneDNN } = JSON.parse(output) as { version: string; oneDNN?: string };
  assert.is(version, readManifest(root).version);
  const library = "/usr/lib/x86_64-linux-gnu/libdnnl.so.2";
  if (process.arch === "x64" && existsSync(library)) assert.match(oneDNN ?? "no oneDNN", /^2\./);
});

test("the main package has what a build from source needs, and neither source maps nor tests", () => {
  const at = join(packages, "lconv");
  if (!existsSync(at)) return skip(notBuilt);
  const files = readdirSync(at, { recursive: true, encoding: "utf8" });
  const needed = ["dist/index.js", "CMakeLists.txt", "cmake/cuda.cmake", "native/gyp/binding.gyp", "scripts/build-native.mjs"];
  const headers = ["node-addon-api/napi.h", "node-addon-api/LICENSE", "node-api-headers/node_api.h", "node-api-headers/LICENSE"];
  for (const file of [...needed, ...headers.map((header) => `native/vendor/${header}`)]) assert.ok(files.includes(file), file);
  assert.equal(
    files.filter((file) => /\.map$|^native\/test|^cmake\/packages|^scripts\/packages/.test(file)),
    [],
  );
});

test.run();
