import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Pieces } from "../engine/breathe.js";
import { check } from "../errors.js";
import { generatorFrom, restricted, type Whitening, whitened, whitening } from "../lie/functions/whitening.js";
import type { Basis } from "../lie/generators/basis.js";
import { apply, combination, dense, type Generator, norm, scaled } from "../lie/generators/generator.js";
import { Design, gramOf, meanOf, meanSquares, noiseOf, ofKept, weighRows } from "./design.js";
import type { Differentiated } from "./gradients.js";

// J(x) L x = L_c f(x) for all x: linear equations for L and L_c, a row for each sample and output, in coordinates where units do not matter.

export interface Given {
  x: ArrayLike<number>; // [N, m, d]
  N: number;
  m: number;
  d: number;
  /** One function, or several that were fitted to the same data: their mean is examined, their differences are its noise. */
  models: readonly Differentiated[];
  equivariant: boolean;
  affine: boolean;
  within: Basis | undefined;
}

/** A direction of the solution: L in the user's coordinates and in the whitened ones, and L_c. */
export interface Direction {
  L: Generator;
  /** [s, s], or [s + 1, s + 1] with an affine part; of norm 1, with `within` undefined. */
  whitened: Matrix | undefined;
  L_c: Matrix | undefined;
  /** L_c in whitened outputs. */
  whitenedL_c: Matrix | undefined;
}

export interface Equations {
  /** Of each model [count, unknowns], scaled so that a generic direction has a mean square of 1 over a row. */
  rows: readonly Float64Array[];
  count: number;
  unknowns: number;
  /** The first of the unknowns, those of L; the others are those of L_c. */
  actions: number;
  /** The factor of each unknown, in the coordinates of `direction`. */
  scale: (at: number) => number;
  direction(c: readonly number[]): Direction;
  inputs: Whitening | undefined;
  outputs: Whitening;
  /** Directions of x [d, k] on which f does not depend; what is found is modulo those. */
  ignored: Matrix | undefined;
  notes: readonly string[];
}

const MOST_UNKNOWNS = 1100;
/** A slope below this share of the steepest counts as none: of one function, whose gradient is exact, and of several. */
const FLAT = 1e-3;
const FLAT_OF_SEVERAL = 0.02;
/** With several functions also below this share, where their noise explains it. */
const WEAK = 0.15;
/** A mean square up to this many times its noise is explained by it. */
export const EXPLAINED = 4;
/** Of f's outputs, in variance: functions in float32. */
const OUTPUT_ROUNDING = 1e-8;

/** Throws ERR_LCONV_ARGUMENT for too many unknowns, too few equations, x without extent, a constant f; ERR_LCONV_SHAPE for `within` of another d. */
export function* equationsOf(given: Given): Pieces<Equations> {
  const outputs = outputsOf(given);
  yield;
  return given.within ? yield* amongGiven(given, outputs, given.within) : yield* amongAll(given, outputs);
}

/** Whitens the outputs of the mean function; those that depend on each other, or not on x, are left out. */
function outputsOf({ models, equivariant, affine }: Given): Whitening {
  const [{ k }] = models;
  const mean = meanOf(models.map(({ y }) => y));
  const all = whitening(mean, k, !equivariant || affine);
  const gram = all.from.transpose().mmul(all.from).diagonal();
  const greatest = Math.max(0, ...gram);
  const kept = gram.flatMap((value, a) => (value > OUTPUT_ROUNDING * greatest ? [a] : []));
  check(
    kept.length > 0,
    "ERR_LCONV_ARGUMENT",
    () => "extractSymmetries: f is the same for all samples: f does not depend on x, so every direction is a symmetry",
  );
  return restricted(all, Matrix.eye(all.to.rows).subMatrixColumn(kept));
}

