import { existsSync } from "node:fs";

/** Of names that hold the number of the process that made them, those whose process has ended: what a killed test could not tidy up. Linux only. */
export const ofEndedProcesses = (names: readonly string[], pattern: RegExp): string[] =>
  names.filter((name) => {
    const pid = pattern.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
