import type { EpochEvent } from "./events.js";

/** The epoch that validation chooses: the first one of the greatest validation accuracy. Undefined where none was validated. */
export function chosenEpoch(history: readonly EpochEvent[]): EpochEvent | undefined {
  return history.reduce<EpochEvent | undefined>((best, event) => (accuracyOf(event) > accuracyOf(best) ? event : best), undefined);
}

const accuracyOf = (event: EpochEvent | undefined): number => event?.valAccuracy ?? -1;
