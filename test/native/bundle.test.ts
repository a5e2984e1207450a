// time limit: 1800 s
// needs dist
// The bundle runs where there is no Node: nothing of this machine's environment reaches it, and its PATH is an empty folder.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../cli/command.js";
import { emulated, haveEmulation } from "../support/emulated.js";
import { long } from "../support/long.js";
import { skip } from "../support/skip.js";

const test = suite("native/bundle");
const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = temporaryFolder();
const empty = join(folder, "empty");
mkdirSync(empty);

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const unpacked = join(folder, `lconv-${version}-${process.platform}-${process.arch}`);

function bare(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(script, args, {
    cwd: folder,
    env: { PATH: empty, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return { status, stdout, stderr };
}

/** Why it cannot be tested here; set-up makes all of it. */
const missing = ["dist/cli/main.js", "build/Release/lconv.node", "build/Release/lconv.node.sha256"].find(
  (file) => !existsSync(join(root, file)),
);
const canPack = spawnSync("xz", ["--version"]).status === 0;

if (missing !== undefined || !canPack) {
  test("the bundle", () => skip(missing === undefined ? "no xz here" : `${missing} was not built`));
} else {
  test("it is packed, and small enough", () => {
    const archive = join(folder, "bundle.tar.xz");
    const packed = spawnSync(process.execPath, [join(root, "scripts/bundle.mjs"), "--as-built", "--out", archive], {
      env: { ...process.env, XZ_OPT: "-1 -T0" },
      encoding: "utf8",
    });
    assert.is(packed.status, 0, packed.stderr);
    assert.match(packed.stdout, archive);
    assert.ok(statSync(archive).size < 60 * 2 ** 20);
    assert.is(spawnSync("tar", ["-xf", archive, "-C", folder]).status, 0);
    assert.ok(existsSync(join(unpacked, "lconv")));
    assert.not(existsSync(join(unpacked, "node_modules/typescript")), "only what production needs");
  });

  test("doctor finds engine and libraries of the bundle", () => {
    const { status, stdout, stderr } = bare(join(unpacked, "lconv"), ["doctor", "--json"], { LD_DEBUG: "libs" });
    assert.is(status, 0, stderr.slice(-2000));
    const { ok, engine, node } = JSON.parse(stdout);
    assert.equal([ok, engine.loaded, engine.version, node], [true, true, version, process.versions.node]);
    assert.match(stderr, `calling init: ${unpacked}/build/Release/lconv.node`);
    for (const library of existsSync(join(root, "build/Release/lconv_onednn.so")) ? ["libdnnl.so", "libgomp.so.1"] : [])
      assert.match(stderr, `calling init: ${unpacked}/lib/${library}`);
  });

  test("it trains", () => {
    const size = ["--samples", "200", "--epochs", "1", "--filters", "2", "--generators", "2", "--rank", "2", "--batch", "20"];
    const { status, stdout, stderr } = bare(join(unpacked, "lconv"), [
      ...["train", "--dataset", "glyphs", "--device", "cpu", "--json", "--progress", "silent", "--out", "run", ...size],
    ]);
    assert.is(status, 0, stderr);
    const done = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    assert.equal([done.event, done.device], ["done", "cpu"]);
    assert.type(done.testAccuracy, "number");
    assert.ok(existsSync(join(folder, "run/report.html")));
  });

  if (long) {
    test("without --as-built it is built by the toolchain of the packages, for glibc 2.31", () => {
      const archive = join(folder, "portable.tar.xz");
      const env = { ...process.env, XZ_OPT: "-1 -T0" };
      const packed = spawnSync(process.execPath, [join(root, "scripts/bundle.mjs"), "--out", archive], { env, encoding: "utf8" });
      assert.is(packed.status, 0, packed.stderr);
      assert.not.match(packed.stderr, / {2}(build|lib)\//); // of Node alone, which is this machine's, may be said that it is too new
    });
  }

  if (long && haveEmulation(join(root, "build/emu"))) {
    test("with --check it checks a GPU without anything but tar, here the emulated one", () => {
      const archive = join(folder, "check.tar.xz");
      const [checked, out] = [join(folder, "checked"), join(folder, "out")];
      mkdirSync(checked);
      const env = { ...process.env, XZ_OPT: "-1 -T0" };
      const packed = spawnSync(process.execPath, [join(root, "scripts/bundle.mjs"), "--check", "--as-built", "--out", archive], { env });
      assert.is(packed.status, 0, String(packed.stderr));
      assert.is(spawnSync("tar", ["-xf", archive, "-C", checked]).status, 0);
      const script = join(checked, basename(unpacked), "gpu-check");
      const { status, stdout, stderr } = bare(script, ["--out", out], { PATH: "/usr/bin:/bin", ...emulated(join(root, "build/emu")) });
      assert.is(status, 0, `${stdout}\n${stderr}`);
      assert.match(stdout, /^ok +parity: /m);
      assert.match(stdout, /, 0 failed, \d+ skipped, 0 not run, in /);
      assert.is(stdout.trim().split("\n").at(-1), `${out}.tar.gz`);
    });
  }

  test("it runs through a link", () => {
    symlinkSync(join(unpacked, "lconv"), join(folder, "link"));
    const { status, stdout, stderr } = bare(join(folder, "link"), ["--version"], { PATH: "/usr/bin:/bin" });
    assert.is(status, 0, stderr);
    assert.match(stdout, version);
  });
}

test.run();
