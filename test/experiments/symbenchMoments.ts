import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Distribution, Parameter } from "../../src/experiments/symbench/truth.js";

// Exact moments of a distribution, by quadrature in each of its numbers, and the linear maps that keep them.

type Nodes = readonly (readonly [value: number, weight: number])[];

/**
 * Exact for polynomials up to degree 4, and of turns and of uniform numbers as far as moments up to order 4 need. Quaternions have roots of a uniform number,
 * whose odd powers vanish with the turns that multiply them.
 */
function nodesOf(parameter: Parameter): Nodes {
  switch (parameter.kind) {
    case "turn": {
      const n = 4 * parameter.frequency + 1;
      return Array.from({ length: n }, (_, k) => [(2 * Math.PI * k) / n, 1 / n]);
    }
    case "choice":
      return Array.from({ length: parameter.of }, (_, k) => [k, 1 / parameter.of]);
    case "uniform": // Gauss and Legendre, of five points
      return gauss(5, (k) => k / Math.sqrt(4 * k * k - 1), () => 0).map(([x, w]) => [(1 + x) / 2, w]); // biome-ignore format: one line
    case "normal":
      return gauss(3, Math.sqrt, () => 0);
    case "exponential":
      return gauss(3, (k) => k, (k) => 2 * k + 1); // biome-ignore format: one line
  }
}

/** Golub and Welsch: nodes and weights from the recurrence of the orthogonal polynomials. */
function gauss(n: number, beside: (k: number) => number, middle: (k: number) => number): [number, number][] {
  const J = Matrix.zeros(n, n);
  for (let k = 0; k < n; k++) {
    J.set(k, k, middle(k));
    if (k > 0) J.set(k - 1, k, beside(k)).set(k, k - 1, beside(k));
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(J, { assumeSymmetric: true });
  return realEigenvalues.map((value, k) => [value, eigenvectorMatrix.get(0, k) ** 2]);
}

/** All points of the quadrature, with their weights. */
function* pointsOf({ parameters, sample }: Distribution): Generator<[number[], number]> {
  const nodes = parameters.map(nodesOf);
  const at = nodes.map(() => 0);
  for (;;) {
    let weight = 1;
    const p = at.map((k, i) => {
      weight *= nodes[i]![k]![1];
      return nodes[i]![k]![0];
    });
    yield [sample(p), weight];
    let i = 0;
    while (i < at.length && ++at[i]! === nodes[i]!.length) at[i++] = 0;
    if (i === at.length) return;
  }
}

/** Multi-indices a <= b <= ... of this many. */
function indices(d: number, order: number, from = 0): number[][] {
  if (order === 0) return [[]];
  return Array.from({ length: d - from }, (_, k) => indices(d, order - 1, from + k).map((rest) => [from + k, ...rest])).flat();
}

const keyOf = (index: readonly number[], d: number): number => [...index].sort((a, b) => a - b).reduce((key, a) => key * d + a, 1);

/** Central moments of orders 2 to 4, in coordinates of variance one. */
function momentsOf(distribution: Distribution): Map<number, number> {
  const { d } = distribution;
  const [mean, square] = [new Float64Array(d), new Float64Array(d)];
  const list = [...pointsOf(distribution)];
  for (const [x, w] of list) for (let a = 0; a < d; a++) mean[a]! += w * x[a]!;
  for (const [x, w] of list) for (let a = 0; a < d; a++) square[a]! += w * (x[a]! - mean[a]!) ** 2;
  const size = Math.sqrt(square.reduce((sum, value) => sum + value / d, 0)); // one for all: a group is orthogonal in these coordinates
  const powers = new Float64Array(d);
  const wanted = [2, 3, 4].flatMap((order) => indices(d, order));
  const sums = new Float64Array(wanted.length);
  for (const [x, w] of list) {
    for (let a = 0; a < d; a++) powers[a] = (x[a]! - mean[a]!) / size;
    for (let k = 0; k < wanted.length; k++) {
      let product = w;
      for (const a of wanted[k]!) product *= powers[a]!;
      sums[k]! += product;
    }
  }
  return new Map(wanted.map((index, k) => [keyOf(index, d), sums[k]!]));
}

/**
 * Eigenvalues, ascending, of the quadratic form sum_p |L . moment_p|^2 over all d x d matrices L, as a share of the greatest: as many are 0 as there are linear
 * maps that keep the moments up to order 4. And the greatest share for the given generators.
 */
export function keptByMoments(distribution: Distribution): { values: number[]; ofGenerators: number } {
  const { d, generators } = distribution;
  const moments = momentsOf(distribution);
  const form = Matrix.zeros(d * d, d * d);
  for (const order of [2, 3, 4])
    for (const index of indices(d, order)) {
      // (L . m)_ab.. = sum_c L_ac m_cb.. + ...
      const row = new Map<number, number>();
      for (const [place, a] of index.entries())
        for (let c = 0; c < d; c++) {
          const value = moments.get(keyOf(index.with(place, c), d))!;
          if (value !== 0) row.set(a * d + c, (row.get(a * d + c) ?? 0) + value);
        }
      for (const [i, left] of row) for (const [j, right] of row) form.set(i, j, form.get(i, j) + left * right);
    }
  const values = new EigenvalueDecomposition(form, { assumeSymmetric: true }).realEigenvalues.sort((a, b) => a - b);
  const greatest = values.at(-1)!;
  const ofGenerators = (generators?.dense() ?? []).map((L) => {
    const column = Matrix.columnVector(L.to1DArray());
    return column.transpose().mmul(form).mmul(column).get(0, 0) / (greatest * L.norm() ** 2);
  });
  return { values: values.map((value) => value / greatest), ofGenerators: Math.max(0, ...ofGenerators) };
}
