// time limit: 900 s
import { suite } from "uvu";
import { crash, operationsOf, victims } from "./crashes.js";

const test = suite("cli/crash");

/** Of every command: operations from the first to the last, each another kind where there are several. */
const tried: Readonly<Record<string, number>> = { train: 2, compare: 3, discover: 2, verify: 2, sweep: 3 };

for (const name of Object.keys(victims))
  test(`kill -9 at a file operation of ${name}: nothing half is left, and the next command goes on`, async () => {
    const operations = await operationsOf(name);
    for (let i = 0; i < tried[name]; i++) {
      const k = 1 + Math.floor(((i + 0.5) * operations.length) / tried[name]);
      await crash(name, `${operations[k - 1].startsWith("write") ? "half" : "kill"}:${k}`);
    }
  });

test.run();
