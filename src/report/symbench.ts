import { type RocPoint, rocAt, rocWithin } from "../experiments/symbench/curves.js";
import type { GoalResult } from "../experiments/symbench/goals.js";
import type { Row } from "../experiments/symbench/score.js";
import type { SystemSummary } from "../experiments/symbench/summary.js";
import { type PageHead, page, section, textTable } from "./page.js";
import { element, escapeText, significant } from "./svg.js";
import { accuracyCharts, reliabilityChart, rocChart } from "./symbenchCharts.js";
import { cellTable, degrees, interval, percent, truthTable } from "./symbenchTables.js";

/** Cells that all of our systems have answered, and rows of all. */
export interface Progress {
  done: number;
  of: number;
  rows: number;
}

/** What `lconv benchmark symmetry` found, as one self-contained page. */
export const renderSymbench = (head: PageHead, systems: readonly SystemSummary[], { done, of, rows }: Progress): string =>
  page(head, [
    section(
      "What was measured",
      whatItIs +
        (done < of
          ? text(
              `The grid is not complete: all of our systems have answered ${count(done)} of its ${count(of)} cells. The figures are of the ${count(rows)} rows that are there.`,
            )
          : ""),
    ),
    section("Goals", goalsSection(systems)),
    section("Dimension", dimensionSection(systems)),
    section("Bounds", boundsSection(systems)),
    section("Telling symmetry from none", rocSection(systems)),
    section("By truth", truthsSection(systems)),
    section("Approximate symmetries", approximateSection(systems)),
    section("Wrong names and false positives", wrongSection(systems)),
  ]);

const count = (n: number): string => n.toLocaleString("en-US");
const text = (content: string): string => element("p", {}, escapeText(content));
const muted = (content: string): string => element("p", { class: "muted" }, escapeText(content));
const heading = (content: string): string => element("h3", {}, escapeText(content));
const scroll = (table: string, label: string): string =>
  element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);
const charts = (...all: string[]): string => element("div", { class: "row charts" }, ...all.map((chart) => element("figure", {}, chart)));

const whatItIs =
  text(
    "Functions whose symmetries are known exactly are sampled in mixed coordinates and arbitrary units, with noise on the labels. Each system says how many " +
      "symmetries there are, which, and what their algebra is called. Of distributions, samples alone are seen, with noise on the samples.",
  ) +
  text(
    "lconv is what the discover command does. oracle is the same search in the exact function: the ceiling. liegg is the plain null space of one of lconv's " +
      "networks. random is as many random generators as there are true ones: the floor; its dimension is given to it. pairs sees (x, g x) in place of labels. distribution sees samples alone, of " +
      "other truths; where a symmetry cannot be seen, as of a Gaussian, no claim is right, too.",
  );

const figure = ({ unit }: GoalResult, value: number | null): string => (unit === "share" ? percent(value) : degrees(value));

function goalsSection(systems: readonly SystemSummary[]): string {
  const columns = [
    { heading: "Goal" },
    { heading: "Asked" },
    { heading: "Value", number: true },
    { heading: "Rows", number: true },
    { heading: "" },
    { heading: "From samples on", number: true },
    { heading: "Falls short at" },
  ];
  const own = systems.find(({ system }) => system === "lconv");
  const rows = own?.goals.map((goal) => [
    ...[
      goal.name,
      goal.asked,
      figure(goal, goal.value),
      String(goal.of),
      verdict(goal),
      goal.fromSamples === null ? "not reached" : count(goal.fromSamples),
    ],
    goal.shortAt.map(({ truth, value }) => `${truth} (${figure(goal, value)})`).join(", "),
  ]);
  const of = systems.filter(({ goals }) => goals.some(({ value }) => value !== null));
  const others = of[0]?.goals.map((goal, k) => [goal.name, ...of.map(({ goals }) => figure(goals[k], goals[k].value))]) ?? [];
  return (
    muted("All of 3,000 samples or more and a noise up to .1 standard deviations; approximate symmetries are not among them.") +
    (rows ? scroll(textTable(columns, rows), "Goals") : text("There is no row of lconv.")) +
    muted(
      "Rows: how many the value is of. From samples on: the least number of samples from which on the goal is reached at each number by itself. Falls short at: " +
        "the functions that miss it by themselves.",
    ) +
    heading("The same figures of all systems") +
    scroll(textTable([{ heading: "" }, ...of.map(({ system }) => ({ heading: system, number: true }))], others), "Goals of all systems")
  );
}

export const verdict = ({ reached }: GoalResult): string => (reached === null ? "not measured" : reached ? "reached" : "NOT REACHED");

const dimensionSection = (systems: readonly SystemSummary[]): string =>
  charts(...accuracyCharts(systems)) +
  systems.map((summary) => heading(summary.system) + scroll(cellTable(summary), `Cells of ${summary.system}`)).join("") +
  muted(
    "Right, not said, too few, too many: of the dimension, in rows. False positives: claims of a symmetry, of the functions that have none. Missed: claims that there is none, of " +
      "the functions that have some. Names right, hedged (the true one is among those not excluded), missing, wrong: in rows. Angle: the largest principal angle to the " +
      "true span in whitened coordinates where the dimension is right, in degrees, median and 90 % quantile; on the data: by what the generators do to the samples as they " +
      "are. Within bound: angles that are within the stated bound. AUC: see below. Seconds: median of a whole cell, whose networks our systems share.",
  );

