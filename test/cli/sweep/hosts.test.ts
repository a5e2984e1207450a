// time limit: 900 s
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Hosts, startHosts, whyNoHosts } from "../../support/hosts.js";
import { skip } from "../../support/skip.js";
import { lconv } from "../command.js";
import { folder, lasting, tiny, writeGrid } from "./sweeps.js";

const test = suite("cli/sweep hosts");

const why = whyNoHosts();
let hosts: Hosts;
test.before(async () => {
  if (why === undefined) hosts = await startHosts();
});
test.after(() => hosts?.stop());

/** What was run where, by the log of GNU parallel. */
interface Ran {
  host: string;
  exit: number;
  command: string;
}

/** Runs the printed commands of a sweep as docs/sweeps.md says. */
async function printed(sweep: string, on: readonly string[]): Promise<{ code: number | null; ran: Ran[]; stderr: string }> {
  const { stdout: commands } = await lconv(folder, ["sweep", sweep, "--print"]);
  const log = join(folder, `${sweep}.log`);
  const args = ["--will-cite", "-S", on.map((name) => `1/${name}`).join(","), "--ssh", hosts.ssh, "--retries", "2", "--joblog", log];
  const env = { ...process.env, HOME: folder, PARALLEL_HOME: join(folder, "parallel") }; // it writes there
  const { status, stderr } = spawnSync("parallel", args, { input: commands, env, encoding: "utf8", timeout: 300_000 });
  const lines = readFileSync(log, "utf8").trim().split("\n").slice(1);
  const ran = lines.map((line) => line.split("\t")).map((all) => ({ host: all[1], exit: Number(all[6]), command: all[8] }));
  return { code: status, ran, stderr };
}

test("GNU parallel over ssh: four cells on two hosts, the table of a local sweep", async () => {
  if (why !== undefined) return skip(why);
  const grid = writeGrid("four.json", { base: { ...tiny, threads: 1 }, grid: { model: ["lconv", "cnn"], seed: [0, 1] } });
  const local = await lconv(folder, ["sweep", grid, "--out", "local"]);
  assert.is(local.code, 0, local.stderr);
  await lconv(folder, ["sweep", grid, "--out", "shared", "--print"]);
  const { code, ran, stderr } = await printed("shared", hosts.names);
  assert.is(code, 0, stderr);
  assert.equal([...new Set(ran.map(({ host }) => host))].sort(), [...hosts.names]);
  assert.equal(
    ran.map(({ exit }) => exit),
    [0, 0, 0, 0],
  );
  const collected = await lconv(folder, ["sweep", "shared", "--collect", "--json"]);
  assert.is(collected.lines.at(-1)?.done, 4, stderr);
  assert.equal(lasting("shared"), lasting("local"));
});

test("a host that cannot be reached: its cells are tried on the other one", async () => {
  if (why !== undefined) return skip(why);
  const grid = writeGrid("two.json", { base: { ...tiny, threads: 1 }, grid: { seed: [0, 1] } });
  await lconv(folder, ["sweep", grid, "--out", "two", "--print"]);
  const { code, ran, stderr } = await printed("two", ["gone", hosts.names[0]]);
  assert.is(code, 0, stderr);
  assert.equal(
    ran.map(({ host, exit }) => [host, exit]),
    [0, 1].map(() => [hosts.names[0], 0]),
  );
  const collected = await lconv(folder, ["sweep", "two", "--collect", "--json"]);
  assert.is(collected.lines.at(-1)?.done, 2, stderr);
});

test.run();
