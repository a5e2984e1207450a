// time limit: 300 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { init } from "../../src/distributed/group.js";
import { launcherOf } from "../../src/distributed/launcher.js";
import { allReduce, bucketsOf } from "../../src/ops/allReduce.js";
import { tensor } from "../../src/tensor/tensor.js";
import { launchers, runRanks, startRanks, whyNoRanks } from "../support/ranks.js";
import { skip } from "../support/skip.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("distributed/group");

test("a process alone: everything is its own", async () => {
  const world = await init();
  assert.equal([world.rank, world.size, world.localRank, world.localSize, world.backend], [0, 1, 0, 1, "none"]);
  assert.is(await init({ backend: "none" }), world);
  assert.equal([...(await world.agree([1, 2], "sum"))], [1, 2]);
  assert.equal(await world.first(() => "x"), "x");
  assert.equal([...(await world.broadcast(Uint8Array.of(3)))], [3]);
  const x = tensor([1, 2]);
  assert.is(allReduce(x, world), x);
  await world.barrier();
  await world.close();
});

test("misuse of a group", async () => {
  const world = await init();
  await rejectsCode(init({ backend: "tcp" as "mpi" }), "ERR_LCONV_ARGUMENT", 'unknown backend "tcp"');
  await rejectsCode(init({ size: 2 } as object), "ERR_LCONV_OPTION", "size");
  await rejectsCode(world.agree([1], "mean" as "sum"), "ERR_LCONV_ARGUMENT", 'unknown way "mean"');
  throwsCode(() => allReduce(tensor([1], { dtype: "int32" }), world), "ERR_LCONV_DTYPE", "allReduce");
});

test("the launcher is known by what it sets", () => {
  const of = (env: NodeJS.ProcessEnv) => {
    const found = launcherOf(env);
    return found && [found.name, found.size, found.mpi];
  };
  assert.is(of({}), undefined);
  assert.is(of({ SLURM_STEP_NUM_TASKS: "1", SLURM_NTASKS: "8" }), undefined);
  assert.equal(of({ OMPI_COMM_WORLD_SIZE: "2" }), ["Open MPI's mpirun", 2, true]);
  assert.equal(of({ PMI_SIZE: "3", PMI_RANK: "0" }), ["a launcher of MPICH", 3, true]);
  assert.equal(of({ SLURM_STEP_NUM_TASKS: "4", PMIX_RANK: "0" }), ["Slurm with PMIx", 4, true]);
  assert.equal(of({ SLURM_STEP_NUM_TASKS: "4" }), ["Slurm", 4, false]);
});

test("buckets: small networks in one message, large ones in several, each tensor whole and once", () => {
  assert.equal(bucketsOf([10, 20, 30]), [[0, 1, 2]]);
  assert.equal(bucketsOf([]), [[]]);
  assert.equal(bucketsOf([70_000, 10, 300_000, 5, 1]), [[0], [1, 2], [3, 4]]);
  const sizes = Array.from({ length: 40 }, (_, i) => 1 + ((i * 7919) % 100_000));
  const buckets = bucketsOf(sizes);
  assert.equal(buckets.flat(), [...sizes.keys()]);
  assert.ok(buckets.every((places) => places.length > 0));
});

