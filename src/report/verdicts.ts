import type { Check, Curve, Verdict } from "../experiments/verify/verdict.js";
import { lineChart } from "./chart.js";
import { type PageHead, page, section, textTable } from "./page.js";
import { element, escapeText, significant } from "./svg.js";

/** What `lconv verify` found, as one self-contained page: statements, figures with what they must be, and curves. */
export const renderVerdicts = (head: PageHead, verdicts: readonly Verdict[]): string => page(head, verdicts.map(verdictSection));

function verdictSection(verdict: Verdict): string {
  const { name, statement, passed, checks, curves = [], notes = [] } = verdict;
  const columns = [{ heading: "Figure" }, { heading: "Value", number: true }, { heading: "Must be" }, { heading: "" }];
  const rows = checks.map((check) => [check.what, significant(check.value, 4), bounds(check), check.passed ? "holds" : "FAILS"]);
  return section(
    `${name}: ${passed ? "holds" : "FAILS"}`,
    element("p", {}, escapeText(statement)) +
      textTable(columns, rows) +
      notes.map((note) => element("p", { class: "muted" }, escapeText(note))).join("") +
      curves.map((curve) => element("figure", {}, curveChart(curve))).join(""),
  );
}

/** "from 1.9 to 2.1", "at most 1e-5" */
export function bounds({ least, most }: Check): string {
  const show = (value: number): string => significant(value, 4);
  if (least !== undefined && most !== undefined) return `from ${show(least)} to ${show(most)}`;
  if (most !== undefined) return `at most ${show(most)}`;
  return least === undefined ? "" : `at least ${show(least)}`;
}

/** log10 y against log10 x, and the line of the predicted slope through the last point. */
export function curveChart({ title, x, y, points, slope }: Curve): string {
  const logs = points.map(([a, b]) => [Math.log10(a), Math.log10(b)] as const);
  const [lastX, lastY] = logs[logs.length - 1];
  return lineChart({
    title,
    xLabel: `log10 ${x}`,
    yLabel: `log10 ${y}`,
    series: [
      { name: "measured", points: logs },
      { name: `slope ${slope}`, points: logs.map(([a]) => [a, lastY + slope * (a - lastX)] as const), dashed: true },
    ],
  });
}
