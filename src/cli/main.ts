#!/usr/bin/env node
import { checkArgv } from "./argv.js";
import { fail } from "./failure.js";
import { interruptSignal } from "./interrupt.js";
import { Output } from "./output.js";
import { buildProgram } from "./program.js";

const argv = process.argv.slice(2);
const out = new Output(argv.includes("--json"));
const program = buildProgram({ out, signal: interruptSignal() });
try {
  checkArgv(program, argv);
  if (argv.length === 0) process.stderr.write(program.helpInformation());
  await program.parseAsync(argv, { from: "user" });
} catch (error) {
  process.exitCode = fail(error, out);
}
