import { readFileSync } from "node:fs";
import type { EpochEvent } from "../../train/events.js";

/** The epochs in metrics.jsonl of a run folder; none where it has gone meanwhile, or is no such file: what is shown of a run must not stop it. */
export function readMetrics(path: string): EpochEvent[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as EpochEvent)
      .filter(isEpoch);
  } catch {
    return [];
  }
}

const isEpoch = (value: Partial<EpochEvent> | null): boolean =>
  Number.isInteger(value?.epoch) && [value?.loss, value?.seconds].every((number) => typeof number === "number");
