import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("support/run");
const runner = fileURLToPath(new URL("run.ts", import.meta.url));
const uvu = JSON.stringify(import.meta.resolve("uvu"));
const skipHelper = JSON.stringify(new URL("skip.ts", import.meta.url).href);
const head = `import { suite } from ${uvu};\nimport { skip } from ${skipHelper};\nconst test = suite("t");\n`;
const good = `${head}test("one", () => {});\ntest("two", () => {});\ntest.run();\n`;

interface Ran {
  status: number | null;
  output: string;
  last: string;
}

/** Runs the runner on a temporary package with these test files. */
const runOn = (files: Record<string, string>, ...args: string[]): Ran => runIn(process.env, files, ...args);

function runIn(env: NodeJS.ProcessEnv, files: Record<string, string>, ...args: string[]): Ran {
  const root = mkdtempSync(join(tmpdir(), "lconv-run-"));
  try {
    writeFileSync(join(root, "package.json"), '{"type":"module"}');
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const result = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), runner, "--root", root, ...args], {
      encoding: "utf8",
      env,
    });
    const output = result.stdout + result.stderr;
    return { status: result.status, output, last: output.trimEnd().split("\n").at(-1) ?? "" };
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("sums up what passed and closes with the counts alone on the last line", () => {
  const { status, last } = runOn({ "test/a.test.ts": good, "test/deep/b.test.ts": good });
  assert.is(last, "4 passed, 0 failed, 0 skipped");
  assert.is(status, 0);
});

test("dist/ is compiled first where a file needs it, and only there", () => {
  const files = {
    "scripts/setup.mjs": 'console.log("set-up", ...process.argv.slice(2));\n',
    "test/plain.test.ts": good,
    "test/packed.test.ts": `// needs dist\n${good}`,
  };
  assert.not.match(runOn(files, "plain").output, "set-up");
  const { output, last } = runOn(files);
  assert.match(output, "set-up --dist\n");
  assert.is(last, "4 passed, 0 failed, 0 skipped");
});

test("that dist/ cannot be compiled is a failure", () => {
  const { output, last, status } = runOn({ "scripts/setup.mjs": "process.exitCode = 1;\n", "test/a.test.ts": `// needs dist\n${good}` });
  assert.match(output, "FAIL  dist/ was not compiled");
  assert.is(last, "2 passed, 1 failed, 0 skipped");
  assert.is(status, 1);
});

test("no file found is a failure", () => {
  const { status, output, last } = runOn({ "test/a.test.ts": good }, "vectors");
  assert.match(output, 'no test file with "vectors" in its path');
  assert.is(last, "0 passed, 1 failed, 0 skipped");
  assert.is(status, 1);
});

test("a filter is a part of the path", () => {
  const { output, last } = runOn({ "test/a.test.ts": good, "test/vectors/b.test.ts": good }, "vectors");
  assert.is(last, "2 passed, 0 failed, 0 skipped");
  assert.not.match(output, "a.test.ts");
});

test("a file without tests, or without run(), is a failure", () => {
  const { status, output, last } = runOn({
    "test/empty.test.ts": `${head}test.run();\n`,
    "test/forgot.test.ts": `${head}test("one", () => {});\n`,
  });
  assert.match(output, /empty\.test\.ts.*it has no tests/);
  assert.match(output, /forgot\.test\.ts.*does the file call run\(\)\?/);
  assert.is(last, "0 passed, 2 failed, 0 skipped");
  assert.is(status, 1);
});

test("a failing test is counted and its output shown", () => {
  const { status, output, last } = runOn({
    "test/a.test.ts": `${head}test("one", () => {});\ntest("broken", () => { throw new Error("seven is not eight"); });\ntest.run();\n`,
  });
  assert.match(output, "seven is not eight");
  assert.is(last, "1 passed, 1 failed, 0 skipped");
  assert.is(status, 1);
});

test("a hang ends at the time limit and is named", () => {
  const { status, output, last } = runOn({
    "test/hang.test.ts": `// time limit: 1 s\n${head}test("never", () => new Promise(() => setInterval(() => {}, 1000)));\ntest.run();\n`,
    "test/good.test.ts": good,
  });
  assert.match(output, /hang\.test\.ts.*timed out after 1 s/);
  assert.is(last, "2 passed, 1 failed, 0 skipped");
  assert.is(status, 1);
});

test("a promise that never settles is a failure", () => {
  const { output, last } = runOn({ "test/a.test.ts": `${head}test("never", () => new Promise(() => {}));\ntest.run();\n` });
  assert.match(output, "Exiting early");
  assert.is(last, "0 passed, 1 failed, 0 skipped");
});

test("a crash and a bad exit code are counted", () => {
  const { status, output, last } = runOn({
    "test/crash.test.ts": `${head}test("dies", () => { process.kill(process.pid, "SIGSEGV"); });\ntest.run();\n`,
    "test/exit.test.ts": `${head}test("one", () => {});\nprocess.on("exit", () => { process.exitCode = 3; });\ntest.run();\n`,
  });
  assert.match(output, /crash\.test\.ts.*killed by SIGSEGV/);
  assert.match(output, /exit\.test\.ts.*exit code 3/);
  assert.is(last, "1 passed, 2 failed, 0 skipped");
  assert.is(status, 1);
});

test("a skipped test counts as skipped, not as passed, and its reason is listed", () => {
  const { status, output, last } = runOn({
    "test/a.test.ts": `${head}test("one", () => {});\ntest("two", () => skip("no such data here"));\ntest.run();\n`,
  });
  assert.match(output, "skipped: no such data here");
  assert.is(last, "1 passed, 0 failed, 1 skipped");
  assert.is(status, 0);
});

/** A test file that prints the LCONV_* settings that it, and a process that it starts, was given. */
const prints = `${head}import { execFileSync } from "node:child_process";
test("one", () => {
  const script = 'console.log(JSON.stringify(Object.entries(process.env).filter(([name]) => name.startsWith("LCONV_")).sort()))';
  eval(script);
  process.stdout.write(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }));
  throw new Error("so that the output is shown");
});
test.run();
`;

function settingsSeen(env: NodeJS.ProcessEnv, ...args: string[]): unknown[] {
  const { output } = runIn({ ...process.env, ...env }, { "test/a.test.ts": prints }, ...args);
  return [...output.matchAll(/^ +\| .*?(\[\[.*\]\]|\[\])$/gm)].map(([, json]) => JSON.parse(json));
}

test("settings of the shell do not reach the tests, existing folders of material and --env do", () => {
  const shell = { LCONV_DATA: "/nonexistent", LCONV_VECTORS: "/", LCONV_THREADS: "abc", LCONV_DEVICE: "cuda:7", LCONV_ODD: "1" };
  const given = ["--env", "LCONV_ISA=avx2", "--env", "LCONV_THREADS=a=b"];
  const seen = [
    ["LCONV_ISA", "avx2"],
    ["LCONV_THREADS", "a=b"],
    ["LCONV_VECTORS", "/"],
  ];
  assert.equal(settingsSeen(shell, ...given), [seen, seen]);
  assert.equal(settingsSeen({ LCONV_DATA: tmpdir(), LCONV_VECTORS: "" }), [[["LCONV_DATA", tmpdir()]], [["LCONV_DATA", tmpdir()]]]);
});

test("a setting that is none is refused", () => {
  const { status, output } = runOn({ "test/a.test.ts": good }, "--env", "LCONV_ISA");
  assert.is(status, 1);
  assert.match(output, 'expected NAME=VALUE, got "LCONV_ISA"');
});

test.run();
