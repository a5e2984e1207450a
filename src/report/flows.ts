import { Matrix } from "ml-matrix";
import { expApply } from "../lie/functions/exponential.js";
import { apply, type Generator } from "../lie/generators/generator.js";
import { derivative } from "../lie/generators/grids.js";
import { lineChart } from "./chart.js";
import { imageGrid } from "./images.js";
import { element, escapeText, significant, svg } from "./svg.js";

// What exp(t L) does to functions on a grid, as pictures.

/** A vector at each pixel, row-major, x to the right and y downwards, in pixels a unit of t. */
export interface VelocityField {
  x: Float64Array;
  y: Float64Array;
  /** Share of |L h|^2 over smooth images h that -v . grad h explains: 1 for a motion of the pixels, near 0 for anything else. */
  explained: number;
}

/** Smooth bumps around every pixel, as columns [p q, p q]. */
function bumps(p: number, q: number): Matrix {
  const width = Math.max(1, Math.min(p, q) / 7);
  const H = Matrix.zeros(p * q, p * q);
  for (let n = 0; n < p * q; n++) {
    for (let mu = 0; mu < p * q; mu++) {
      const squared = (Math.floor(mu / q) - Math.floor(n / q)) ** 2 + ((mu % q) - (n % q)) ** 2;
      H.set(mu, n, Math.exp(-squared / (2 * width ** 2)));
    }
  }
  return H;
}

/** The field v that fits L h = -v . grad h best at each pixel of a p x q grid, over smooth bumps h near it. */
export function velocityField(g: Generator, p: number, q: number): VelocityField {
  const H = bumps(p, q);
  const [right, down] = gradients(H, p, q);
  const moved = apply(g, H);
  const field = { x: new Float64Array(p * q), y: new Float64Array(p * q), explained: 0 };
  let [left, all] = [0, 0];
  for (let mu = 0; mu < p * q; mu++) {
    const [a, b, c] = [right.getRow(mu), down.getRow(mu), moved.getRow(mu)];
    const [aa, ab, bb, ac, bc] = [dot(a, a), dot(a, b), dot(b, b), dot(a, c), dot(b, c)];
    const determinant = aa * bb - ab * ab;
    if (determinant <= 1e-12 * aa * bb) continue;
    field.x[mu] = -(bb * ac - ab * bc) / determinant;
    field.y[mu] = -(aa * bc - ab * ac) / determinant;
    for (let n = 0; n < c.length; n++) left += (c[n] + field.x[mu] * a[n] + field.y[mu] * b[n]) ** 2;
    all += dot(c, c);
  }
  field.explained = all > 0 ? Math.max(0, 1 - left / all) : 0;
  return field;
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, k) => sum + value * b[k], 0);

/** d/dx and d/dy of images, a column each. */
function gradients(H: Matrix, p: number, q: number): [right: Matrix, down: Matrix] {
  const [Dx, Dy] = [derivative(q, "band-limited", 2 * q), derivative(p, "band-limited", 2 * p)];
  const [right, down] = [Matrix.zeros(p * q, H.columns), Matrix.zeros(p * q, H.columns)];
  for (let n = 0; n < H.columns; n++) {
    const image = Matrix.from1DArray(p, q, H.getColumn(n));
    right.setColumn(n, image.mmul(Dx.transpose()).to1DArray());
    down.setColumn(n, Dy.mmul(image).to1DArray());
  }
  return [right, down];
}

const MOST_ARROWS = 15; // along an axis

/** The field as arrows on the grid. */
export function arrows(field: VelocityField, p: number, q: number, title: string): string {
  const size = 240;
  const step = Math.max(1, Math.ceil(Math.max(p, q) / MOST_ARROWS));
  const unit = size / Math.max(p, q);
  const greatest = field.x.reduce((most, x, mu) => Math.max(most, Math.hypot(x, field.y[mu])), 0);
  const lines: string[] = [];
  for (let row = Math.floor(step / 2); row < p; row += step) {
    for (let column = Math.floor(step / 2); column < q; column += step) {
      const mu = row * q + column;
      const scale = greatest > 0 ? (0.95 * step * unit) / greatest : 0;
      const [x, y] = [(column + 0.5) * unit + 1, (row + 0.5) * unit + 24];
      lines.push(arrow(x, y, field.x[mu] * scale, field.y[mu] * scale));
    }
  }
  const frame = element("rect", {
    x: 1,
    y: 24,
    width: q * unit,
    height: p * unit,
    fill: "none",
    stroke: "currentColor",
    "stroke-opacity": "0.35",
  });
  return svg(
    q * unit + 2,
    p * unit + 26,
    title,
    element("title", {}, escapeText(title)),
    element("text", { x: 0, y: 14, "font-weight": 600 }, escapeText(title)),
    frame,
    ...lines,
  );
}

function arrow(x: number, y: number, dx: number, dy: number): string {
  const length = Math.hypot(dx, dy);
  const [x1, y1, x2, y2] = [x - dx / 2, y - dy / 2, x + dx / 2, y + dy / 2];
  if (length < 1) return element("circle", { cx: x, cy: y, r: 1 });
  const [ux, uy] = [dx / length, dy / length];
  const head = Math.min(5, length / 2);
  const wing = (side: number): string =>
    `${(x2 - head * (ux - 0.5 * side * uy)).toFixed(1)} ${(y2 - head * (uy + 0.5 * side * ux)).toFixed(1)}`;
  const path = `M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}M${wing(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}L${wing(-1)}`;
  return element("path", { d: path, fill: "none", stroke: "var(--lconv-0,#0072b2)", "stroke-width": 1.5 });
}

const TIMES = [-2, -1, 0, 1, 2];

/** A test image under exp(t L), t = -2..2 steps of `step`. */
export function filmStrip(g: Generator, p: number, q: number, step: number, title: string): string {
  const h = Matrix.columnVector(testImage(p, q));
  const frames = TIMES.map((t) => expApply(g, h, t * step).to1DArray());
  const shape = [TIMES.length, 1, p, q] as const;
  const labels = TIMES.map((t) => (t === 0 ? "t = 0" : significant(t * step, 2)));
  return imageGrid(Float32Array.from(frames.flat()), { title, shape, labels, size: 84, range: [0, 1] });
}

/** A stroke and a dot off the middle, smooth, from 0 to 1: no rotation or shift leaves it as it is. */
function testImage(p: number, q: number): number[] {
  const size = Math.min(p, q);
  const width = Math.max(0.7, size / 14);
  const bump = (x: number, y: number): number => Math.exp(-(x * x + y * y) / (2 * width * width));
  return Array.from({ length: p * q }, (_, mu) => {
    const [x, y] = [(mu % q) - (q - 1) / 2, Math.floor(mu / q) - (p - 1) / 2];
    const along = Math.max(-size / 5, Math.min(size / 5, x));
    return Math.min(1, bump(x - along, y + size / 7) + bump(x - size / 6, y - size / 6));
  });
}

/** A bump on a line of n positions under exp(t L). */
export function lineFlow(g: Generator, n: number, step: number, title: string): string {
  const h = Matrix.columnVector(Array.from({ length: n }, (_, x) => Math.exp(-((x - (n - 1) / 2) ** 2) / (2 * (n / 12) ** 2))));
  const series = TIMES.map((t) => ({
    name: t === 0 ? "t = 0" : `t = ${significant(t * step, 2)}`,
    points: expApply(g, h, t * step)
      .to1DArray()
      .map((y, x) => [x, y] as const),
    dashed: t !== 0,
  }));
  return lineChart({ title, xLabel: "position", yLabel: "value", series, height: 260 });
}
