import { readFileSync } from "node:fs";
import { inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { shareOf } from "../../src/cli/commands/benchmarkSymmetry.js";
import { Philox } from "../../src/engine/random.js";
import { cellsOf, grids } from "../../src/experiments/symbench/grid.js";
import { problemOf } from "../../src/experiments/symbench/problem.js";
import { systemsFor } from "../../src/experiments/symbench/systems.js";
import type { Known, Truth } from "../../src/experiments/symbench/truth.js";
import { allTruths, distributions, truths } from "../../src/experiments/symbench/truths.js";
import { exp } from "../../src/lie/functions/exponential.js";
import { dense } from "../../src/lie/generators/generator.js";
import { throwsCode } from "../support/throws.js";

const test = suite("experiments/symbenchTruths");

/** Samples as they are drawn, before they are mixed. */
function drawn({ m, d, sample }: Truth, count: number, seed = 1): Float64Array[] {
  const source = new Philox(seed, 7);
  return Array.from({ length: count }, () => {
    const normal = Float64Array.from(source.normal(m * d));
    return sample ? sample(normal) : normal;
  });
}

/** x as columns, one for each of the m vectors; with a row of ones below where maps are affine. */
function columnsOf(x: ArrayLike<number>, { m, d, affine }: Truth): Matrix {
  const X = Matrix.ones(affine ? d + 1 : d, m);
  for (let c = 0; c < m; c++) for (let mu = 0; mu < d; mu++) X.set(mu, c, x[c * d + mu]);
  return X;
}

/** The reverse. */
const flat = (X: Matrix, { m, d }: Truth): Float64Array => Float64Array.from({ length: m * d }, (_, k) => X.get(k % d, Math.floor(k / d)));

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.hypot(...Array.from(a, (value, k) => value - b[k]));

/** The greatest change of f by the flow of a generator, or for a covariant f the distance of both ways round. */
function change(truth: Truth, L: Matrix, t: number): number {
  const flow = exp(dense(L), t);
  return Math.max(
    ...drawn(truth, 20).map((x) => {
      const value = truth.f(x);
      const want = truth.output === "equivariant" ? flow.mmul(Matrix.columnVector(value)).to1DArray() : value;
      return distance(truth.f(flat(flow.mmul(columnsOf(x, truth)), truth)), want) / (1 + Math.hypot(...value));
    }),
  );
}

const rank = (matrix: Matrix, scale = matrix.norm()): number =>
  new SingularValueDecomposition(matrix, { autoTranspose: true }).diagonal.filter((value) => value > 1e-6 * scale).length;

/** L by L in a row. */
const rows = (matrices: readonly Matrix[]): Matrix => new Matrix(matrices.map((L) => L.to1DArray()));

test("there are functions of every kind, each with a name of its own", () => {
  assert.is(new Set(allTruths.map(({ name }) => name)).size, allTruths.length);
  for (const { name, algebra, generators } of allTruths) assert.is(algebra === "none", generators === undefined, name);
});

test("f is kept by exp(tL) of each generator, and broken ones are not", () => {
  for (const truth of truths) {
    for (const [i, L] of (truth.generators?.dense() ?? []).entries())
      for (const t of [0.4, -0.3]) {
        const found = change(truth, L, t);
        if (truth.broken === undefined) assert.ok(found < 1e-9, `${truth.name}, generator ${i}, t ${t}: ${found}`);
        else assert.ok(found > truth.broken / 10, `${truth.name}: ${found}`);
      }
  }
});

test("generators are linearly independent and closed under commutators", () => {
  for (const { name, generators } of truths) {
    const L = generators?.dense() ?? [];
    if (L.length === 0) continue;
    assert.is(rank(rows(L)), L.length, name);
    const commutators = L.flatMap((A, i) => L.slice(0, i).map((B) => Matrix.sub(A.mmul(B), B.mmul(A))));
    assert.is(rank(rows([...L, ...commutators])), L.length, `${name} is no algebra`);
  }
});

/**
 * The equations J_a L x = sum_c M_ac y_c for all entries of L (and M of an equivariant f), of an f in its own coordinates: how many independent
 * solutions do they have?
 */
function freeDirections(truth: Truth): number {
  const { m, d, affine, f, output } = truth;
  const columns = affine ? d + 1 : d;
  let squares = 0; // of the terms, which cancel where every L is a solution
  const equations = drawn(truth, 120, 3).flatMap((x) => {
    const [X, y] = [columnsOf(x, truth), f(x)];
    const slopes = Array.from({ length: m * d }, (_, k) => {
      const at = (step: number): number[] => f(x.map((value, j) => (j === k ? value + step : value)));
      const [plus, minus] = [at(1e-5), at(-1e-5)];
      return plus.map((value, a) => (value - minus[a]) / 2e-5);
    });
    return y.map((_, a) => {
      const row: number[] = [];
      for (let mu = 0; mu < d; mu++)
        for (let nu = 0; nu < columns; nu++) {
          let sum = 0;
          for (let c = 0; c < m; c++) {
            const term = slopes[c * d + mu][a] * X.get(nu, c);
            sum += term;
            squares += term ** 2;
          }
          row.push(sum);
        }
      if (output === "equivariant") row.push(...y.flatMap((_, b) => y.map((value) => (a === b ? -value : 0))));
      return row;
    });
  });
  const matrix = new Matrix(equations);
  return matrix.columns - rank(matrix, Math.sqrt(squares));
}

test("there are no symmetries beside the generators, but for those of what a function ignores", () => {
  const ignored = { "so3-ignored": 2 * 5, "so3-subspace": 2 * 5 + 2 * 3 } as Record<string, number>;
  // any map into two coordinates; any map from two directions, and from the other three into two
  for (const truth of truths.filter(({ broken }) => broken === undefined))
    assert.is(freeDirections(truth), (truth.generators?.n_L ?? 0) + (ignored[truth.name] ?? 0), truth.name);
});

test("a problem's generators, samples and exact gradients fit together: J L x = 0 in its coordinates", () => {
  for (const truth of truths.filter(({ generators, broken }) => generators && broken === undefined)) {
    const { m, d, output } = truth;
    const N = 30;
    const { x, k, generators, exact } = problemOf(truth, { samples: N, noise: 0.1, cond: 10, seed: 2 });
    const { y, J } = exact(N);
    for (const L of generators!.dense()) {
      const moved = Array.from({ length: N }, (_, n) => flat(L.mmul(columnsOf(x.subarray(n * m * d, (n + 1) * m * d), truth)), truth));
      for (let a = 0; a < k; a++) {
        const terms = moved.map((v, n) => [...v].map((value, j) => value * J[a][n * m * d + j]));
        const sums = terms.map((some) => some.reduce((sum, value) => sum + value, 0));
        const scale = Math.hypot(...terms.flat());
        const left = output === "equivariant" ? beyond(sums, y, k) : Math.hypot(...sums);
        assert.ok(left <= 1e-5 * scale, `${truth.name}, output ${a}: ${left / scale}`); // x is float32
      }
    }
  }
});

/** What of these values is no linear function of the outputs [N, k]. */
function beyond(values: readonly number[], y: ArrayLike<number>, k: number): number {
  const Y = Matrix.from1DArray(values.length, k, Array.from(y));
  const size = Matrix.diag(Array.from({ length: k }, (_, c) => 1 / Math.hypot(...Y.getColumn(c)))); // units
  const A = Y.mmul(size);
  const v = Matrix.columnVector([...values]);
  const fitted = A.mmul(inverse(A.transpose().mmul(A))).mmul(A.transpose().mmul(v));
  return Matrix.sub(v, fitted).norm();
}

test("problems: the same seed gives the same, noise changes labels alone, and it is of the size that is asked for", () => {
  const truth = truths.find(({ name }) => name === "so3")!;
  const setting = { samples: 2000, noise: 0, cond: 10, seed: 5 };
  const clean = problemOf(truth, setting);
  assert.equal(problemOf(truth, setting).y, clean.y);
  const noisy = problemOf(truth, { ...setting, noise: 0.3 });
  assert.equal(noisy.x, clean.x);
  for (let a = 0; a < clean.k; a++) {
    const of = (y: Float32Array): number[] => [...y].filter((_, n) => n % clean.k === a);
    const [values, noises] = [of(clean.y), of(noisy.y.map((value, n) => value - clean.y[n]))];
    const deviation = (v: readonly number[]): number => {
      const mean = v.reduce((sum, value) => sum + value / v.length, 0);
      return Math.sqrt(v.reduce((sum, value) => sum + (value - mean) ** 2 / v.length, 0));
    };
    assert.ok(Math.abs(deviation(noises) / deviation(values) - 0.3) < 0.03);
  }
  const exact = clean.exact(10);
  for (let n = 0; n < 10 * clean.k; n++) assert.ok(Math.abs(exact.y[n] - clean.y[n]) <= 1e-6 * Math.abs(clean.y[n]));
  assert.not.equal(problemOf(truth, { ...setting, seed: 6 }).x, clean.x);
});

test("the grid: every cell once; shares part it among themselves", () => {
  const key = (cell: { truth: Known }): string => JSON.stringify({ ...cell, truth: cell.truth.name });
  const all = cellsOf("full").map(key);
  assert.is(new Set(all).size, all.length);
  const { samples, noise, seeds } = grids.full;
  const [small, large] = [samples.filter((N) => N < 10_000).length, samples.filter((N) => N >= 10_000).length];
  assert.is(all.length, truths.length * (small * noise.length * seeds + large * 2 * 2) + distributions.length * 3 * 2 * seeds);
  const parts = ["1/3", "2/3", "3/3"].map((share) => shareOf(cellsOf("full"), share).map(key));
  assert.equal(parts.flat().sort(), [...all].sort());
  for (const share of ["0/2", "3/2", "1/0"]) throwsCode(() => shareOf([], share), "ERR_LCONV_ARGUMENT", share);
  assert.is(cellsOf("quick").length, allTruths.length);
  for (const cell of cellsOf("quick").map(key)) assert.ok(all.includes(cell), "what was quick is not done again");
  assert.equal([...new Set(cellsOf("full", ["so3", "so2"]).map(({ truth }) => truth.name))].sort(), ["so2", "so3"]);
  const alone = cellsOf("full", [], ["distribution"]);
  assert.equal([...new Set(alone.map(({ truth }) => truth.name))], distributions.map(({ name }) => name)); // biome-ignore format: one line
  assert.ok(cellsOf("full", [], ["pairs"]).every((cell) => systemsFor(cell.truth, cell).includes("pairs")));
  throwsCode(() => cellsOf("full", [], ["pair"]), "ERR_LCONV_ARGUMENT", 'unknown system "pair"', "did you mean");
  throwsCode(() => cellsOf("full", ["so5"]), "ERR_LCONV_ARGUMENT", 'unknown truth "so5"', "did you mean");
});

/** Rows of the table in docs/symbench.md, as they must be. */
const documented = truths.map(({ name, category, m, d, affine, output, generators, algebra }) =>
  [name, category, `${m} x ${d}`, affine ? "affine" : "linear", output, String(generators?.n_L ?? 0), algebra].join(" | "),
);

test("the table in docs/symbench.md lists the truths as they are", () => {
  const text = readFileSync(new URL("../../docs/symbench.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("| truth |")).split("\n\n")[0].split("\n").slice(2);
  assert.equal(
    table.map((line) => line.replace(/^\| | \|$/g, "").replaceAll("`", "")),
    documented,
  );
});

test.run();
