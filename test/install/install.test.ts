// time limit: 2400 s
// needs dist: what it installs are the packages of `npm run packages`
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.js";
import { Machine } from "./project.js";
import { packages, type Registry, startRegistry } from "./registry.js";

const test = suite("install");

/** The packages that lconv names; all of them, since npm's lock file has those of other machines too. */
const present = ["lconv", "linux-x64", "linux-arm64", "cuda-linux-x64"].every((name) => existsSync(join(packages, name, "package.json")));
const binaries = `@lconv/linux-${process.arch}`;
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };

const empty = { name: "user", private: true };
const esm = { ...empty, type: "module" };
/** Trains a little and prints what the network says about three images. */
const body = `
const digits = data.glyphs({ train: 200, test: 3 });
const main = async () => {
  const prepared = await data.prepare(digits);
  const network = models.makeModel("lconv", prepared.train, device("cpu"), { generators: 2, rank: 3, filters: 4 });
  await fit(network, prepared, { epochs: 1 });
  saveModel("digits.safetensors", network, prepared);
  const model = await loadModel("digits.safetensors", { device: "cpu" });
  const { classes } = await model.predict(digits.test.pixels);
  console.log("predicted", classes.length);
};
`;
const imports = `import { data, device, fit, loadModel, models, saveModel } from "lconv";\n`;
const module = `${imports}${body}await main();\n`;
const commonJs = `const { data, device, fit, loadModel, models, saveModel } = require("lconv");\n${body}main();\n`;

let folder: string;
let registry: Registry;
let machine: Machine;

const where = (name: string): string => execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();

