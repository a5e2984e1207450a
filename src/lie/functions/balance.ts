import type { Matrix } from "ml-matrix";
import { type EntryGenerator, entries, largest } from "./norms.js";

/** A row and its column must lose this share of their length, so that the sweeps end. */
const WORTHWHILE = 0.05;
/** Three or four sweeps do; more only for long chains of badly scaled entries. */
const MOST_SWEEPS = 100;

/**
 * The diagonal of D [d], powers of two, for which each row of D^-1 L D is about as long as its column. Then f(L) = D f(D^-1 L D) D^-1, and
 * neither of the similarities rounds. Lengths are 2-norms with the diagonal in them, as LAPACK's since 3.5.1 (James, Langou & Lowery,
 * On matrix balancing and eigenvector computation, 2014), and with `floor`, the size of the entries of L beside which f does not see
 * others: what is only noise beside that or beside its row and column is not blown up.
 */
export function balance(g: EntryGenerator, floor: number): Float64Array {
  const { d, rows, columns, values } = entries(g);
  const unit = Math.max(floor, largest(values)); // so that squares do not overflow
  const D = new Float64Array(d).fill(1);
  const length = (places: Int32Array): number => {
    let squares = (floor / unit) ** 2;
    for (const k of places) squares += ((values[k] / unit) * (D[columns[k]] / D[rows[k]])) ** 2;
    return Math.sqrt(squares);
  };
  const [inColumn, inRow] = [grouped(columns, d), grouped(rows, d)];
  for (let sweep = 0, moved = true; moved && sweep < MOST_SWEEPS; sweep++) {
    moved = false;
    for (let nu = 0; nu < d; nu++) {
      const factor = balancingFactor(length(inColumn(nu)), length(inRow(nu)));
      D[nu] *= factor;
      moved ||= factor !== 1;
    }
  }
  return D;
}

/** The power of two that makes column * factor and row / factor as long as each other, nearly; 1 where that is not worthwhile. */
function balancingFactor(column: number, row: number): number {
  if (column === 0 || row === 0) return 1; // the place only sends or only receives: no scale is best
  const factor = 2 ** Math.round(Math.log2(row / column) / 2);
  return Math.hypot(column * factor, row / factor) < (1 - WORTHWHILE) * Math.hypot(column, row) ? factor : 1;
}

/** The places k with keys[k] = nu, for each nu < d. */
function grouped(keys: Int32Array, d: number): (nu: number) => Int32Array {
  const starts = new Int32Array(d + 1);
  for (const key of keys) starts[key + 1]++;
  for (let nu = 0; nu < d; nu++) starts[nu + 1] += starts[nu];
  const next = starts.slice();
  const order = new Int32Array(keys.length);
  for (let k = 0; k < keys.length; k++) order[next[keys[k]]++] = k;
  return (nu) => order.subarray(starts[nu], starts[nu + 1]);
}

/** D^-1 L D */
export function balanced<G extends EntryGenerator>(g: G, D: Float64Array): G {
  if (g.form === "dense") return { ...g, L: similar(g.L, D) };
  return { ...g, values: g.values.map((value, k) => value * (D[g.columns[k]] / D[g.rows[k]])) };
}

/** D^-1 A D */
export function similar(A: Matrix, D: Float64Array): Matrix {
  const B = A.clone();
  for (let i = 0; i < A.rows; i++) for (let j = 0; j < A.columns; j++) B.set(i, j, A.get(i, j) * (D[j] / D[i]));
  return B;
}

/** D B D^-1 */
export const restored = (B: Matrix, D: Float64Array): Matrix =>
  similar(
    B,
    D.map((value) => 1 / value),
  );
