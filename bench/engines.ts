// Train steps of two builds of the engine in turn, a tenth of a second each, so that both meet the same load:
//
//   npx tsx bench/engines.ts --cases mnist/lconv,mnist/cnn --rounds 30 --starts 3 OLD/lconv.node NEW/lconv.node
//
// Minimum and median milliseconds of a step over all rounds and all starts of the processes (which lay out memory anew).
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchCases, recordCase } from "../src/cost/cases.js";
import { GROUP_MS, groups, timeSteps } from "../src/cost/measure.js";
import { device, type Precision } from "../src/engine/device.js";
import type { Program } from "../src/engine/program.js";

interface Turn {
  name: string;
  seconds: number;
}
interface Times {
  median: number;
  best: number;
}

if (process.send) {
  serve(process.argv[2] as Precision, Number(process.argv[3]));
} else {
  await compare();
}

/** One engine: answers each turn with the times of it. */
function serve(precision: Precision, batch: number): void {
  const cpu = device("cpu", { precision });
  const programs = new Map<string, Program>();
  process.on("message", async ({ name, seconds }: Turn) => {
    const program = programs.get(name) ?? recordCase(name, batch, cpu).program;
    programs.set(name, program);
    process.send?.(await timeSteps(groups(program), GROUP_MS, seconds));
  });
}

async function compare(): Promise<void> {
  const { values, positionals: engines } = parseArgs({
    allowPositionals: true,
    options: {
      cases: { type: "string", default: benchCases.join(",") },
      precision: { type: "string", default: "fp32" },
      batch: { type: "string", default: "64" },
      rounds: { type: "string", default: "20" },
      starts: { type: "string", default: "3" },
      seconds: { type: "string", default: "0.1" },
    },
  });
  const cases = values.cases.split(",");
  const numbers = [values.batch, values.rounds, values.starts, values.seconds].map(Number);
  const missing = engines.find((engine) => !existsSync(engine));
  if (engines.length === 0 || missing !== undefined || numbers.some((n) => !(n > 0))) {
    console.error(
      missing === undefined ? "name the engines, such as build/Release/lconv.node; numbers are above 0" : `there is no ${missing}`,
    );
    process.exit(2);
  }
  const times = new Map<string, Times[]>();
  for (let start = 0; start < Number(values.starts); start++) {
    const children = engines.map((engine) =>
      fork(fileURLToPath(import.meta.url), [values.precision, values.batch], { env: { ...process.env, LCONV_NATIVE: engine } }),
    );
    for (const name of cases) {
      for (let round = -1; round < Number(values.rounds); round++) {
        for (const [i, child] of children.entries()) {
          const turn = await ask(child, { name, seconds: Number(values.seconds) });
          if (round >= 0) times.set(`${name} ${i}`, [...(times.get(`${name} ${i}`) ?? []), turn]); // the first one warms up
        }
      }
    }
    for (const child of children) child.disconnect();
  }
  console.log(
    `${values.precision}, batch ${values.batch}; milliseconds of a step, minimum and median, and what they are of the first engine's`,
  );
  for (const [i, engine] of engines.entries()) console.log(`  ${i + 1}: ${engine}`);
  for (const name of cases) {
    const rows = engines.map((_, i) => summary(times.get(`${name} ${i}`) ?? []));
    const shown = rows.map(({ best, median }) => `${best.toFixed(4)} ${median.toFixed(4)}`);
    const ratios = rows.slice(1).map((row) => `${(row.best / rows[0].best).toFixed(3)} ${(row.median / rows[0].median).toFixed(3)}`);
    console.log(`${name.padEnd(16)}  ${[...shown, ...ratios].join("   ")}`);
  }
}

function ask(child: ChildProcess, turn: Turn): Promise<Times> {
  return new Promise((resolve, reject) => {
    child.once("message", (times: Times) => {
      child.off("exit", reject);
      resolve(times);
    });
    child.once("exit", reject);
    child.send(turn);
  });
}

function summary(times: readonly Times[]): Times {
  const medians = times.map(({ median }) => median).sort((a, b) => a - b);
  return { best: Math.min(...times.map(({ best }) => best)), median: medians[Math.floor(medians.length / 2)] };
}
