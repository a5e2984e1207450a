import { inverse, Matrix, QrDecomposition } from "ml-matrix";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { combination } from "../../src/lie/generators/generator.js";
import { randomMatrix } from "./random.js";

export interface Perturbation {
  /** Standard deviation of the noise on every entry of generators of norm 1. */
  noise: number;
  /** Of the change of coordinates. Default 1, a rotation. */
  condition?: number;
  seed: number;
}

const orthogonal = (n: number, seed: number): Matrix => new QrDecomposition(randomMatrix(n, n, seed)).orthogonalMatrix;

/** The same algebra in random coordinates and in a random basis, with noise. */
export function perturbed(matrices: readonly Matrix[], { noise, condition = 1, seed }: Perturbation): Basis {
  const d = matrices[0].rows;
  const stretch = Matrix.diag(Array.from({ length: d }, (_, a) => condition ** (d > 1 ? a / (d - 1) : 0)));
  const P = orthogonal(d, 7 * seed + 1)
    .mmul(stretch)
    .mmul(orthogonal(d, 7 * seed + 2));
  const back = inverse(P);
  const units = matrices.map((L) => P.mmul(L).mmul(back)).map((L) => L.div(L.norm("frobenius")));
  const noisy = denseBasis(units.map((L, i) => Matrix.add(L, randomMatrix(d, d, 1000 * seed + i).mul(noise))));
  const C = orthogonal(units.length, seed + 99);
  return new Basis(C.to2DArray().map((row) => combination(noisy.generators, row)));
}

/** Matrices of a direct sum, each part on positions of its own. */
export function directSum(...parts: readonly (readonly Matrix[])[]): Matrix[] {
  const d = parts.reduce((sum, part) => sum + part[0].rows, 0);
  let at = 0;
  return parts.flatMap((part) => {
    const from = at;
    at += part[0].rows;
    return part.map((L) => {
      const wide = Matrix.zeros(d, d);
      wide.setSubMatrix(L, from, from);
      return wide;
    });
  });
}
