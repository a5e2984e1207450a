import { clip, element, escapeText, significant, svg } from "./svg.js";

export interface Series {
  name: string;
  points: readonly (readonly [x: number, y: number])[]; // points that are not finite leave a gap
  color?: number; // index into the palette; default: the position of the series
  dashed?: boolean;
  unlisted?: boolean; // kept out of the legend
}

export interface LineChart {
  title: string;
  xLabel: string;
  yLabel: string;
  series: readonly Series[];
  width?: number; // default 640
  height?: number; // default 320; grows when the legend takes more than two rows
  yFormat?: (y: number) => string;
  yRange?: readonly [min: number, max: number]; // default: that of the points; widened to whole ticks
}

/** Okabe and Ito's colour-blind safe hues, adjusted for contrast. Pages set `--lconv-k`; the light one is the fallback. */
const palette: readonly (readonly [light: string, dark: string])[] = [
  ["#0072b2", "#56b4e9"],
  ["#d55e00", "#ff8a3d"],
  ["#009e73", "#2fcf9f"],
  ["#b5588f", "#e39ac4"],
  ["#a67c00", "#f0e442"],
  ["#3f7fa6", "#9ad1f2"],
  ["#666666", "#b8b8b8"],
];

/** CSS that defines the palette under `selector`. */
export const paletteCss = (selector: string, scheme: "light" | "dark"): string =>
  `${selector}{${palette.map((hues, k) => `--lconv-${k}:${hues[scheme === "light" ? 0 : 1]}`).join(";")}}`;

export const seriesColor = (k: number): string => `var(--lconv-${k % palette.length},${palette[k % palette.length][0]})`;

