#!/usr/bin/env node
import { buildProgram } from "./program.js";
import { checkArgv } from "./terminal/argv.js";
import { fail } from "./terminal/failure.js";
import { interruptSignal } from "./terminal/interrupt.js";
import { Output } from "./terminal/output.js";

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