test.before(async () => {
  if (!present) return;
  folder = mkdtempSync(join(tmpdir(), "lconv-install-"));
  registry = await startRegistry(join(folder, "registry"));
  const tools = Object.fromEntries(["sh", "env", "sed", "dirname", "uname", "basename"].map((name) => [name, where(name)]));
  const npm = join(process.execPath, "../../lib/node_modules/npm/bin");
  machine = new Machine(folder, registry.url, {
    ...tools,
    ...{ node: process.execPath, npm: join(npm, "npm-cli.js"), npx: join(npm, "npx-cli.js") },
  });
});
test.after(() => {
  registry?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** A test that installs packages; skipped where they were not made. */
function installs(name: string, work: () => Promise<void>): void {
  test(name, present ? work : () => skip("not all packages are there: npm run packages, with g++-aarch64-linux-gnu"));
}

installs("ESM: npm install, then npm ci twice; no compiler, no script, no build tool", async () => {
  const project = machine.project("esm", { "package.json": esm, "main.mjs": module });
  await machine.works(project, "npm install lconv");
  assert.match(await machine.works(project, "node main.mjs"), "predicted 3");
  for (let again = 0; again < 2; again++) {
    await machine.works(project, "npm ci");
    assert.match(await machine.works(project, "node main.mjs"), "predicted 3");
  }
  const tree = await machine.works(project, "npm ls --all --parseable");
  for (const tool of ["cmake-js", "node-addon-api", "node-gyp", "tar"]) assert.not.match(tree, `node_modules/${tool}\n`);
  const lock = readFileSync(join(project, "package-lock.json"), "utf8");
  assert.not.match(lock, "hasInstallScript");
  assert.match(await machine.works(project, "npx lconv doctor"), /Training works on: .*cpu/);
});

installs("from a clean folder to the first prediction in a minute", async () => {
  const lines = `import { data, loadModel } from "lconv";
const model = await loadModel("runs/digits");
const { classes } = await model.predict(data.glyphs({ test: 5 }).test.pixels);
console.log(classes);
process.exit(0);
`;
  const project = machine.project("first", { "package.json": esm, "first.mjs": lines });
  const start = performance.now();
  await machine.works(project, "npm install lconv");
  const installed = performance.now();
  await machine.works(project, "npx lconv train --dataset glyphs --samples 2000 --epochs 2 --out runs/digits");
  assert.match(await machine.works(project, "node first.mjs"), /Int32Array\(5\)/);
  const seconds = (performance.now() - start) / 1e3;
  console.log(`      ${((installed - start) / 1e3).toFixed(1)} s to install, ${seconds.toFixed(1)} s to the first prediction`);
});

installs("CommonJS", async () => {
  const project = machine.project("cjs", { "package.json": empty, "main.js": commonJs });
  await machine.works(project, "npm install lconv");
  assert.match(await machine.works(project, "node main.js"), "predicted 3");
});

installs("TypeScript, strict, with the declarations of the package", async () => {
  const options = { module: "nodenext", target: "es2022", strict: true, exactOptionalPropertyTypes: true, outDir: "out", types: ["node"] };
  const project = machine.project("typescript", {
    "package.json": esm,
    "tsconfig.json": { compilerOptions: { ...options, noUncheckedIndexedAccess: true, skipLibCheck: false }, files: ["main.ts"] },
    "main.ts": module,
  });
  await machine.works(project, "npm install lconv typescript@5 @types/node@20");
  await machine.works(project, "npx tsc");
  assert.match(await machine.works(project, "node out/main.js"), "predicted 3");
});

installs("a workspace", async () => {
  const project = machine.project("workspace", {
    "package.json": { ...empty, workspaces: ["packages/*"] },
    "packages/app/package.json": { ...esm, name: "app" },
    "packages/app/main.mjs": module,
  });
  await machine.works(project, "npm install lconv --workspace app");
  assert.match(await machine.works(join(project, "packages/app"), "node main.mjs"), "predicted 3");
});

installs("offline, from npm's cache", async () => {
  const project = machine.project("offline", { "package.json": esm, "main.mjs": module });
  await machine.works(project, "npm install lconv --offline", { npm_config_registry: registry.url });
  assert.match(await machine.works(project, "node main.mjs"), "predicted 3");
});

const managers: Record<string, { tool: string; lines: string[]; run?: string; files?: Record<string, string> }> = {
  pnpm: { tool: "pnpm@10", lines: ["node T/pnpm/bin/pnpm.cjs add lconv", "node T/pnpm/bin/pnpm.cjs install --frozen-lockfile"] },
  "Yarn 1": { tool: "yarn@1", lines: ["node T/yarn/bin/yarn.js add lconv", "node T/yarn/bin/yarn.js install --frozen-lockfile"] },
  "Yarn 4, Plug'n'Play": {
    tool: "@yarnpkg/cli-dist@4",
    lines: ["node T/@yarnpkg/cli-dist/bin/yarn.js add lconv"],
    run: "node T/@yarnpkg/cli-dist/bin/yarn.js node main.mjs",
    files: { "yarn.lock": "" },
  },
};
for (const [name, { tool, lines, run = "node main.mjs", files = {} }] of Object.entries(managers))
  installs(name, async () => {
    const project = machine.project(name.replace(/\W/g, ""), { "package.json": esm, "main.mjs": module, ...files });
    const tools = await toolFolder(name, tool);
    if (!tools) return;
    for (const line of lines) await machine.works(project, line.replace("T/", `${tools}/`));
    assert.match(await machine.works(project, run.replace("T/", `${tools}/`)), "predicted 3");
  });

/** Installs tools of others beside the projects, from where npm has them itself; returns their node_modules, or says what cannot be had. */
async function toolFolder(name: string, ...tools: string[]): Promise<string | undefined> {
  const own = machine.project(`tools-${name.replace(/\W/g, "")}`, { "package.json": empty });
  let why: unknown;
  for (let attempt = 0; attempt < 2; attempt++)
    try {
      await machine.works(own, `npm install --loglevel=error ${tools.join(" ")}`, { npm_config_registry: registry.behind }, 120);
      return join(own, "node_modules");
    } catch (error) {
      why = error;
    }
  skip(`${tools.join(", ")} cannot be had: ${String(why).slice(0, 300)}`);
  return undefined;
}

for (const major of [20, 22, 24])
  installs(`Node ${major}`, async () => {
    const project = machine.project(`node${major}`, { "package.json": esm, "main.mjs": module });
    const tools = await toolFolder(`node${major}`, `node-linux-${process.arch}@${major}`);
    if (!tools) return;
    await machine.works(project, "npm install lconv");
    const node = join(tools, `node-linux-${process.arch}/bin/node`);
    assert.match(await machine.works(project, `${node} --version`), `v${major}.`);
    assert.match(await machine.works(project, `${node} main.mjs`), "predicted 3");
  });

installs("Bun", async () => {
  const project = machine.project("bun", { "package.json": esm, "main.mjs": module });
  const tools = await toolFolder("bun", `@oven/bun-linux-${process.arch === "x64" ? "x64-baseline" : "aarch64"}`);
  if (!tools) return;
  const bun = join(tools, `@oven/bun-linux-${process.arch === "x64" ? "x64-baseline" : "aarch64"}/bin/bun`);
  await machine.works(project, `${bun} add lconv --registry ${registry.url}`);
  assert.match(await machine.works(project, `${bun} main.mjs`), "predicted 3");
});

const bundlers: Record<string, { tools: string; files: Record<string, string>; external: string; bundled: string; out: string }> = {
  esbuild: {
    tools: "esbuild@0.25",
    files: {},
    external: "T/esbuild/bin/esbuild main.mjs --bundle --platform=node --format=esm --external:lconv --outfile=out/main.mjs",
    bundled: "T/esbuild/bin/esbuild main.mjs --bundle --platform=node --format=esm --outfile=out/main.mjs",
    out: "out/main.mjs",
  },
  "esbuild to CommonJS": {
    tools: "esbuild@0.25",
    files: { "main.mjs": `${imports}${body}main();\n` },
    external: "T/esbuild/bin/esbuild main.mjs --bundle --platform=node --format=cjs --external:lconv --outfile=out/main.cjs",
    bundled: "T/esbuild/bin/esbuild main.mjs --bundle --platform=node --format=cjs --outfile=out/main.cjs",
    out: "out/main.cjs",
  },
  vite: {
    tools: "vite@7",
    files: { "vite.config.mjs": "export default { ssr: { noExternal: process.env.BUNDLED ? true : undefined } };" },
    external: "node T/vite/bin/vite.js build --ssr main.mjs --outDir out",
    bundled: "BUNDLED=1 node T/vite/bin/vite.js build --ssr main.mjs --outDir out",
    out: "out/main.js",
  },
  webpack: {
    tools: "webpack@5 webpack-cli@6",
    files: {
      "webpack.config.mjs": `export default { entry: "./main.mjs", mode: "none", target: "node20", experiments: { outputModule: true },
  output: { module: true, library: { type: "module" }, path: process.cwd() + "/out", filename: "main.mjs" },
  externals: process.env.BUNDLED ? {} : { lconv: "module lconv" } };`,
    },
    external: "node T/webpack/bin/webpack.js",
    bundled: "BUNDLED=1 node T/webpack/bin/webpack.js",
    out: "out/main.mjs",
  },
};
for (const [name, { tools, files, external, bundled, out }] of Object.entries(bundlers))
  installs(`${name}: a bundle that leaves lconv out works; one that takes it in says what to do`, async () => {
    const project = machine.project(name.replaceAll(" ", ""), { "package.json": esm, "main.mjs": module, ...files });
    const folder = await toolFolder(name, ...tools.split(" "));
    if (!folder) return;
    await machine.works(project, "npm install lconv");
    await machine.works(project, external.replace("T/", `${folder}/`));
    assert.match(await machine.works(project, `node ${out}`), "predicted 3");
    await machine.works(project, bundled.replace("T/", `${folder}/`));
    renameSync(join(project, "node_modules"), join(project, "elsewhere")); // as where the bundle alone is brought
    const { code, output } = await machine.run(project, `node ${out}`);
    assert.is.not(code, 0);
    assert.match(output, "ERR_LCONV_NATIVE");
    assert.match(output, /[Mm]ark it as external/);
  });

installs("left out, half-installed, of another version, damaged: each says what to do", async () => {
  const project = machine.project("broken", { "package.json": esm, "main.mjs": module });
  await machine.works(project, "npm install lconv --omit=optional");
  const fails = async (...texts: (string | RegExp)[]): Promise<void> => {
    const { code, output } = await machine.run(project, "node main.mjs");
    assert.is.not(code, 0);
    for (const text of ["ERR_LCONV_NATIVE", ...texts]) assert.match(output, text);
  };
  await fails(`${binaries}: missing`, "--omit=optional", "npx lconv setup");
  rmSync(join(project, "node_modules"), { recursive: true });
  await machine.works(project, "npm install lconv");
  const own = join(project, "node_modules", binaries);
  const manifest = readFileSync(join(own, "package.json"), "utf8");
  writeFileSync(join(own, "package.json"), manifest.replace(`"version": "${version}"`, '"version": "9.9.9"'));
  await fails(`expected ${binaries} ${version}, got 9.9.9`, `npm install lconv@${version}`);
  writeFileSync(join(own, "package.json"), manifest);
  const engine = readFileSync(join(own, "lconv.node"));
  writeFileSync(join(own, "lconv.node"), engine.subarray(0, engine.length >> 1));
  await fails("corrupted", "npx lconv setup --force");
  rmSync(join(own, "lconv.node"));
  await fails(`half-installed: ${binaries} is there without lconv.node`, `npm install lconv@${version}`);
});

installs("lconv setup without a compiler names what is missing and changes nothing; an unwritable cache is named", async () => {
  const project = machine.project("setup", { "package.json": esm });
  await machine.works(project, "npm install lconv --omit=optional");
  const { code, output } = await machine.run(project, "npx lconv setup --json");
  assert.is.not(code, 0);
  for (const text of ["ERR_LCONV_NATIVE", "g++, cmake, make missing", "apt-get install g++ cmake make", "npx lconv setup --apt"])
    assert.match(output, text);
  assert.not.match(output, "installing");
  const apt = await machine.run(project, "npx lconv setup --apt");
  assert.match(apt.output, "apt-get, or leave to use it, is missing");
  writeFileSync(join(machine.folder, "file"), "");
  const blocked = await machine.run(project, "npx lconv setup", { XDG_CACHE_HOME: join(machine.folder, "file") });
  assert.match(blocked.output, /ERR_LCONV_IO.*XDG_CACHE_HOME/s);
});

installs("lconv setup builds from source into the cache, which npm ci keeps; the package itself may be read-only", async () => {
  const project = machine.project("source", { "package.json": esm, "main.mjs": module });
  await machine.works(project, "npm install lconv --omit=optional");
  chmodSync(join(project, "node_modules/lconv"), 0o555);
  const compilers = { PATH: [join(machine.folder, "bin"), ...(process.env["PATH"] ?? "").split(delimiter)].join(delimiter) };
  const fast = { CXXFLAGS: "-O0", CUDACXX: "/nowhere" }; // nothing is measured here
  assert.match(await machine.works(project, "npx lconv setup", { ...compilers, ...fast }), "The engine is in");
  assert.match(await machine.works(project, "node main.mjs"), "predicted 3");
  chmodSync(join(project, "node_modules/lconv"), 0o755);
  await machine.works(project, "npm ci --omit=optional");
  assert.match(await machine.works(project, "node main.mjs"), "predicted 3");
  assert.match(await machine.works(project, "npx lconv setup"), "nothing to do");
});

test.run();
