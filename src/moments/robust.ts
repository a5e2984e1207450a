import { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { check } from "../errors.js";
import { componentsOf } from "./components.js";
import { inverseRoot } from "./cumulants.js";
import { componentsOfRows } from "./rawMoments.js";
import { blocksOf, type Weighted } from "./source.js";

/** Rows that location and scatter are estimated from. */
const ROWS = 10_000;
/** Degrees of freedom: of Student's t, whose maximum-likelihood estimates these are. */
const FREEDOM = 1;
const STEPS = 50;
const SETTLED = 1e-4;
/** A scatter that shrinks to this, where the covariance is I, is that of a point. */
const COLLAPSED = 1e-9;
/** The share of rows that stay as they are. */
const WITHIN = 0.9;

/** Where the bulk of rows y [., k] lies: root (y - center) has the scatter I. */
interface Bulk {
  center: Float64Array;
  root: Matrix;
  /** Of |root (y - center)|, within which nine tenths lie. */
  radius: number;
}

/**
 * The samples with x -> c + (x - c) min(1, r / |x - c|), where c and | | are location and scatter of a multivariate t (Kent, Tyler and Vardi 1994), which few
 * outliers hardly move, in up to 40 principal directions, and r is the radius of nine tenths. Linear changes of x change c and | | likewise, so every linear
 * symmetry of the distribution is one of these samples.
 */
export async function drawnIn(source: Weighted, most: number, device: Device, signal?: AbortSignal): Promise<Weighted> {
  const skip = Math.max(1, Math.floor((source.N * source.m) / ROWS));
  const { inputs, k } = await componentsOf(await tamed(source, skip, signal), "auto", most, device, signal);
  const [rows, weights]: [Float64Array[], number[]] = [[], []];
  for await (const { x, weightOf } of blocksOf(source, signal)) {
    const y = await componentsOfRows(x, inputs, device);
    for (let i = 0; i < y.length / k; i += skip) {
      rows.push(Float64Array.from(y.subarray(i * k, (i + 1) * k)));
      weights.push(weightOf(i));
    }
  }
  const { center, root, radius } = await bulkOf(rows, weights, signal);
  const c = inputs.from.mmul(Matrix.columnVector(Array.from(center))).to1DArray();
  const { d, read } = source;
  return {
    ...source,
    read: async (start, end) => {
      const x = Float32Array.from(await read(start, end));
      const y = await componentsOfRows(x, inputs, device);
      for (let i = 0; i < x.length / d; i++) {
        const factor = Math.min(1, radius / distance(y.subarray(i * k, (i + 1) * k), center, root));
        if (factor < 1)
          for (let mu = 0; mu < d; mu++) x[i * d + mu] = inputs.mean[mu] + c[mu] + factor * (x[i * d + mu] - inputs.mean[mu] - c[mu]);
      }
      return x;
    },
  };
}

/** Deviations beyond which a sample has no say in which directions there are, in those of the median. */
const FAR = 100;

/** The samples whose greatest deviation from the median, in units of the median deviation of its position, is brought down to 100: to find directions by. */
async function tamed(source: Weighted, skip: number, signal?: AbortSignal): Promise<Weighted> {
  const { d, read } = source;
  const rows: Float32Array[] = [];
  for await (const { x } of blocksOf(source, signal)) for (let at = 0; at < x.length; at += skip * d) rows.push(x.slice(at, at + d));
  const medianOf = (values: Float64Array): number => values.sort()[values.length >> 1];
  const center = Float64Array.from({ length: d }, (_, mu) => medianOf(Float64Array.from(rows, (row) => row[mu])));
  const unit = center.map((middle, mu) => medianOf(Float64Array.from(rows, (row) => Math.abs(row[mu] - middle))));
  return {
    ...source,
    read: async (start, end) => {
      const x = Float32Array.from(await read(start, end));
      for (let at = 0; at < x.length; at += d) {
        let greatest = 0;
        for (let mu = 0; mu < d; mu++) if (unit[mu] > 0) greatest = Math.max(greatest, Math.abs(x[at + mu] - center[mu]) / unit[mu]);
        if (greatest > FAR) for (let mu = 0; mu < d; mu++) x[at + mu] = center[mu] + (FAR / greatest) * (x[at + mu] - center[mu]);
      }
      return x;
    },
  };
}

/** |root (y - center)| */
function distance(y: ArrayLike<number>, center: Float64Array, root: Matrix): number {
  let squares = 0;
  for (let a = 0; a < root.rows; a++) {
    let sum = 0;
    for (let b = 0; b < center.length; b++) sum += root.get(a, b) * (y[b] - center[b]);
    squares += sum * sum;
  }
  return Math.sqrt(squares);
}

async function bulkOf(rows: readonly Float64Array[], weights: readonly number[], signal?: AbortSignal): Promise<Bulk> {
  const k = rows[0].length;
  let center: Float64Array = new Float64Array(k);
  let root = Matrix.eye(k);
  for (let step = 0; step < STEPS; step++) {
    const next = new Float64Array(k);
    const S = Matrix.zeros(k, k);
    let [total, count] = [0, 0];
    for (const [n, y] of rows.entries()) {
      const u = (weights[n] * (FREEDOM + k)) / (FREEDOM + distance(y, center, root) ** 2);
      total += u;
      count += weights[n];
      for (let a = 0; a < k; a++) {
        next[a] += u * y[a];
        for (let b = 0; b <= a; b++) S.set(a, b, S.get(a, b) + u * (y[a] - center[a]) * (y[b] - center[b]));
      }
      if (n % 256 === 0) await breathe(signal);
    }
    for (let a = 0; a < k; a++) for (let b = 0; b <= a; b++) S.set(a, b, S.get(a, b) / count).set(b, a, S.get(a, b));
    check(
      S.trace() > COLLAPSED * k,
      "ERR_LCONV_DATA",
      () =>
        "symmetriesFromMoments: robust needs samples of which most differ from each other; here about half are the same point; leave robust out",
    );
    const moved = root.mmul(S).mmul(root.transpose()).sub(Matrix.eye(k)).norm();
    center = next.map((value) => value / total);
    root = inverseRoot(S, 1e-12 * S.trace());
    if (moved < SETTLED * k) break;
  }
  const sorted = rows.map((y, n) => [distance(y, center, root), weights[n]]).sort((a, b) => a[0] - b[0]);
  let left = WITHIN * weights.reduce((sum, w) => sum + w, 0);
  const at = sorted.findIndex(([, w]) => (left -= w) <= 0);
  return { center, root, radius: sorted[Math.max(0, at)][0] };
}