/** Round values 1, 2 or 5 times a power of ten that cover [min, max] with about `count` steps. */
export function niceTicks(min: number, max: number, count = 5, integers = false): number[] {
  if (min === max) {
    const pad = integers ? 1 : Math.abs(min) * 0.1 || 1;
    return niceTicks(min - pad, max + pad, count, integers);
  }
  const rough = (max - min) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = power * ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
  if (integers) step = Math.max(1, Math.round(step));
  const first = Math.floor(min / step + 1e-9);
  const last = Math.ceil(max / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** A line chart as SVG text; takes its ink from `currentColor` and its hues from the page, so it reads on light and dark. */
export function lineChart(chart: LineChart): string {
  const { width = 640, yFormat = (y) => significant(y) } = chart;
  const series = chart.series.map((s, k) => ({ ...s, color: s.color ?? k }));
  const points = series.flatMap((s) => s.points.filter(finite));
  const legend = layOutLegend(
    series.filter((s) => !s.unlisted),
    width - 72,
  );
  const height = (chart.height ?? 320) + 18 * Math.max(0, legend.rows - 2);
  const box = { left: 60, top: 34 + legend.rows * 18, right: width - 16, bottom: height - 44 };

  const xs = points.map(([x]) => x);
  const xTicks = niceTicks(...extent(xs), Math.max(2, Math.floor((box.right - box.left) / 70)), xs.every(Number.isInteger));
  const yTicks = niceTicks(...(chart.yRange ?? extent(points.map(([, y]) => y))), Math.max(2, Math.floor((box.bottom - box.top) / 45)));
  // epochs fill the width: only the y axis is widened to whole ticks
  const x = scale(xs.length > 0 && new Set(xs).size > 1 ? extent(xs) : ends(xTicks), box.left, box.right);
  const y = scale(ends(yTicks), box.bottom, box.top);
  const shown = xTicks.filter((tick) => x(tick) >= box.left - 0.5 && x(tick) <= box.right + 0.5);

  return svg(
    width,
    height,
    chart.title,
    element("title", {}, escapeText(chart.title)),
    text(box.left, 16, clip(chart.title, Math.floor(width / 8)), { "font-weight": 600, "font-size": 14 }),
    element("g", { transform: `translate(${box.left} 34)` }, legend.markup),
    ...yTicks.map(
      (tick) => rule(box.left, y(tick), box.right, y(tick)) + text(box.left - 8, y(tick) + 4, yFormat(tick), { "text-anchor": "end" }),
    ),
    ...shown.map(
      (tick) =>
        rule(x(tick), box.bottom, x(tick), box.bottom + 4) +
        text(x(tick), box.bottom + 18, significant(tick, 6), { "text-anchor": "middle" }),
    ),
    text((box.left + box.right) / 2, height - 8, chart.xLabel, { "text-anchor": "middle" }),
    text(0, 0, chart.yLabel, { "text-anchor": "middle", transform: `translate(13 ${(box.top + box.bottom) / 2}) rotate(-90)` }),
    ...series.map((s) => line(s, x, y, yFormat)),
    points.length === 0 ? text((box.left + box.right) / 2, (box.top + box.bottom) / 2, "no data", { "text-anchor": "middle" }) : "",
  );
}

/** The chart as a file of its own: it brings the page colours that a report would give it. */
export function standalone(chart: string): string {
  const style = `svg{color:#1c2024;background:#fff}${paletteCss("svg", "light")}@media (prefers-color-scheme:dark){svg{color:#e6e8ea;background:#15181b}${paletteCss("svg", "dark")}}`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${chart.replace(">", `>${element("style", {}, style)}`)}\n`;
}

type Scale = (value: number) => number;
type Range = [min: number, max: number];

const finite = ([x, y]: readonly [number, number]): boolean => Number.isFinite(x) && Number.isFinite(y);

const ends = (ticks: readonly number[]): Range => [ticks[0], ticks[ticks.length - 1]];

const extent = (values: readonly number[]): Range =>
  values.length === 0 ? [0, 1] : values.reduce(([min, max], v) => [Math.min(min, v), Math.max(max, v)], [Infinity, -Infinity] as Range);

const scale = ([min, max]: Range, from: number, to: number): Scale => {
  const slope = (to - from) / (max - min);
  return (value) => from + (value - min) * slope;
};

export const text = (x: number, y: number, content: string, attributes: Record<string, string | number> = {}): string =>
  element("text", { x, y, ...attributes }, escapeText(content));

export const rule = (x1: number, y1: number, x2: number, y2: number): string =>
  element("line", { x1, y1, x2, y2, stroke: "currentColor", "stroke-opacity": "0.18" });

const dashes = (series: Series, color: number): string | undefined => (series.dashed ? "5 4" : color >= palette.length ? "2 3" : undefined);

function line(series: Series & { color: number }, x: Scale, y: Scale, yFormat: (y: number) => string): string {
  const stroke = seriesColor(series.color);
  let path = "";
  let pen = "M";
  for (const point of series.points) {
    if (!finite(point)) {
      pen = "M";
      continue;
    }
    path += `${pen}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`;
    pen = "L";
  }
  const drawn = series.points.filter(finite);
  // dots carry the values as tooltips; those of a long run would merge into a band
  const radius = drawn.length <= 40 ? 2.5 : 0;
  const dots =
    radius === 0
      ? []
      : drawn.map(([px, py]) =>
          element(
            "circle",
            { cx: x(px), cy: y(py), r: radius },
            element("title", {}, escapeText(`${series.name}: ${yFormat(py)} at ${significant(px, 6)}`)),
          ),
        );
  const strokes = {
    d: path,
    fill: "none",
    stroke,
    "stroke-width": 2,
    "stroke-linejoin": "round",
    "stroke-dasharray": dashes(series, series.color),
  };
  return element("g", { fill: stroke }, path === "" ? "" : element("path", strokes), ...dots);
}

/** Entries from left to right, a new row where the next one would not fit. */
function layOutLegend(series: readonly (Series & { color: number })[], width: number): { rows: number; markup: string } {
  let column = 0;
  let rows = 0;
  let markup = "";
  for (const entry of series) {
    const name = clip(entry.name, 36);
    const taken = 48 + name.length * 6.4;
    if (column > 0 && column + taken > width) {
      column = 0;
      rows++;
    }
    const at = { x1: column, x2: column + 24, y1: rows * 18 - 4, y2: rows * 18 - 4 };
    const sample = { ...at, stroke: seriesColor(entry.color), "stroke-width": 3, "stroke-dasharray": dashes(entry, entry.color) };
    markup += element("line", sample) + text(column + 30, rows * 18, name);
    column += taken;
  }
  return { rows: series.length === 0 ? 0 : rows + 1, markup };
}
