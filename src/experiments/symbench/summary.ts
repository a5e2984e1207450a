import { boundedRows, type ReliabilityPoint, type Roc, reliability, rocOf } from "./curves.js";
import { evaluateGoals, type GoalResult, inTarget, LITTLE_NOISE, RIGHT_SHARE, reachedFrom } from "./goals.js";
import { type DimensionSaid, dimensionSaid, isGraded, type NameSaid, nameSaid } from "./grades.js";
import type { Row } from "./score.js";
import { groupBy, known, quantile, type Share, shareWhere } from "./statistics.js";
import type { Category } from "./truth.js";
import { allTruths } from "./truths.js";

export interface Spread {
  median: number | null;
  /** 90 % quantile. */
  p90: number | null;
}

/** What a group of rows of one system comes to. Angles in degrees. */
export interface Scores {
  rows: number;
  dimension: Record<DimensionSaid, number>;
  right: Share;
  names: Record<NameSaid, number>;
  /** Of the functions without a symmetry, those for which one is claimed. */
  falsePositives: Share;
  /** Of the functions with a symmetry, those that are said to have none. */
  missed: Share;
  angle: Spread;
  angleOnData: Spread;
  /** Of the angles that have a bound, those within it. */
  coverage: Share;
  auc: number | null;
  /** Median over the rows. */
  seconds: number | null;
}

export interface CellScores extends Scores {
  samples: number;
  noise: number;
}

export interface TruthScores extends Scores {
  truth: string;
  category: Category;
  /** The least number of samples from which on the dimension is right in 95 %, with little noise; null where it is not at the most samples. */
  samplesNeeded: number | null;
}

/** A symmetry that is broken: how often it is accepted all the same, with little noise. */
export interface ApproximateScores {
  truth: string;
  samples: number;
  rows: number;
  accepted: number;
  refused: number;
  notSaid: number;
  /** Another dimension. */
  other: number;
}

export interface SystemSummary {
  system: string;
  /** Of the rows that the goals are about. */
  target: Scores;
  goals: GoalResult[];
  samplesNeeded: number | null;
  cells: CellScores[];
  /** Of the rows that the goals are about. */
  truths: TruthScores[];
  approximate: ApproximateScores[];
  /** Of the rows that the goals are about, and of all. */
  reliability: { target: ReliabilityPoint[]; all: ReliabilityPoint[] };
  roc: Roc | null;
  /** Rows with a wrong name or a false positive. */
  wrong: Row[];
}

/** What a ledger says, a system after the other in order of appearance. */
export const summarize = (rows: readonly Row[]): SystemSummary[] =>
  [...groupBy(rows, ({ system }) => system)].map(([system, own]) => summaryOf(system, own));

function summaryOf(system: string, own: readonly Row[]): SystemSummary {
  const rows = own.filter(isGraded);
  const target = rows.filter(inTarget);
  return {
    system,
    target: scoresOf(target),
    goals: evaluateGoals(rows),
    samplesNeeded: samplesNeeded(rows),
    cells: cellScores(rows),
    truths: byTruth(rows).map(([truth, of]) => ({
      ...{ truth, category: of[0].category, samplesNeeded: samplesNeeded(of) },
      ...scoresOf(of.filter(inTarget)),
    })),
    approximate: approximateScores(own),
    reliability: { target: reliability(target), all: reliability(rows) },
    roc: rocOf(target),
    wrong: rows.filter((row) => nameSaid(row) === "wrong" || isFalsePositive(row)),
  };
}

/** In the order of the truths. */
function byTruth(rows: readonly Row[]): [string, Row[]][] {
  const groups = groupBy(rows, ({ truth }) => truth);
  return allTruths.flatMap(({ name }) => (groups.has(name) ? [[name, groups.get(name) as Row[]] as [string, Row[]]] : []));
}

const isFalsePositive = ({ dimension, trueDimension }: Row): boolean => trueDimension === 0 && (dimension ?? 0) > 0;

/** Of rows of one system that are graded. */
function scoresOf(rows: readonly Row[]): Scores {
  const symmetric = rows.filter(({ trueDimension }) => trueDimension > 0);
  return {
    rows: rows.length,
    dimension: counts(rows.map(dimensionSaid), ["right", "notSaid", "tooFew", "tooMany"]),
    right: shareWhere(rows, (row) => dimensionSaid(row) === "right"),
    names: counts(rows.map(nameSaid), ["right", "hedged", "missing", "wrong"]),
    falsePositives: shareWhere(
      rows.filter(({ trueDimension }) => trueDimension === 0),
      isFalsePositive,
    ),
    missed: shareWhere(symmetric, ({ dimension }) => dimension === 0),
    angle: spreadOf(rows.map(({ angle }) => angle)),
    angleOnData: spreadOf(rows.map(({ angleOnData }) => angleOnData)),
    coverage: shareWhere(boundedRows(rows), ({ angle, bound }) => angle <= bound),
    auc: rocOf(rows)?.auc ?? null,
    seconds: quantile(known(rows.map(({ seconds }) => seconds)), 0.5),
  };
}

const spreadOf = (values: readonly (number | null)[]): Spread => ({
  median: quantile(known(values), 0.5),
  p90: quantile(known(values), 0.9),
});

const counts = <K extends string>(said: readonly K[], kinds: readonly K[]): Record<K, number> =>
  Object.fromEntries(kinds.map((kind) => [kind, said.filter((one) => one === kind).length])) as Record<K, number>;

function cellScores(rows: readonly Row[]): CellScores[] {
  const groups = [...groupBy(rows, ({ samples, noise }) => `${samples} ${noise}`).values()];
  return groups
    .map((group) => ({ samples: group[0].samples, noise: group[0].noise, ...scoresOf(group) }))
    .sort((a, b) => a.samples - b.samples || a.noise - b.noise);
}

const samplesNeeded = (rows: readonly Row[]): number | null =>
  reachedFrom(rows, (some) => (shareWhere(some, (row) => dimensionSaid(row) === "right").share ?? 0) >= RIGHT_SHARE);

function approximateScores(rows: readonly Row[]): ApproximateScores[] {
  const broken = rows.filter((row) => !isGraded(row) && row.noise <= LITTLE_NOISE);
  return byTruth(broken).flatMap(([truth, of]) =>
    [...groupBy(of, ({ samples }) => samples)]
      .sort(([a], [b]) => a - b)
      .map(([samples, group]) => {
        const [{ trueDimension }] = group;
        const count = (test: (dimension: number | null) => boolean): number => group.filter(({ dimension }) => test(dimension)).length;
        return {
          ...{ truth, samples, rows: group.length },
          accepted: count((dimension) => dimension === trueDimension),
          refused: count((dimension) => dimension === 0),
          notSaid: count((dimension) => dimension === null),
          other: count((dimension) => dimension !== null && dimension !== 0 && dimension !== trueDimension),
        };
      }),
  );
}
