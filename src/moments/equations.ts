import { Matrix } from "ml-matrix";

// The equations L . kappa_p = 0 of all orders, for any L [k, k], in coordinates in which the covariance is I and the mean 0.

/** Cumulants of orders 2, 3 and 4 as far as they are used: kappa_p [k^p], of order 2 not stored, since it is I. */
export interface WhiteCumulants {
  k: number;
  third?: ArrayLike<number>;
  fourth?: ArrayLike<number>;
}

/** One equation for each index list a <= b <= .. of each order. */
export interface Equations {
  k: number;
  /** How many there are. */
  count: number;
  pairs: Int32Array; // [2 of each]
  triples: Int32Array; // [3 of each]
  quadruples: Int32Array; // [4 of each]
}

/** How many equations cumulants of these orders and of order 2 give. */
export function equationCount(k: number, orders: readonly number[]): number {
  const pairs = (k * (k + 1)) / 2;
  const triples = (pairs * (k + 2)) / 3;
  return pairs + (orders.includes(3) ? triples : 0) + (orders.includes(4) ? (triples * (k + 3)) / 4 : 0);
}

/** All index lists. */
export function equationsOf({ k, third, fourth }: WhiteCumulants): Equations {
  const lists = (p: number): Int32Array => {
    const out: number[] = [];
    const index = Array<number>(p).fill(0);
    while (index[0] < k) {
      out.push(...index);
      let at = p - 1;
      while (at > 0 && index[at] === k - 1) at--;
      const next = index[at] + 1;
      for (; at < p; at++) index[at] = next;
    }
    return Int32Array.from(out);
  };
  const [pairs, triples, quadruples] = [lists(2), third ? lists(3) : new Int32Array(0), fourth ? lists(4) : new Int32Array(0)];
  return { k, count: pairs.length / 2 + triples.length / 3 + quadruples.length / 4, pairs, triples, quadruples };
}

/** The equations as a matrix [count, k^2] on the entries of L: row (a, b, ..) holds d(L . kappa)_ab.. / dL. */
export function coefficients({ k, count, pairs, triples, quadruples }: Equations, { third, fourth }: WhiteCumulants): Matrix {
  const A = Matrix.zeros(count, k * k);
  let row = 0;
  const add = (a: number, b: number, value: number): void => void A.set(row, a * k + b, A.get(row, a * k + b) + value);
  for (let at = 0; at < pairs.length; at += 2, row++) {
    const [a, b] = [pairs[at], pairs[at + 1]];
    add(a, b, 1);
    add(b, a, 1);
  }
  const others = (list: Int32Array, at: number, p: number, kappa: ArrayLike<number>): void => {
    for (let place = 0; place < p; place++) {
      let rest = 0;
      for (let i = 0; i < p; i++) if (i !== place) rest = rest * k + list[at + i];
      for (let b = 0; b < k; b++) add(list[at + place], b, kappa[b * k ** (p - 1) + rest]);
    }
  };
  if (third) for (let at = 0; at < triples.length; at += 3, row++) others(triples, at, 3, third);
  if (fourth) for (let at = 0; at < quadruples.length; at += 4, row++) others(quadruples, at, 4, fourth);
  return A;
}

/**
 * What each sample y contributes to the error of the equations for an L that (nearly) solves them: L acting on the influence functions of the cumulants,
 * y_a y_b - delta_ab; y_a y_b y_c - [3] y_a delta_bc; y_a y_b y_c y_d - [6] y_a y_b delta_cd - [4] y_a kappa_bcd, each but for a constant. L . delta and
 * L . kappa, which are of the size of the error themselves, are left out. Returns a function that writes the row of y, with z = L y.
 */
export function influence(
  { k, pairs, triples, quadruples }: Equations,
  { third }: WhiteCumulants,
): (y: Float64Array, z: Float64Array, out: Float32Array, offset: number) => void {
  const [D, H] = [new Float64Array(k * k), new Float64Array(k * k)]; // d(y_a y_b) along z; y_a y_b - delta_ab
  return (y, z, out, offset) => {
    for (let a = 0; a < k; a++)
      for (let b = 0; b < k; b++) {
        D[a * k + b] = y[a] * z[b] + z[a] * y[b];
        H[a * k + b] = y[a] * y[b] - Number(a === b);
      }
    let at = offset;
    for (let i = 0; i < pairs.length; i += 2) out[at++] = D[pairs[i] * k + pairs[i + 1]];
    for (let i = 0; i < triples.length; i += 3) {
      const [a, b, c] = [triples[i], triples[i + 1], triples[i + 2]];
      let value = D[a * k + b] * y[c] + H[a * k + b] * z[c];
      if (a === c) value -= z[b];
      if (b === c) value -= z[a];
      out[at++] = value;
    }
    for (let i = 0; i < quadruples.length; i += 4) {
      const [a, b, c, d] = [quadruples[i], quadruples[i + 1], quadruples[i + 2], quadruples[i + 3]];
      let value = D[a * k + b] * H[c * k + d] + H[a * k + b] * D[c * k + d];
      if (b === d) value -= D[a * k + c];
      if (b === c) value -= D[a * k + d];
      if (a === d) value -= D[b * k + c];
      if (a === c) value -= D[b * k + d];
      if (third) {
        const [ab, cd] = [(a * k + b) * k, (c * k + d) * k];
        value -= z[a] * third[cd + b] + z[b] * third[cd + a] + z[c] * third[ab + d] + z[d] * third[ab + c];
      }
      out[at++] = value;
    }
  };
}
