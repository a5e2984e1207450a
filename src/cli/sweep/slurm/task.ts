import type { Context } from "../../terminal/context.js";
import { Interrupted } from "../../terminal/interrupt.js";
import { runSlurm } from "./programs.js";

/** The task of a Slurm array that this process is: 12_7; undefined elsewhere. SLURM_JOB_ID will not do: that of the last task stands for the whole array. */
function slurmTask({ SLURM_ARRAY_JOB_ID: job, SLURM_ARRAY_TASK_ID: task }: NodeJS.ProcessEnv = process.env): string | undefined {
  return job === undefined || task === undefined ? undefined : `${job}_${task}`;
}

/**
 * Puts the task back into the queue where SIGUSR2 ended its cell, which is how Slurm says that its time is nearly over. By then the checkpoint is written
 * and the lock given back. Slurm ends this process as soon as it agrees, so all is said before. Where it refuses, the next submission goes on with the cell.
 */
export async function requeueAfter(error: unknown, { out }: Context): Promise<void> {
  const task = slurmTask();
  if (task === undefined || !(error instanceof Interrupted) || error.signal !== "SIGUSR2") return;
  out.text(`task ${task} goes back into the queue, and will go on from its checkpoint`);
  out.emit({ event: "requeue", task });
  try {
    await runSlurm("scontrol", ["requeue", task]);
  } catch (refused) {
    process.stderr.write(`task ${task} was not put back into the queue: ${(refused as Error).message}; submit the sweep again\n`);
  }
}
