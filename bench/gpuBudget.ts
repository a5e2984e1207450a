// How the minutes of a gpu-check are shared out.
import type { Step } from "./gpuStep.js";

export interface Share {
  step: Step;
  /** Seconds after the start by which it ends, and the least that it needs to begin. */
  end: number;
  least: number;
}

/**
 * Shares of `seconds` in the order of the steps, `before` of which are taken already. A step may use its share and all that earlier ones left; the last
 * one all that is left. Where there are more seconds than shares, all shares grow; where there are fewer, the last steps are not run.
 */
export function budget(steps: readonly Step[], seconds: number, { before, short }: { before: number; short: boolean }): Share[] {
  const of = (step: Step): number => (short ? step.short : step.seconds);
  const total = before + steps.reduce((sum, step) => sum + of(step), 0);
  const factor = Math.max(1, seconds / total);
  let end = factor * before;
  return steps.map((step, i) => {
    end += factor * of(step);
    return { step, end: i === steps.length - 1 ? seconds : Math.min(seconds, end), least: of(step) / 2 };
  });
}
