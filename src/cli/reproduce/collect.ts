import { join } from "node:path";
import { imageShapes } from "../../data/catalog.js";
import { pick } from "../../defined.js";
import { authorsParameters, type FigureName, figureNames } from "../../experiments/reproduction/figures.js";
import type { ReproducedRun } from "../../experiments/reproduction/judge.js";
import { type Counted, type Reproduction, summarize } from "../../experiments/reproduction/summary.js";
import { writeAtomic } from "../../io/atomic.js";
import { removeLitterOf } from "../../io/folders.js";
import { modelOptionNames } from "../../models/options.js";
import { readings, renderReproduction } from "../../report/reproduction.js";
import { created } from "../run/modelReport.js";
import type { Cell, CellValues } from "../sweep/cells.js";
import { collect as collectSweep } from "../sweep/collect.js";
import { isSweep, readSweep, type Sweep } from "../sweep/folder.js";
import { metricsOf, stateOf } from "../sweep/state.js";

/** What is written beside the sweeps. */
const own = ["report.html", "verdicts.json"] as const;

export interface CollectedFigures {
  reproduction: Reproduction;
  /** Finished runs and all runs of each figure that was begun. */
  runs: Partial<Record<FigureName, { done: number; cells: number }>>;
  report: string;
}

/** Writes report.html and verdicts.json of the figures that were begun in `folder`, and the tables of each. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT. */
export function collectFigures(folder: string): CollectedFigures {
  const begun = figureNames.filter((name) => isSweep(join(folder, name)));
  const sweeps = begun.map((name) => [name, readSweep(join(folder, name))] as const);
  for (const [, sweep] of sweeps) collectSweep(sweep);
  const of = <T>(value: (sweep: Sweep) => T) => Object.fromEntries(sweeps.map(([name, sweep]) => [name, value(sweep)]));
  const done = of(runsIn);
  const reproduction = summarize(of(countedIn), done);
  const runs = of(({ cells, folder: at }) => ({ done: cells.filter((cell) => stateOf(at, cell) === "done").length, cells: cells.length }));
  removeLitterOf(folder, own);
  const report = join(folder, own[0]);
  const head = { title: "Reproduction of the paper's figures", summary: `${Object.values(done).flat().length} runs.`, created: created() };
  writeAtomic(report, renderReproduction(head, reproduction));
  writeAtomic(join(folder, own[1]), `${JSON.stringify(verdictsOf(reproduction), null, 2)}\n`);
  return { reproduction, runs, report };
}

/** Claims with their verdicts, as programs read them. */
export const verdictsOf = ({ claims, sizes }: Reproduction) => [
  ...claims.map(({ claim: { figure, text, source }, judgements }) => ({
    ...{ figure, claim: text, source },
    verdicts: Object.fromEntries(readings.map(({ mode, measure, name }) => [name, judgements[mode][measure].verdict])),
    rows: judgements.corrected.chosen.rows.map(({ row, difference, verdict }) => ({ ...row, difference: difference ?? null, verdict })),
  })),
  ...sizes.map(({ figure, text, source, verdict, evidence }) => ({ figure, claim: text, source, verdict, evidence })),
];

const conditionOf = ({ dataset, variant, layers, model }: CellValues) => ({ dataset, variant, layers, model });

function runsIn({ folder, cells }: Sweep): ReproducedRun[] {
  return cells
    .filter((cell) => stateOf(folder, cell) === "done")
    .map((cell) => ({ ...conditionOf(cell.values), seed: cell.values.seed, ...metricsOf(folder, cell) }));
}

/** Each bar once: the cells of the first seed. */
function countedIn({ cells }: Sweep): Counted[] {
  const first = cells[0].values.seed;
  return cells
    .filter(({ values }: Cell) => values.seed === first)
    .map(({ values }) => ({ ...conditionOf(values), parameters: parametersOf(values) }));
}

function parametersOf(values: CellValues): number {
  const shape = imageShapes[values.dataset as keyof typeof imageShapes];
  return authorsParameters(values.model, shape, pick(values, modelOptionNames));
}
