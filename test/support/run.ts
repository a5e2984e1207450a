// The runner behind `npm test [-- filter...]`: each test file in a process of its own, three at a time. It fails where uvu would stay
// silent: no file found, a file without a test or without run(), a crash, a hang. A file may say `// time limit: 900 s` or, where
// it measures time, `// runs alone`. One that says `// needs dist` runs after set-up has compiled dist/; without such a file all runs from
// the sources alone. One that says `// also on a GPU` runs twice where the emulated GPU was built: as it is, and with
// that as its device; `--gpu-only FOLDER` runs only those, on the emulation in FOLDER; `--gpu-done FILTER`, as often as needed, leaves
// out the second run of files that have had it so. `--engine FOLDER` runs all on the engine that `npm run build:native -- --baseline` or
// `-- --sanitized` made there. LCONV_* settings of the shell do not reach the tests; `--env NAME=VALUE`, as often as
// needed, gives them one: `npm test -- --env LCONV_ISA=avx2 ops/`.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { emulated, haveEmulation } from "./emulated.js";
import { testEnvironment } from "./environment.js";
import { sanitizer } from "./sanitizer.js";

const tsx = import.meta.resolve("tsx");
const WORKERS = 3; // for two cores: some files wait for signals, servers and locks for most of their time

interface Outcome {
  passed: number;
  failed: number;
  skipped: string[];
  problem?: string; // why the file as a whole failed
}

interface TestFile {
  path: string; // relative to the root
  limit: number; // seconds
  alone: boolean;
  needsDist: boolean;
  on?: { what: string; env: NodeJS.ProcessEnv }; // another device or engine
}

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    root: { type: "string", default: fileURLToPath(new URL("../../", import.meta.url)) },
    limit: { type: "string", default: "600" },
    "gpu-only": { type: "string" },
    "gpu-done": { type: "string", multiple: true, default: [] },
    engine: { type: "string" },
    env: { type: "string", multiple: true, default: [] },
  },
});
const root = resolve(values.root);
const environment = testEnvironment(process.env, values.env);
const running = new Set<ChildProcess>();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    for (const child of running) killGroup(child);
    process.exit(1);
  });
}

const files = findFiles();
const outcomes: Outcome[] = [];
if (files.length === 0) {
  const where =
    filters.length > 0 ? `with ${filters.map((filter) => `"${filter}"`).join(" or ")} in its path` : `under ${join(root, "test")}`;
  outcomes.push({ passed: 0, failed: 1, skipped: [], problem: `no test file ${where}` });
  console.log(`FAIL  ${outcomes[0]?.problem}`);
}
if (files.some((file) => file.needsDist)) compileDist();
const pooled = files.filter((file) => !file.alone);
await Promise.all(Array.from({ length: WORKERS }, () => drain(pooled)));
await drain(files.filter((file) => file.alone));
report();

function findFiles(): TestFile[] {
  const tests = join(root, "test");
  const names = existsSync(tests) ? readdirSync(tests, { recursive: true, encoding: "utf8" }) : [];
  const found = names
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .sort();
  const matches = (path: string, some: readonly string[]): boolean => some.some((filter) => path.includes(filter));
  const wanted = found.filter((path) => filters.length === 0 || matches(path, filters));
  const plain = wanted.map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return {
      path,
      gpu: /^\/\/ also on a GPU\b/m.test(text),
      limit: Number(/^\/\/ time limit: (\d+) s\b/m.exec(text)?.[1] ?? values.limit),
      alone: /^\/\/ runs alone\b/m.test(text),
      needsDist: /^\/\/ needs dist\b/m.test(text),
    };
  });
  const folder = values["gpu-only"] ?? join(root, "build/emu");
  const twice = haveEmulation(folder) && !environment["LCONV_DEVICE"];
  const onGpu = plain
    .filter(({ path, gpu }) => gpu && twice && !matches(path, values["gpu-done"]))
    .map((file) => ({ ...file, on: { what: "the emulated GPU", env: emulated(folder) } }));
  if (values.engine !== undefined) {
    if (values["gpu-only"] !== undefined) throw new Error("--engine and --gpu-only are two engines; name one");
    const sanitized = values.engine.includes("sanitized") ? sanitizer() : {};
    const env = { LCONV_NATIVE: resolve(values.engine, "Release/lconv.node"), ...sanitized };
    return plain.map((file) => ({ ...file, on: { what: `the engine in ${values.engine}`, env } }));
  }
  return values["gpu-only"] === undefined ? [...plain, ...onGpu] : onGpu;
}

