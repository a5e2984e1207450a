import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Philox, streams } from "../../engine/random.js";
import { eigenvalues } from "../functions/eigenvalues.js";
import { killingOf } from "../generators/structure.js";
import { adjoint, type Sampled } from "./sampled.js";

/** A simple ideal of a semisimple algebra. */
export interface Ideal {
  /** Its elements, [n, dimension] columns of coefficients. */
  span: Matrix;
  dimension: number;
  /** Positive eigenvalues of the Killing form: the non-compact directions. */
  noncompact: number;
  /** Whether its centroid is C, so that it is a complex algebra taken as a real one. */
  complex: boolean;
}

/** Basis elements x_a = sum_i C[a, i] e_i with K(x_a, x_b) = signs[a] delta_ab. */
interface Normed {
  C: Matrix;
  inverse: Matrix;
  signs: number[];
  ads: Matrix[];
}

const TRIES = 4;
/** Eigenvalues of an element of the centroid count as equal below these shares of the greatest, the second where the first makes no sense. */
const EQUAL = [0.02, 0.1];

/**
 * The simple ideals of a semisimple algebra, by its centroid, the maps Z with Z ad_x = ad_x Z: one on which the ideals have different eigenvalues
 * takes them apart. Z is what the projection of a random map on the centroid leaves: the Casimir operator of ad on maps, whose kernel is the centroid,
 * has eigenvalues from 1/2 to 3 else (it does not know real forms), and a polynomial takes them to 0. Undefined where the algebra does not come apart
 * into ideals of possible dimensions, so that noise has spoilt it.
 */
export function* simpleIdeals({ n, f }: Sampled): Pieces<Ideal[] | undefined> {
  const normed = normedBasis(f, n);
  let best: Ideal[] | undefined;
  for (let seed = 0; seed < TRIES; seed++) {
    const Z = yield* centroidElement(normed, n, seed);
    const ideals = EQUAL.map((equal) => idealsOf(Z, normed, equal)).find((found) => found !== undefined);
    if (ideals && (!best || ideals.length > best.length)) best = ideals;
  }
  return best;
}

function normedBasis(f: Float64Array, n: number): Normed {
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(killingOf(f, n), { assumeSymmetric: true });
  const sizes = realEigenvalues.map((value) => Math.sqrt(Math.abs(value)));
  const C = Matrix.diag(sizes.map((size) => 1 / size)).mmul(V.transpose());
  const inverse = Matrix.diag(sizes).mmul(V.transpose()); // of C^T, which takes coefficients there
  const toOld = C.transpose();
  const old = Array.from({ length: n }, (_, i) => adjoint(f, n, i));
  const ads = C.to2DArray().map((row) => {
    const ad = Matrix.zeros(n, n);
    row.forEach((value, i) => ad.add(Matrix.mul(old[i], value)));
    return inverse.mmul(ad).mmul(toOld);
  });
  return { C, inverse, signs: realEigenvalues.map(Math.sign), ads };
}

const FILTER_STEPS = 28;
const [LOW, HIGH] = [0.45, 3.1];

/** A random element of the centroid, self-adjoint under the Killing form, in the normed basis. */
function* centroidElement({ signs, ads }: Normed, n: number, seed: number): Pieces<Matrix> {
  const draws = Matrix.from1DArray(n, n, new Philox(seed, streams.user).normal(n * n));
  const symmetric = Matrix.add(draws, draws.transpose());
  let Z = Matrix.diag(signs).mmul(symmetric);
  for (let step = 0; step < FILTER_STEPS; step++) {
    // Roots of Chebyshev's polynomial on LOW..HIGH; an order that keeps partial products small.
    const at = (step * 11) % FILTER_STEPS;
    const root = (LOW + HIGH) / 2 + ((HIGH - LOW) / 2) * Math.cos((Math.PI * (at + 0.5)) / FILTER_STEPS);
    const inner = Matrix.zeros(n, n);
    for (const [a, ad] of ads.entries()) inner.add(ad.mmul(Z).mmul(ad).mul(signs[a]));
    Z = Matrix.sub(Z, Matrix.sub(Z, inner).mul(2 / root)); // Casimir Z = 2 Z - 2 sum_a signs_a ad_a Z ad_a
    yield;
  }
  return Z;
}

interface Cluster {
  re: number;
  im: number;
  count: number;
}

function idealsOf(Z: Matrix, normed: Normed, equal: number): Ideal[] | undefined {
  if (!Number.isFinite(Z.norm())) return undefined; // the Casimir is not 1 anywhere near: no semisimple algebra
  const clusters = clustersOf(Z, equal);
  const size = Math.max(...clusters.map(({ re, im }) => Math.hypot(re, im)));
  const ideals: Ideal[] = [];
  for (const [at, { im, count }] of clusters.entries()) {
    const complex = im > 0;
    if (!simpleDimension(count, complex)) return undefined;
    let projector = Matrix.eye(Z.rows);
    for (const [other, cluster] of clusters.entries()) if (other !== at) projector = projector.mmul(annihilator(Z, cluster)).div(size);
    const span = leading(projector, count);
    const K = span.transpose().mmul(Matrix.diag(normed.signs)).mmul(span);
    const values = new EigenvalueDecomposition(K, { assumeSymmetric: true }).realEigenvalues;
    ideals.push({
      span: normed.C.transpose().mmul(span),
      dimension: count,
      noncompact: values.filter((value) => value > 0).length,
      complex,
    });
  }
  return ideals;
}

/** Eigenvalues with im >= 0, those that are equal up to noise as one; a pair counts twice. */
function clustersOf(Z: Matrix, equal: number): Cluster[] {
  const values = eigenvalues(Z);
  const greatest = Math.max(...values.map(({ re, im }) => Math.hypot(re, im)));
  const folded = values.map(({ re, im }) => ({ re, im: Math.abs(im) < equal * greatest ? 0 : Math.abs(im) }));
  const clusters: { re: number; im: number; count: number }[] = [];
  for (const { re, im } of folded.sort((a, b) => a.re - b.re)) {
    const near = clusters.find((c) => Math.hypot(c.re / c.count - re, c.im / c.count - im) < equal * greatest);
    if (near) {
      near.re += re;
      near.im += im;
      near.count++;
    } else clusters.push({ re, im, count: 1 });
  }
  return clusters.map(({ re, im, count }) => ({ re: re / count, im: im / count, count }));
}

/** Z - re, or (Z - re)^2 + im^2. */
function annihilator(Z: Matrix, { re, im }: Cluster): Matrix {
  const shifted = Matrix.sub(Z, Matrix.eye(Z.rows).mul(re));
  return im === 0 ? shifted : shifted.mmul(shifted).add(Matrix.eye(Z.rows).mul(im * im));
}

/** The `count` leading left singular vectors, as columns. */
function leading(A: Matrix, count: number): Matrix {
  return new SingularValueDecomposition(A).leftSingularVectors.subMatrix(0, A.rows - 1, 0, count - 1);
}

/** Whether a simple complex algebra has this dimension: A_n, B_n, C_n, D_n and the exceptional ones. */
function simpleDimension(dimension: number, complex: boolean): boolean {
  const size = complex ? dimension / 2 : dimension;
  for (let n = 1; n * n <= 2 * size + 1; n++) if ([n * (n + 2), n * (2 * n + 1)].includes(size)) return true;
  for (let n = 3; n * (2 * n - 1) <= size; n++) if (n * (2 * n - 1) === size) return true;
  return [14, 52, 78, 133, 248].includes(size);
}
