import { niceTicks, rule, seriesColor, text } from "./chart.js";
import { element, escapeText, svg } from "./svg.js";

export interface BarGroup {
  name: string;
  values: readonly (number | undefined)[]; // one for each series; undefined leaves its place empty
  spreads?: readonly (number | undefined)[]; // half the length of a whisker at the end of the bar
}

export interface BarChart {
  title: string;
  xLabel: string;
  series: readonly string[];
  groups: readonly BarGroup[];
  format: (value: number) => string;
  left?: number; // room for the names of the groups; default 150
}

const [RIGHT, TOP, BAR, GAP, WIDTH] = [60, 62, 11, 12, 760];

/** Horizontal bars from 0, a group below the other, the value behind each. */
export function barChart({ title, xLabel, series, groups, format, left = 150 }: BarChart): string {
  const ends = groups.flatMap(({ values, spreads = [] }) => values.map((value = 0, k) => value + (spreads[k] ?? 0)));
  const ticks = niceTicks(0, Math.max(...ends, Number.MIN_VALUE));
  const x = (value: number): number => left + (value / ticks[ticks.length - 1]) * (WIDTH - left - RIGHT);
  const step = series.length * BAR + GAP;
  const bottom = TOP + groups.length * step;
  const bar = (group: BarGroup, top: number, k: number): string => {
    const value = group.values[k];
    if (value === undefined) return "";
    const spread = group.spreads?.[k] ?? 0;
    const tip = element("title", {}, escapeText(`${group.name}, ${series[k]}: ${format(value)}`));
    const at = top + k * BAR;
    const body = element("rect", { x: left, y: at, width: x(value) - left, height: BAR - 1, fill: seriesColor(k) }, tip);
    const y1 = at + (BAR - 1) / 2;
    const whisker = { x1: x(Math.max(0, value - spread)), x2: x(value + spread), y1, y2: y1, stroke: "currentColor" };
    return (
      body + (spread > 0 ? element("line", whisker) : "") + text(x(value + spread) + 4, at + BAR - 2, format(value), { "font-size": 10 })
    );
  };
  return svg(
    WIDTH,
    bottom + 46,
    title,
    element("title", {}, escapeText(title)),
    text(12, 18, title, { "font-weight": 600, "font-size": 14 }),
    ...series.map(
      (name, k) =>
        element("rect", { x: left + k * 170, y: 34, width: 12, height: 12, fill: seriesColor(k) }) + text(left + 18 + k * 170, 44, name),
    ),
    ...ticks.map((tick) => rule(x(tick), TOP - 6, x(tick), bottom) + text(x(tick), bottom + 16, format(tick), { "text-anchor": "middle" })),
    text((left + WIDTH - RIGHT) / 2, bottom + 36, xLabel, { "text-anchor": "middle" }),
    ...groups.map((group, g) => {
      const y = TOP + g * step;
      return (
        text(left - 10, y + (series.length * BAR) / 2 + 4, group.name, { "text-anchor": "end" }) +
        series.map((_, k) => bar(group, y, k)).join("")
      );
    }),
  );
}
