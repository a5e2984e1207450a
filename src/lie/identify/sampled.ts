import { inverse, Matrix } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { killingOf, transform } from "../generators/structure.js";

/**
 * Structure constants [n, n, n] with copies of themselves under fresh noise of the size of their own error. What a quantity made of them does from
 * one copy to the next is its uncertainty, whatever formula it has; see `zeroTest.ts`.
 */
export interface Sampled {
  n: number;
  /** f[i, j, k], row-major: [x_i, x_j] = sum_k f[i, j, k] x_k */
  f: Float64Array;
  draws: readonly Float64Array[];
}

/** Few suffice where a quantity has many components; one number by itself needs more for its spread to be known. */
export const drawsFor = (n: number): number => (n > 10 ? 8 : 24);

/** `f` with noise of standard deviation `sigma` on every entry. */
export function sampled(f: Float64Array, n: number, sigma: number): Sampled {
  const random = new Philox(n, streams.user);
  const draws = Array.from({ length: drawsFor(n) }, () => {
    const noise = random.normal(f.length);
    return f.map((value, ijk) => {
      const [i, j, k] = [Math.floor(ijk / (n * n)), Math.floor(ijk / n) % n, ijk % n];
      return value + (i === j ? 0 : i > j ? sigma * noise[ijk] : -sigma * noise[(j * n + i) * n + k]); // a bracket stays antisymmetric
    });
  });
  return { n, f, draws };
}

/** The same algebra in the basis of the rows of C, and each copy in one of its own. */
export function inBasis({ n, f, draws }: Sampled, C: Matrix, copies: readonly Matrix[]): Sampled {
  const moved = (values: Float64Array, rows: Matrix): Float64Array => transform(values, rows, inverse(rows));
  return { n, f: moved(f, C), draws: draws.map((draw, k) => moved(draw, copies[k])) };
}

/** The span of basis elements from..to - 1 as an algebra: a subalgebra, or the quotient by the others where these are an ideal. */
export function block({ n, f, draws }: Sampled, from: number, to: number): Sampled {
  const size = to - from;
  const cut = (values: Float64Array): Float64Array => {
    const out = new Float64Array(size ** 3);
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++)
        for (let k = 0; k < size; k++) out[(i * size + j) * size + k] = values[((i + from) * n + j + from) * n + k + from];
    return out;
  };
  return { n: size, f: cut(f), draws: draws.map(cut) };
}

/** ad_i, acting on columns of coefficients: (ad_i)[k, j] = f[i, j, k]. */
export function adjoint(f: Float64Array, n: number, i: number): Matrix {
  const A = Matrix.zeros(n, n);
  for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) A.set(k, j, f[(i * n + j) * n + k]);
  return A;
}

/** omega[i, (j, l)] = K(x_i, [x_j, x_l]), Cartan's 3-form: its kernel is the radical (de Graaf, Lie Algebras: Theory and Algorithms, 2.6). */
export function cartanForm(f: Float64Array, n: number): Matrix {
  const brackets = new Matrix(Array.from({ length: n * n }, (_, jl) => f.subarray(jl * n, (jl + 1) * n)));
  return brackets.mmul(killingOf(f, n)).transpose();
}