/** Slopes of the whitened outputs along x' [N, q, m, r], for `from` [d, r] or as they are. */
function slopesOf({ J }: Differentiated, { N, m, d }: Given, outputs: Matrix, from: Matrix | undefined): Float64Array {
  const [q, r] = [outputs.rows, from?.columns ?? d];
  const slopes = new Float64Array(N * q * m * r);
  const mixed = new Float64Array(d);
  for (let n = 0; n < N; n++)
    for (let b = 0; b < q; b++)
      for (let c = 0; c < m; c++) {
        mixed.fill(0);
        J.forEach((values, a) => {
          const weight = outputs.get(b, a);
          if (weight !== 0) for (let mu = 0; mu < d; mu++) mixed[mu] += weight * values[(n * m + c) * d + mu];
        });
        const at = ((n * q + b) * m + c) * r;
        if (!from) slopes.set(mixed, at);
        else for (let a = 0; a < r; a++) for (let mu = 0; mu < d; mu++) slopes[at + a] += mixed[mu] * from.get(mu, a);
      }
  return slopes;
}

/** All L on the directions that x fills. */
function* amongAll(given: Given, outputs: Whitening): Pieces<Equations> {
  const { x, m, d, models, affine, equivariant } = given;
  const all = whitening(x, d, affine);
  const r = all.to.rows;
  check(r > 0, "ERR_LCONV_ARGUMENT", () => `extractSymmetries: x is ${affine ? "the same for all samples" : "zero"}, so nothing moves it`);
  yield;
  const slopes: Float64Array[] = [];
  for (const model of models) {
    slopes.push(slopesOf(model, given, outputs.to, all.from));
    yield;
  }
  const { kept, ignored, notes } = dependence(slopes, r);
  const inputs = restricted(all, kept);
  const [s, q] = [kept.columns, outputs.to.rows];
  const columns = affine ? s + 1 : s;
  const labels = equivariant ? q * (affine ? q + 1 : q) : 0;
  checkCount(given, s * columns + labels, q, columns);
  const moved = whitened(inputs, x);
  const along = slopes.map((list) => ofKept(list, kept));
  const rows: Float64Array[] = [];
  for (const [k, model] of models.entries()) {
    const design = new Design(given.N, q, s * columns, labels);
    design.addActions(along[k], moved, m, s, affine);
    if (equivariant) design.addLabels(whitened(outputs, model.y), affine);
    rows.push(design.rows);
    yield;
  }
  const weights = weighRows(rows, s * columns + labels);
  const steepness = meanSquares(meanOf(along), weights, s); // of f along each direction: L into a flat one counts as much as into a steep one
  const scale = scaleRows(rows, s * columns, labels, (at) => steepness[Math.floor(at / columns)], q);
  if (r < d) notes.push(`x fills only ${r} of ${d} directions: what is found is known on those, and set to zero elsewhere`);
  const direction = (c: readonly number[]): Direction => {
    const L = Matrix.zeros(columns, columns);
    for (let at = 0; at < s * columns; at++) L.set(Math.floor(at / columns), at % columns, c[at] * scale(at));
    const size = L.norm() || 1; // a symmetry of the labels alone has L = 0
    L.div(size);
    const rest = c.slice(s * columns).map((value, at) => (value * scale(s * columns + at)) / size);
    const whitenedL_c = equivariant ? labelMatrix(rest, q, affine) : undefined;
    return {
      L: dense(generatorFrom(inputs, L, affine)),
      whitened: L,
      L_c: whitenedL_c && generatorFrom(outputs, whitenedL_c, affine),
      whitenedL_c,
    };
  };
  const actions = s * columns;
  return {
    rows,
    count: given.N * q,
    unknowns: actions + labels,
    actions,
    scale,
    direction,
    inputs,
    outputs,
    ignored: ignored && all.from.mmul(ignored),
    notes,
  };
}

