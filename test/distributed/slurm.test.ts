// time limit: 300 s
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { launchers, whyNoRanks } from "../support/ranks.js";
import { skip } from "../support/skip.js";
import { type Slurm, startSlurm, whyNoSlurm } from "../support/slurm.js";

const test = suite("distributed/slurm");
const why = launchers.some(({ name }) => name === "Open MPI") ? whyNoSlurm() : whyNoRanks;
let slurm: Slurm;
test.before(async () => {
  if (why === undefined) slurm = await startSlurm();
});
test.after(() => slurm?.stop());

const script = fileURLToPath(new URL("../support/children/rank.ts", import.meta.url));

/** What two tasks of a step have to say. */
async function step(...flags: string[]): Promise<Record<string, unknown>[]> {
  const out = mkdtempSync(join(tmpdir(), "lconv-srun-"));
  try {
    const command = [process.execPath, "--import", import.meta.resolve("tsx"), script, "group", "{}"];
    await slurm.run("srun", ...flags, "-n", "2", "--export", `ALL,RANKS_OUT=${out}`, ...command).catch(() => ""); // tasks that fail have said why
    return readdirSync(out).map((name) => JSON.parse(readFileSync(join(out, name), "utf8")) as Record<string, unknown>);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

test("srun --mpi=pmix: its tasks are ranks", async () => {
  if (why !== undefined) return skip(why);
  const pmix = await slurm.run("srun", "--mpi=pmix", "-n", "1", "true").then(
    () => true,
    () => false,
  );
  if (!pmix) return skip("this Slurm cannot load PMIx: apt-get install libpmix-dev");
  const ranks = await step("--mpi=pmix");
  assert.equal(
    ranks.map(({ place, total }) => [(place as number[])[1], (total as number[])[0]]),
    [
      [2, 3],
      [2, 3],
    ],
  );
});

test("srun without PMIx: tasks that cannot find each other say so", async () => {
  if (why !== undefined) return skip(why);
  const ranks = await step("--mpi=none");
  assert.ok(ranks.length > 0);
  for (const { code, message } of ranks) {
    assert.is(code, "ERR_LCONV_MPI");
    assert.match(String(message), "one of 2 that Slurm started, without a way to find the others; start them by srun --mpi=pmix");
  }
});

test.run();
