// What the first line of a result file says: which machine, build and commit, when, and how busy it was.
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import type { Device } from "../src/engine/device.js";
import { native } from "../src/engine/native.js";

export const machineLine = ({ threads, precision }: Device): object => ({
  machine: cpus()[0].model.trim(),
  threads,
  precision,
  ...native().info(),
  node: process.version,
  commit: execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim(),
  ...nowLine(),
});

/** The time and the load, for the last line. */
export const nowLine = (): object => ({ date: new Date().toISOString(), load: loadavg() });