/** A bundle has no set-up, and brings its dist/. */
function compileDist(): void {
  const setup = join(root, "scripts/setup.mjs");
  if (!existsSync(setup)) return;
  const { status } = spawnSync(process.execPath, [setup, "--dist"], { cwd: root, stdio: "inherit" });
  if (status === 0) return;
  outcomes.push({ passed: 0, failed: 1, skipped: [], problem: "dist/ was not compiled" });
  console.log("FAIL  dist/ was not compiled");
}

async function drain(queue: TestFile[]): Promise<void> {
  for (let file = queue.shift(); file; file = queue.shift()) outcomes.push(await runFile(file));
}

async function runFile(file: TestFile): Promise<Outcome> {
  const start = performance.now();
  const { output, ended } = await execute(file);
  const outcome = judge(output, ended);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const skipped = outcome.skipped.length > 0 ? `, ${outcome.skipped.length} skipped` : "";
  const counts = `${outcome.passed} passed${outcome.failed > 0 ? `, ${outcome.failed} failed` : ""}${skipped}`;
  console.log(
    `${outcome.failed > 0 ? "FAIL" : "ok  "}  ${file.path}${file.on ? ` on ${file.on.what}` : ""}  ${counts}  (${seconds} s)${outcome.problem ? `: ${outcome.problem}` : ""}`,
  );
  if (outcome.failed > 0) console.log(indent(output));
  for (const reason of outcome.skipped) console.log(`      skipped: ${reason}`);
  return outcome;
}

/** Runs one file to its end. `ended` is undefined for exit code 0, else the words for how it ended. */
function execute(file: TestFile): Promise<{ output: string; ended: string | undefined }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ["--import", tsx, file.path], {
      cwd: root,
      detached: true, // a process group, so that a time-out also ends what the test started
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment, NO_COLOR: "1", FORCE_COLOR: "0", ...file.on?.env },
    });
    running.add(child);
    let output = "";
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      killGroup(child);
    }, file.limit * 1000);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const finish = (ended: string | undefined): void => {
      clearTimeout(timer);
      running.delete(child);
      killGroup(child);
      done({ output, ended: late ? `timed out after ${file.limit} s` : ended });
    };
    child.once("error", (error) => finish(error.message));
    // Pipes stay open while a left-over grandchild holds them, so the exit decides and the pipes get a moment to drain.
    child.once("exit", (code, signal) => {
      const ended = signal ? `killed by ${signal}` : code === 0 ? undefined : `exit code ${code}`;
      const grace = setTimeout(finish, 2000, ended);
      child.once("close", () => {
        clearTimeout(grace);
        finish(ended);
      });
    });
  });
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid) process.kill(-child.pid, "SIGKILL");
  } catch {
    // the group has ended
  }
}

/** Reads uvu's closing summary; whatever went wrong with the file as a whole counts as one failure more. */
function judge(output: string, ended: string | undefined): Outcome {
  const count = (name: string): number | undefined => {
    const match = new RegExp(`^ {2}${name}: +(\\d+)$`, "m").exec(output);
    return match ? Number(match[1]) : undefined;
  };
  const reasons = [...output.matchAll(/^lconv-skip: (.*)$/gm)].map((match) => match[1] ?? "");
  const total = count("Total");
  const passed = count("Passed");
  if (total === undefined || passed === undefined) {
    const problem = ended ?? "no test ran: does the file call run()?";
    return { passed: 0, failed: 1, skipped: [], problem };
  }
  const skipped = [...reasons, ...Array.from({ length: count("Skipped") ?? 0 }, () => "test.skip, or left out by test.only")];
  const outcome: Outcome = { passed: Math.max(0, passed - reasons.length), failed: total - passed, skipped };
  if (total + skipped.length === 0) return { ...outcome, failed: 1, problem: "it has no tests" };
  if (ended !== undefined && outcome.failed === 0) return { ...outcome, failed: 1, problem: ended };
  if (ended !== undefined && ended !== "exit code 1") return { ...outcome, failed: outcome.failed + 1, problem: ended };
  return outcome;
}

function report(): void {
  const sum = (count: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const failed = sum((outcome) => outcome.failed);
  process.exitCode = failed > 0 ? 1 : 0;
  console.log(`\n${sum((outcome) => outcome.passed)} passed, ${failed} failed, ${sum((outcome) => outcome.skipped.length)} skipped`);
}

function indent(output: string): string {
  return output.trimEnd().replaceAll(/^/gm, "      | ");
}