function boundsSection(systems: readonly SystemSummary[]): string {
  const bounded = systems.filter(({ reliability }) => reliability.all.length > 0);
  if (bounded.length === 0) return text("No system states a bound.");
  const columns = [
    { heading: "Stated" },
    { heading: "Bound times", number: true },
    { heading: "Observed", number: true },
    { heading: "95 % interval", number: true },
    { heading: "Needed", number: true },
  ];
  const tables = bounded.flatMap(({ system, reliability }) =>
    (["target", "all"] as const).map((which) => {
      const rows = reliability[which].map(({ stated, scale, observed, needed }) => [
        ...[percent(stated), significant(scale), percent(observed.share), interval(observed), needed === null ? "–" : significant(needed)],
      ]);
      const of = reliability[which][0]?.observed.of ?? 0;
      return element(
        "div",
        {},
        heading(`${system}, ${which === "target" ? "the rows of the goals" : "all rows"} (${of})`),
        textTable(columns, rows),
      );
    }),
  );
  return (
    charts(reliabilityChart(bounded)) +
    element("div", { class: "row" }, ...tables) +
    muted(
      "Stated: the share of angles that shall be within the bound. Systems state a bound of 95 %; those of other levels are that one times the factor under Bound times, as for a " +
        "normal error. Observed: the share that is within, with Wilson's interval. Needed: the factor that would have made the observed share the stated one, whatever " +
        "the distribution; at 95 % a value below 1 is a bound that is wider than it need be. The largest of several angles is seldom small: with many generators, low levels " +
        "lie below the line even where the bound of 95 % is right.",
    )
  );
}

const THRESHOLDS = [0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5];

function rocSection(systems: readonly SystemSummary[]): string {
  const with_ = systems.flatMap(({ system, roc }) => (roc ? [{ system, roc }] : []));
  if (with_.length === 0) return text("It takes functions with and without a symmetry among the rows of the goals, and residuals.");
  const rate = ({ falsePositives, truePositives }: RocPoint): string => `${percent(truePositives)} / ${percent(falsePositives)}`;
  const columns = [{ heading: "Threshold" }, ...with_.map(({ system }) => ({ heading: system, number: true }))];
  const rows = [
    ["AUC", ...with_.map(({ roc }) => roc.auc.toFixed(4))],
    ["rows with / without a symmetry", ...with_.map(({ roc }) => `${roc.positives} / ${roc.negatives}`)],
    ...THRESHOLDS.map((threshold) => [significant(threshold), ...with_.map(({ roc }) => rate(rocAt(roc, threshold)))]),
    ...[0.01, 0.05].map((most) => [
      `false positives up to ${percent(most)}`,
      ...with_.map(({ roc }) => `${rate(rocWithin(roc, most))} at ${significant(rocWithin(roc, most).threshold)}`),
    ]),
  ];
  return (
    charts(rocChart(with_)) +
    scroll(textTable(columns, rows), "ROC") +
    muted(
      "Were a symmetry claimed wherever the smallest residual is up to a threshold: true positives among the functions that have one, false positives among those that have none. " +
        "AUC: the chance that a function with a symmetry has a smaller residual than one without. Rows of the goals. A row without residuals never claims. What the systems do claim is " +
        "in the tables above.",
    )
  );
}

const truthsSection = (systems: readonly SystemSummary[]): string =>
  systems.map((summary) => heading(summary.system) + scroll(truthTable(summary), `Truths of ${summary.system}`)).join("") +
  muted(
    "Rows of the goals, columns as above. Samples needed: the least number of samples from which on the dimension is right in 95 % at each number, with a noise up to .1.",
  );

function approximateSection(systems: readonly SystemSummary[]): string {
  const rows = systems.flatMap(({ system, approximate }) => approximate.map((one) => ({ system, ...one })));
  if (rows.length === 0) return text("None has been done.");
  const columns = ["System", "Truth", "Samples", "Rows", "Accepted", "Refused", "Not said", "Other dimension"];
  const cells = rows.map(({ system, truth, samples, ...r }) => [
    ...[system, truth, count(samples)],
    ...[r.rows, r.accepted, r.refused, r.notSaid, r.other].map(String),
  ]);
  return (
    scroll(
      textTable(
        columns.map((one, k) => ({ heading: one, number: k > 1 })),
        cells,
      ),
      "Approximate symmetries",
    ) +
    muted(
      "A rotation that is broken by the share of the function's standard deviation in its name. There is no right answer: accepted says that there is a symmetry, refused that " +
        "there is none. Noise up to .1. These rows count in no other table.",
    )
  );
}

const MOST_LISTED = 50; // of a system

function wrongSection(systems: readonly SystemSummary[]): string {
  const lists = systems.filter(({ wrong }) => wrong.length > 0).map(wrongList);
  if (lists.length === 0) return text("No system has given a wrong name or a false positive.");
  return `${muted("At any number of samples and any noise. Condition: of the matrix that mixes the coordinates.")}${lists.join("")}`;
}

function wrongList({ system, wrong }: SystemSummary): string {
  const columns = ["Truth", "Algebra", "Dimension", "Said", "Dimension said", "Samples", "Noise", "Condition", "Seed"];
  const listed = textTable(
    columns.map((one, k) => ({ heading: one, number: k > 3 || k === 2 })),
    wrong.slice(0, MOST_LISTED).map(wrongCells),
  );
  const more = wrong.length > MOST_LISTED ? muted(`The first ${MOST_LISTED} of ${count(wrong.length)}.`) : "";
  return heading(`${system}: ${count(wrong.length)}`) + scroll(listed, `Wrong names of ${system}`) + more;
}

const wrongCells = (row: Row): string[] => [
  ...[row.truth, row.trueAlgebra, String(row.trueDimension), row.algebra ?? "no name", String(row.dimension ?? "–")],
  ...[count(row.samples), significant(row.noise), String(row.cond), String(row.seed)],
];
