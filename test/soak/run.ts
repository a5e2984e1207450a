// npm run soak [-- --only NAME] [--seconds S] [--out DIR]: the long forms of tests that `npm test` runs for seconds, one after the other: some hours. What
// each prints goes to DIR/NAME.log, by default under build/soak. The exit code is 1 where one failed; Ctrl-C ends it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { pursuits } from "../support/doomed.js";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seconds: { type: "string", default: "3600" },
    out: { type: "string", default: "build/soak" },
  },
});
const tsx = import.meta.resolve("tsx");
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const child = (name: string, ...args: string[]): string[] => [path(`../support/children/${name}.ts`), ...args];

/** A script that exits with 0 when all is well: arguments of Node, and what it needs in its environment. */
interface Soak {
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
}

const faults = { LCONV_NATIVE: path("../../build/faults/lconv.node"), LCONV_GEMM: "builtin" };
/** Every one that fails, once and from there on: of so many that none is left out. */
const allocations = (how: "one" | "all"): Soak => ({
  args: ["--expose-gc", ...child("allocationFailures", "1", "1000000", "1", how)],
  env: faults,
});

/** With one thread in the pool, so that reads wait for each other. */
const hostile = (mode: string): Soak => ({ args: child("hostile", mode, "1", "1000000"), env: { UV_THREADPOOL_SIZE: "1" } });

const soaks: Record<string, Soak> = {
  ...Object.fromEntries(pursuits.map((pursuit) => [`terminate-${pursuit}`, { args: child("terminate", pursuit, "200") }])),
  "allocations-one": allocations("one"),
  "allocations-all": allocations("all"),
  hostile: hostile("calls"),
  "hostile-classes": hostile("classes"),
  tests: { args: [path("../support/run.ts"), "--env", "LCONV_TEST_LONG=1"] },
  fuzz: { args: child("fuzz", "1", "1000000") },
  crashes: { args: [path("../cli/crashes.ts")] },
  orders: { args: [path("../native/orders.ts"), "20"] },
  memory: { args: ["--expose-gc", path("./memory.ts")] },
  kills: { args: [path("./kills.ts"), "--seconds", values.seconds] },
};

let running: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    endGroup();
    process.exit(1);
  });
}

/** The child is a process group of its own, so that what it started ends with it. */
function endGroup(): void {
  try {
    if (running?.pid) process.kill(-running.pid, "SIGKILL");
  } catch {
    // it has ended
  }
}

async function soak(name: string, { args, env }: Soak): Promise<boolean> {
  const log = join(values.out, `${name}.log`);
  const file = createWriteStream(log);
  const start = performance.now();
  running = spawn(process.execPath, ["--import", tsx, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"], // not the file itself: hostile JavaScript wants the handle of a pipe
    detached: true,
  });
  for (const stream of [running.stdout, running.stderr]) stream?.pipe(file, { end: false });
  running.once("exit", endGroup); // what it left behind holds the pipes
  const how = await new Promise<string>((done) => {
    running?.once("error", (error) => done(error.message));
    running?.once("close", (code, signal) => done(signal ? `killed by ${signal}` : `exit code ${code}`));
  });
  file.end();
  await once(file, "close");
  const ok = how === "exit code 0";
  console.log(
    `${ok ? "ok  " : "FAIL"}  ${name}  ${((performance.now() - start) / 1000).toFixed(0)} s  ${ok ? "" : `${how}; see `}${resolve(log)}`,
  );
  return ok;
}

const wanted = Object.entries(soaks).filter(([name]) => values.only === undefined || name.startsWith(values.only));
if (wanted.length === 0) {
  console.error(`there is no soak "${values.only}": ${Object.keys(soaks).join(", ")}`);
  process.exit(2);
}
mkdirSync(values.out, { recursive: true });
let failed = 0;
for (const [name, one] of wanted) if (!(await soak(name, one))) failed++;
process.exitCode = failed > 0 ? 1 : 0;
