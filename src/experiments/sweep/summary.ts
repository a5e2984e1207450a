import { type Difference, pairedDifference, type Spread, spreadOf } from "./statistics.js";

const accuracies = ["bestValAccuracy", "valAccuracy", "testAccuracy", "chosenTestAccuracy"] as const;
export type Accuracy = (typeof accuracies)[number];

/** A finished run of a sweep. */
export interface SweepRun extends Readonly<Record<Accuracy, number | null>> {
  seed: number;
  /** The settings in which runs differ, but for the seed, as people read them. */
  values: Readonly<Record<string, string>>;
  params: number;
  seconds: number;
}

/** Runs that differ in their seeds alone. */
export interface SweepGroup {
  values: Readonly<Record<string, string>>;
  runs: readonly SweepRun[];
  params: number;
  /** Null where it was not measured. */
  accuracy: Readonly<Record<Accuracy, Spread | null>>;
  seconds: Spread;
}

/** Two groups that differ in one setting, compared by the seeds that both have. */
export interface Comparison extends Difference {
  /** The setting, its value, and the one that it is compared with. */
  key: string;
  value: string;
  reference: string;
  /** What both have in common. */
  others: Readonly<Record<string, string>>;
}

export interface SweepSummary {
  groups: readonly SweepGroup[];
  /** The accuracy that is compared: on test images, or after the last epoch on those for validation where a run has no others. Never the best epoch, which is chosen. */
  metric: "testAccuracy" | "valAccuracy";
  comparisons: readonly Comparison[];
}

/** Mean and spread over seeds, and in each setting the difference of every value to the first one, all else being equal. */
export function summarize(runs: readonly SweepRun[]): SweepSummary {
  const groups = groupsOf(runs);
  const metric = runs.every(({ testAccuracy }) => testAccuracy !== null) ? "testAccuracy" : "valAccuracy";
  return { groups, metric, comparisons: comparisonsOf(groups, metric) };
}

const keyOf = (values: object): string => JSON.stringify(values);

function groupsOf(runs: readonly SweepRun[]): SweepGroup[] {
  const byValues = new Map<string, SweepRun[]>();
  for (const run of runs) byValues.set(keyOf(run.values), [...(byValues.get(keyOf(run.values)) ?? []), run]);
  return [...byValues.values()].map((group) => {
    const spreads = accuracies.map((metric) => [metric, measured(group, metric)] as const);
    return {
      values: group[0].values,
      runs: group,
      params: group[0].params,
      accuracy: Object.fromEntries(spreads) as SweepGroup["accuracy"],
      seconds: spreadOf(group.map(({ seconds }) => seconds)),
    };
  });
}

function measured(group: readonly SweepRun[], metric: Accuracy): Spread | null {
  const values = group.map((run) => run[metric]).filter((value) => value !== null);
  return values.length === group.length ? spreadOf(values) : null;
}

function comparisonsOf(groups: readonly SweepGroup[], metric: Accuracy): Comparison[] {
  const byValues = new Map(groups.map((group) => [keyOf(group.values), group]));
  return Object.keys(groups[0]?.values ?? {}).flatMap((key) => {
    const reference = groups[0].values[key];
    return groups.flatMap((group) => {
      const other = byValues.get(keyOf({ ...group.values, [key]: reference }));
      if (other === undefined || other === group) return [];
      const difference = paired(group, other, metric);
      const { [key]: value, ...others } = group.values;
      return difference ? [{ key, value, reference, others, ...difference }] : [];
    });
  });
}

/** By the seeds of both; undefined where they share none. */
function paired(group: SweepGroup, other: SweepGroup, metric: Accuracy): Difference | undefined {
  const before = new Map(other.runs.map((run) => [run.seed, run[metric]]));
  const pairs = group.runs.flatMap((run) => {
    const [a, b] = [run[metric], before.get(run.seed) ?? null];
    return a === null || b === null ? [] : [[a, b] as const];
  });
  return pairs.length === 0 ? undefined : pairedDifference(...(transpose(pairs) as [number[], number[]]));
}

const transpose = (pairs: readonly (readonly [number, number])[]): number[][] => [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
