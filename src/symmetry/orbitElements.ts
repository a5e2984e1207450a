import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { Philox, streams } from "../engine/random.js";
import type { Planes } from "./planes.js";

// The elements of a group that an Orbit takes, as matrices between few coordinates.

/**
 * Group elements g_1..g_E as g x - x = out K_g into x: `into` [p, d] gives the coordinates in the planes of all generators, `out` [d, r] has orthonormal
 * columns, which span all that moves, and K_g is [r, p].
 */
export interface Elements {
  into: Matrix;
  out: Matrix;
  maps: readonly Matrix[];
}

/** Frequencies are multiples of one where they are to this share of it. */
const COMMENSURATE = 1e-6;
/** The one may be the lowest frequency divided by up to this number. */
const MOST_PARTS = 12;
/** Directions of less than this share of the greatest are rounding. */
const ROUNDING = 1e-9;

/** The shortest time after which the flow is back where it began; undefined where the frequencies are no integer multiples of one. */
export function periodOf(frequencies: ArrayLike<number>): number | undefined {
  const all = Array.from(frequencies);
  const lowest = Math.min(...all);
  for (let parts = 1; parts <= MOST_PARTS; parts++) {
    const one = lowest / parts;
    if (all.every((w) => Math.abs(w / one - Math.round(w / one)) < COMMENSURATE)) return (2 * Math.PI) / one;
  }
  return undefined;
}

/** The middles of an odd number of equal parts of -width..width, of which one is 0; that number is `count` or the next. */
export function evenTimes(width: number, count: number): Float64Array {
  const n = count + 1 - (count % 2);
  return Float64Array.from({ length: n }, (_, s) => (2 * width * (s - (n - 1) / 2)) / n);
}

/** [count, n_L] from -width to width at random; the first are 0. */
export function randomTimes(width: number, count: number, n_L: number, seed: number): Float64Array {
  const t = new Float64Array(count * n_L);
  t.set(
    new Philox(seed, streams.user).uniform((count - 1) * n_L).map((u) => (2 * u - 1) * width),
    n_L,
  );
  return t;
}

/** exp(t_1 L_1) exp(t_2 L_2) .. for each row of `times`, [E, n_L]. */
export function elementsOf(list: readonly Planes[], times: Float64Array): Elements {
  const n_L = list.length;
  const into = new Matrix(list.flatMap((planes) => planes.into.to2DArray()));
  const wide = new Matrix(list.flatMap((planes) => planes.out.transpose().to2DArray())).transpose(); // [d, p]
  const svd = new SingularValueDecomposition(wide, { autoTranspose: true });
  const kept = svd.diagonal.flatMap((value, i) => (value > ROUNDING * svd.diagonal[0] ? [i] : []));
  const out = svd.leftSingularVectors.subMatrixColumn(kept);
  const parts = list.map((planes) => ({
    planes,
    into: planes.into.mmul(out), // [2 q, r]: what a step along `out` does to the coordinates in these planes
    out: out.transpose().mmul(planes.out), // [r, 2 q]
  }));
  const maps = Array.from({ length: times.length / n_L }, (_, e) => stepOf(parts, into.rows, times.subarray(e * n_L, (e + 1) * n_L)));
  return { into, out, maps };
}

interface Part {
  planes: Planes;
  into: Matrix;
  out: Matrix;
}

/** K [r, p] of the element at t [n_L]. The last generator acts first. */
function stepOf(parts: readonly Part[], p: number, t: Float64Array): Matrix {
  const K = Matrix.zeros(parts[0].out.rows, p);
  let start = p;
  for (let i = parts.length - 1; i >= 0; i--) {
    const { planes, into, out } = parts[i];
    const q = planes.frequencies.length;
    start -= 2 * q;
    const now = into.mmul(K); // the coordinates in these planes after what has acted so far, [2 q, p]
    for (let j = 0; j < 2 * q; j++) now.set(j, start + j, now.get(j, start + j) + 1);
    for (let j = 0; j < q; j++) {
      const angle = t[i] * planes.frequencies[j];
      const [cos, sin] = [-2 * Math.sin(angle / 2) ** 2, Math.sin(angle)]; // cos - 1
      const [a, b] = [now.getRowVector(j), now.getRowVector(q + j)];
      now.setRow(j, Matrix.mul(a, cos).add(Matrix.mul(b, sin)));
      now.setRow(q + j, Matrix.mul(b, cos).sub(Matrix.mul(a, sin)));
    }
    K.add(out.mmul(now));
  }
  return K;
}