for (const launcher of launchers) {
  for (const size of [2, 3]) {
    test(`${launcher.name}, ${size} ranks: what they agree on, in the order of their calls`, async () => {
      const { code, stderr, ranks } = await runRanks(launcher, size, "group");
      assert.is(code, 0, stderr);
      assert.is(ranks.length, size);
      const all = Array.from({ length: size }, (_, i) => i + 1);
      const sum = all.reduce((a, b) => a + b);
      ranks.forEach((rank, i) => {
        assert.equal(rank["place"], [i, size, i, size]);
        assert.equal((rank["total"] as number[]).slice(0, 2), [sum, size - sum]);
        assert.equal(rank["least"], [1, 1 - size, 0.1]);
        assert.equal(rank["greatest"], [size, 0, 0.1]);
        assert.equal(rank["first"], [1, 0, 0.1]);
        assert.equal(
          rank["many"],
          Array.from({ length: 40 }, (_, k) => k * sum),
        );
        assert.equal(rank["bytes"], [size - 1, 7]);
        assert.is(rank["words"], `I am ${size - 1}`);
        assert.equal(rank["failure"], {
          name: "LconvError",
          code: "ERR_LCONV_IO",
          message: i === 0 ? "no such file" : "rank 0: no such file",
        });
        assert.ok(Number(rank["ticks"]) >= 5, "the event loop goes on while a rank waits");
      });
    });

    test(`${launcher.name}, ${size} ranks: sums of tensors, at once and recorded, and their gradient`, async () => {
      const { code, stderr, ranks } = await runRanks(launcher, size, "sums");
      assert.is(code, 0, stderr);
      const sum = (size * (size + 1)) / 2;
      for (const rank of ranks) {
        assert.equal(rank["eager"], [sum, 10 * sum, size / 2]);
        assert.equal(rank["gradient"], [sum, 2 * sum, 3 * sum]); // of the sum over ranks of r w x
      }
    });
  }

  test(`${launcher.name}: calls at once stay apart, and calls that do not belong together are errors on all ranks`, async () => {
    const { code, stderr, ranks } = await runRanks(launcher, 2, "wrong", {}, { more: { LCONV_COLLECTIVE_TIMEOUT: "20" } });
    assert.is(code, 0, stderr);
    assert.is(ranks.length, 2);
    for (const rank of ranks as Record<string, { code?: string; message?: string }>[]) {
      assert.equal(rank["together"], [7, 3, "rank 1", 1]);
      for (const what of ["lengths", "ways", "kinds"]) {
        assert.is(rank[what]?.code, "ERR_LCONV_RANKS", what);
        assert.match(String(rank[what]?.message), "do not call the same");
      }
      for (const what of ["second", "eager"]) {
        assert.is(rank[what]?.code, "ERR_LCONV_BUSY", what);
        assert.match(String(rank[what]?.message), "a program that sums over ranks is running");
      }
      assert.equal(rank["steps"], [200]);
      assert.is(rank["unequal"]?.code, "ERR_LCONV_RANKS");
      assert.match(String(rank["unequal"]?.message), "other things, or for another number of steps");
      assert.equal(rank["after"], [3, 2]);
    }
  });

  test(`${launcher.name}: a rank that ends before MPI is open does not make the others wait for ever`, async () => {
    const begun = performance.now();
    const { code, ranks } = await runRanks(launcher, 2, "early", {}, { more: { LCONV_COLLECTIVE_TIMEOUT: "3" }, seconds: 60 });
    assert.ok(code !== 0 && performance.now() - begun < 40_000);
    if (launcher.name === "MPICH") assert.is(ranks.length, 1); // Open MPI ends the other at once
    for (const { code: own, message } of ranks) {
      assert.is(own, "ERR_LCONV_COLLECTIVE");
      assert.match(String(message), "MPI did not start within 3 s");
    }
  });

  test(`${launcher.name}: a rank that does not come is an error after the time limit, and no hang`, async () => {
    const { ranks } = await runRanks(launcher, 2, "wait", { late: 1, ms: 60_000 }, { more: { LCONV_COLLECTIVE_TIMEOUT: "2" } });
    const [error] = ranks.filter((rank) => rank["code"] !== undefined);
    assert.is(error?.["rank"], 0);
    assert.is(error?.["code"], "ERR_LCONV_COLLECTIVE");
    assert.match(String(error?.["message"]), "rank 0 of 2 waited 2 s for the others");
  });

  test(`${launcher.name}: a rank that ends early ends all`, async () => {
    const begun = performance.now();
    const { code, ranks } = await runRanks(launcher, 2, "wait", { exits: 1, code: 9 });
    assert.ok(code !== 0 && performance.now() - begun < 60_000);
    assert.not(ranks.some((rank) => rank["came"]));
  });

  test(`${launcher.name}: a rank that is killed ends all`, async () => {
    let text = "";
    let killed = false;
    const child = startRanks(launcher, 2, "wait", { late: 1, ms: 60_000 });
    child.stdout?.on("data", (chunk: string) => {
      text += chunk;
      const pid = /"rank":1,"pid":(\d+)/.exec(text)?.[1];
      if (pid && !killed) process.kill(Number(pid), "SIGKILL");
      killed ||= pid !== undefined;
    });
    const { code } = await child.ended;
    assert.ok(killed && code !== 0);
  });

  test(`${launcher.name}: a library that is not there, and no number of seconds`, async () => {
    const missing = await runRanks(launcher, 2, "group", {}, { more: { LCONV_MPI: "/nowhere/libmpi.so" } });
    assert.is(missing.ranks[0]?.["code"], "ERR_LCONV_MPI");
    assert.match(String(missing.ranks[0]?.["message"]), /\/nowhere\/libmpi.so: .*\n.*apt-get install/);
    const seconds = await runRanks(launcher, 2, "group", {}, { more: { LCONV_COLLECTIVE_TIMEOUT: "soon" } });
    assert.is(seconds.ranks[0]?.["code"], "ERR_LCONV_ARGUMENT");
  });
}

test("the library of another launcher is found out before anything is done", async () => {
  if (launchers.length < 2) return skip("one MPI here at most: apt-get install openmpi-bin mpich");
  const [a, b] = launchers;
  const { ranks } = await runRanks(a, 2, "group", {}, { more: { LCONV_MPI: b.library } });
  assert.is(ranks.length, 2);
  for (const { code, message } of ranks) {
    assert.is(code, "ERR_LCONV_MPI");
    assert.match(String(message), /one of 2 that Open MPI's mpirun started, but MPICH .* finds 1/);
  }
});

if (launchers.length === 0) test("ranks", () => skip(whyNoRanks));

test.run();