/** Which directions of x' the functions depend on, all channels and outputs together. */
function dependence(slopes: readonly Float64Array[], r: number): { kept: Matrix; ignored: Matrix | undefined; notes: string[] } {
  const mean = meanOf(slopes);
  const { realEigenvalues, eigenvectorMatrix: Q } = new EigenvalueDecomposition(gramOf(mean, r), { assumeSymmetric: true });
  const order = realEigenvalues.map((_, k) => k).sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  const noise = order.map((k) => noiseOf(slopes, mean, Q.getColumn(k)));
  const steepest = Math.sqrt(realEigenvalues[order[0]]);
  const flat = order.map((k, at) => {
    const slope = Math.sqrt(Math.max(0, realEigenvalues[k])) / steepest;
    return slope <= (slopes.length === 1 ? FLAT : FLAT_OF_SEVERAL) || (slope <= WEAK && realEigenvalues[k] <= EXPLAINED * noise[at]);
  });
  const [kept, ignored] = [false, true].map((which) => order.filter((_, at) => flat[at] === which));
  if (ignored.length === 0) return { kept: Q, ignored: undefined, notes: [] };
  const most = Math.sqrt(Math.max(0, ...ignored.map((k) => realEigenvalues[k]))) / steepest;
  return {
    kept: Q.subMatrixColumn(kept),
    ignored: Q.subMatrixColumn(ignored),
    notes: [
      `no dependence of f on ${ignored.length} of ${r} directions of x was seen (slope at most ${most.toPrecision(1)} of the steepest): if there is none, every ` +
        "change there is a symmetry; what follows is modulo those",
    ],
  };
}

/**
 * Scales rows in place, so that the mean square of a generic action, which is `generic(at)` for the unknown `at`, becomes 1, and that of a generic L_c,
 * |L_c|^2 / q. Returns the factors.
 */
function scaleRows(
  rows: readonly Float64Array[],
  actions: number,
  labels: number,
  generic: (at: number) => number,
  q: number,
): (at: number) => number {
  const factors = Float64Array.from({ length: actions + labels }, (_, at) =>
    at < actions ? 1 / Math.sqrt(generic(at) || 1) : Math.sqrt(q),
  );
  for (const list of rows) for (let at = 0; at < list.length; at++) list[at] *= factors[at % factors.length];
  return (at) => factors[at];
}

/** Throws ERR_LCONV_ARGUMENT for more than can be solved for. */
export const checkUnknowns = (d: number, unknowns: number): void =>
  check(
    unknowns <= MOST_UNKNOWNS,
    "ERR_LCONV_ARGUMENT",
    () =>
      `extractSymmetries: d = ${d} makes ${unknowns} unknowns, at most ${MOST_UNKNOWNS} can be solved for; ` +
      "pass `within`, a basis to look in, such as lie.affine(p, q)",
  );

/** Throws ERR_LCONV_ARGUMENT for fewer samples than make twice as many equations as there are unknowns, or than span the columns of L. */
export function checkSamples(N: number, unknowns: number, q: number, columns: number): void {
  const need = Math.max(Math.ceil((2 * unknowns) / q), 2 * columns);
  check(
    N >= need,
    "ERR_LCONV_ARGUMENT",
    () =>
      `extractSymmetries: ${N} samples with ${q} independent outputs are ${N * q} equations for ${unknowns} unknowns, which would find symmetries ` +
      `that are none; pass at least ${need} samples`,
  );
}

function checkCount({ N, d }: Given, unknowns: number, q: number, columns: number): void {
  checkUnknowns(d, unknowns);
  checkSamples(N, unknowns, q, columns);
}

/** L_c from its entries, on (y', 1) with an affine part. */
function labelMatrix(entries: readonly number[], q: number, affine: boolean): Matrix {
  const columns = affine ? q + 1 : q;
  const L = Matrix.zeros(columns, columns);
  entries.forEach((value, at) => void L.set(Math.floor(at / columns), at % columns, value));
  return L;
}

