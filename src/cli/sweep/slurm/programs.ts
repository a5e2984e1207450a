import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { clip, LconvError } from "../../../errors.js";

/**
 * Runs a program of Slurm to its end and returns what it printed. Ctrl-C does not reach it: whether jobs were submitted must not stay unknown.
 * Throws ERR_LCONV_SLURM where it is missing, or with its own words where it failed.
 */
export async function runSlurm(
  program: "sbatch" | "squeue" | "scontrol" | "scancel",
  args: readonly string[],
  input = "",
): Promise<string> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
  const ended = new Promise<number | null>((settle, reject) => {
    child.once("error", reject);
    child.once("close", settle);
  });
  child.stdin.on("error", () => {}); // it ended without reading: its exit code says why
  child.stdin.end(input);
  try {
    const [code, out, words] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    if (code === 0) return out;
    throw new LconvError("ERR_LCONV_SLURM", `${program} failed (exit code ${code}): ${clip(words.trim().replaceAll("\n", "; "), 1000)}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw missing(program);
  }
}

const missing = (program: string): LconvError =>
  new LconvError(
    "ERR_LCONV_SLURM",
    `there is no ${program} in PATH, so Slurm is not installed here; submit from a machine of the cluster, or take --print, which gives a command for each cell`,
  );

/** Throws ERR_LCONV_SLURM where jobs cannot be submitted: Slurm is missing, or has no configuration. */
export async function checkSlurm(): Promise<void> {
  await runSlurm("sbatch", ["--version"]);
}
