import { check } from "../errors.js";
import { colormap, levels, quantize } from "./colormap.js";
import { pngDataUri } from "./png.js";
import { clip, element, escapeText, significant, svg } from "./svg.js";

export interface HeatmapOptions {
  title: string;
  /** true (default): diverging colours, zero in the middle; false: sequential colours from the least to the greatest value. */
  symmetric?: boolean;
  /** Values beyond +-limit saturate; default: the greatest magnitude. Needs `symmetric`. */
  limit?: number;
  size?: number; // side of the drawn square (or of its longer side), default 240
}

/** `values` [rows, cols] as SVG text: one embedded PNG pixel an entry, and a scale bar. Throws ERR_LCONV_SHAPE when the sizes do not fit. */
export function heatmap(values: ArrayLike<number>, rows: number, cols: number, options: HeatmapOptions): string {
  const { title, symmetric = true, size = 240 } = options;
  const margin = 84; // scale bar and its labels
  check(
    rows > 0 && cols > 0 && values.length === rows * cols,
    "ERR_LCONV_SHAPE",
    () => `heatmap: ${rows}x${cols} needs ${rows * cols} values, got ${values.length}`,
  );
  const [min, max] = symmetric ? symmetricRange(values, options.limit) : range(values);
  const palette = colormap(symmetric ? "diverging" : "sequential");
  const drawn = pngDataUri({ width: cols, height: rows, pixels: quantize(values, min, max), palette });
  const bar = pngDataUri({ width: 1, height: levels, pixels: Uint8Array.from({ length: levels }, (_, i) => levels - 1 - i), palette });

  const unit = size / Math.max(rows, cols);
  const [width, height] = [cols * unit, rows * unit];
  const barHeight = Math.max(height, 60);
  const top = 22;
  const marks = symmetric ? [max, 0, min] : [max, min];
  const saturates = symmetric && options.limit !== undefined && max < greatestMagnitude(values);
  return svg(
    width + margin,
    top + barHeight + 8,
    title,
    element("title", {}, escapeText(title)),
    element("text", { x: 0, y: 14, "font-weight": 600 }, escapeText(clip(title, Math.floor((width + margin) / 7)))),
    picture(drawn, 1, top, width, height),
    picture(bar, width + 10, top, 12, barHeight),
    ...marks.map((value, i) => {
      const y = top + 9 + (i / (marks.length - 1)) * (barHeight - 10);
      return element("text", { x: width + 27, y, "font-size": 11 }, escapeText(mark(value, saturates)));
    }),
  );
}

/** An embedded image, its pixels left sharp and its edge visible on any page. */
export const picture = (href: string, x: number, y: number, width: number, height: number): string =>
  element("image", { href, x, y, width, height, preserveAspectRatio: "none", style: "image-rendering:pixelated" }) +
  element("rect", { x, y, width, height, fill: "none", stroke: "currentColor", "stroke-opacity": "0.35" });

/** [min, max] of the finite values, [0, 0] without any. */
export function range(values: ArrayLike<number>): [min: number, max: number] {
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  return min <= max ? [min, max] : [0, 0];
}

function symmetricRange(values: ArrayLike<number>, limit = greatestMagnitude(values)): [min: number, max: number] {
  return [-limit, limit];
}

function greatestMagnitude(values: ArrayLike<number>): number {
  const [min, max] = range(values);
  return Math.max(-min, max);
}

function mark(value: number, saturates: boolean): string {
  const magnitude = Math.abs(value);
  const shown = magnitude > 0 && (magnitude < 0.01 || magnitude >= 10000) ? magnitude.toExponential(1) : significant(magnitude, 2);
  const bound = value === 0 || !saturates ? "" : value > 0 ? "≥ " : "≤ ";
  return `${bound}${value < 0 ? "−" : ""}${shown}`;
}