/** Combinations of given generators, in the coordinates that they are given in. */
function* amongGiven(given: Given, outputs: Whitening, within: Basis): Pieces<Equations> {
  const { N, m, d, models, equivariant } = given;
  check(within.d === d, "ERR_LCONV_SHAPE", () => `extractSymmetries: within acts on ${within.d} positions, x has d = ${d}`);
  const q = outputs.to.rows;
  const images = within.generators.map((g) => imagesOf(g, given));
  yield;
  const T = orthonormal(images, N); // each row a combination with mean |L x|^2 = 1, orthogonal to the others
  const labels = equivariant ? q * q : 0;
  checkCount(given, T.rows + labels, q, 0);
  const combined = T.to2DArray().map((c) => {
    const sum = new Float64Array(N * m * d);
    c.forEach((factor, i) => {
      for (let at = 0; at < sum.length; at++) sum[at] += factor * images[i][at];
    });
    return sum;
  });
  const rows: Float64Array[] = [];
  const all: Float64Array[] = [];
  for (const model of models) {
    const slopes = slopesOf(model, given, outputs.to, undefined);
    all.push(slopes);
    const design = new Design(N, q, T.rows, labels);
    design.addImages(slopes, combined);
    if (equivariant) design.addLabels(whitened(outputs, model.y), false);
    rows.push(design.rows);
    yield;
  }
  const weights = weighRows(rows, T.rows + labels);
  const slope = meanSquares(meanOf(all), weights, m * d).reduce((sum, value) => sum + value, 0);
  const scale = scaleRows(rows, T.rows, labels, () => slope / (m * d), q); // what a random direction sees of J
  const direction = (c: readonly number[]): Direction => {
    const L = combination(
      within.generators,
      T.transpose()
        .mmul(Matrix.columnVector(c.slice(0, T.rows).map((value, at) => value * scale(at))))
        .to1DArray(),
    );
    const size = norm(L) || 1;
    const rest = c.slice(T.rows).map((value, at) => (value * scale(T.rows + at)) / size);
    const whitenedL_c = equivariant ? labelMatrix(rest, q, false) : undefined;
    return { L: scaled(L, 1 / size), whitened: undefined, L_c: whitenedL_c && generatorFrom(outputs, whitenedL_c, false), whitenedL_c };
  };
  return {
    rows,
    count: N * q,
    unknowns: T.rows + labels,
    actions: T.rows,
    scale,
    direction,
    inputs: undefined,
    outputs,
    ignored: undefined,
    notes: [],
  };
}

/** g x of all samples [N, m d]. */
function imagesOf(g: Generator, { x, N, m, d }: Given): Float64Array {
  const X = new Matrix(Array.from({ length: N * m }, (_, row) => Array.from({ length: d }, (_, nu) => x[row * d + nu]))).transpose();
  return Float64Array.from(apply(g, X).transpose().to1DArray());
}

/** Combinations T [r, n] whose images are orthonormal over N samples; dependent ones are left out. */
function orthonormal(images: readonly Float64Array[], N: number): Matrix {
  const G = Matrix.zeros(images.length, images.length);
  images.forEach((a, i) => {
    images.forEach((b, j) => {
      let sum = 0;
      for (let at = 0; at < a.length; at++) sum += a[at] * b[at];
      G.set(i, j, sum / N);
    });
  });
  const { realEigenvalues, eigenvectorMatrix: Q } = new EigenvalueDecomposition(G, { assumeSymmetric: true });
  const greatest = Math.max(...realEigenvalues);
  check(greatest > 0, "ERR_LCONV_ARGUMENT", () => "extractSymmetries: no generator of within moves any sample");
  const kept = realEigenvalues.flatMap((value, k) => (value > DEPENDENT * greatest ? [k] : []));
  return new Matrix(kept.map((k) => Q.getColumn(k).map((value) => value / Math.sqrt(realEigenvalues[k]))));
}
const DEPENDENT = 1e-10;
