import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { breathe } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import { keep } from "../../tensor/tensor.js";
import { studentQuantile } from "../jackknife.js";
import { gradient, incoherent, type Term, unpacked } from "./action.js";
import { anisotropic, type Cumulant, symmetric, turned, upload } from "./cumulants.js";
import { dot, lowest, subtract } from "./krylov.js";

/** A direction among the antisymmetric L, and how much of the cumulants it moves. */
export interface Direction {
  /** [k, k], with D(L) = 1. */
  L: Matrix;
  /** Q(L) / D(L): the share of the change that does not cancel between the indices; 0 for a symmetry, about 1 for none. */
  ratio: number;
  /** What sampling alone makes of it, on average. */
  noise: number;
  /** By how much one more draw of the samples may differ from that, at 95 % on each side. */
  spread: number;
  /** Degrees of freedom of that noise: 2 mean^2 / variance, over all directions that were examined. */
  freedom: number;
  /** The share without what sampling adds, and 95 % bounds of it on either side. */
  share: number;
  lower: number;
  upper: number;
  /** The share of D(L) that is more than sampling noise; below 1/2 there is nothing to see along L. */
  visible: number;
}

/** What cumulants say of all antisymmetric L. */
export interface Spectrum {
  k: number;
  /** The lowest, ascending by ratio. */
  directions: readonly Direction[];
  /** Number of all, k (k - 1) / 2. */
  unknowns: number;
  /** Of these, whose part of the cumulants is lost in sampling noise. */
  unseen: number;
  /** The 95 % bound of the largest angle in radians between the span of the first n directions and the true one. */
  bound(n: number): Promise<number>;
  dispose(): void;
}

/** The cumulants of all samples, and of each batch those of the samples of that batch alone. */
export interface Sampled {
  all: readonly Cumulant[];
  batches: readonly (readonly Cumulant[])[];
  /** Covariance of each batch less I. */
  covariances: readonly Matrix[];
}

export interface SpectrumOptions {
  /**
   * Whether the part of a tensor that no rotation changes is left in: a multiple of delta_ab delta_cd + delta_ac delta_bd + delta_ad delta_bc. Every L keeps
   * it, so that where it is large, as in natural images, all else looks small.
   */
  isotropic: boolean;
  device: Device;
  seed: number;
  signal?: AbortSignal;
  onStep?: (name: string, done: number, of: number) => void;
}

/** Directions that are looked at. */
const EXAMINED = 12;
/** With few unknowns all are. */
const FEW = 120;
/** Shares are not told where less than this is visible. */
const LEAST_VISIBLE = 0.05;
/** |Q v - lambda v| at which an eigenvalue, whose greatest is about 1, counts as found. */
const EXACT = 3e-3;

/**
 * The lowest generalised eigenvalues of Q(L) = sum w |L . kappa|^2 against D(L) = <L G, L>, which is what Q would be without cancellation between the
 * indices. Dividing by D makes the result independent of how strong cumulants are along L: where they vanish, ratios are about 1 and nothing is claimed.
 * Weights w are the inverse noise of the entries. Work is done in the eigenbasis of G, where D is diagonal.
 */
export async function spectrumOf(sampled: Sampled, options: SpectrumOptions): Promise<Spectrum> {
  const { device, seed, signal, onStep } = options;
  const k = sampled.all[0].kappa.shape[0];
  const weighted = await weighing(sampled, options);
  const { terms, noises, turn, dispose } = weighted;
  const n = (k * (k - 1)) / 2;
  const D = diagonal(weighted.strengths, n);
  const noiseD = diagonal(weighted.noiseStrengths, n);
  const scale = D.map((value) => (value > 0 ? 1 / Math.sqrt(value) : 0));
  const scaled = (l: Float64Array): Float64Array => l.map((value, i) => value * scale[i]);
  const apply = async (block: readonly Float64Array[]): Promise<Float64Array[]> =>
    (
      await gradient(
        block.map((v) => unpacked(scaled(v), k)),
        terms,
        terms,
        device,
      )
    ).map(scaled);
  const { values, vectors } = await lowest(apply, n, {
    ...{ count: Math.min(n, 4), tolerance: EXACT, seed },
    ...(signal && { signal }),
    onStep: (done, of) => onStep?.("directions", done, of),
  });
  const examined = vectors.slice(0, n <= FEW ? n : EXAMINED);
  const drawn = await drawsOf(examined.map(scaled), noises, k, device);
  const freedom = freedomOf(drawn);
  const directions = examined.map((v, i): Direction => {
    const noise = mean(drawn[i]);
    const lost = v.reduce((sum, value, at) => sum + (value * scale[at]) ** 2 * noiseD[at], 0);
    const visible = Math.max(0, 1 - lost);
    const spread = oneMore(drawn[i]);
    const share = (ratio: number): number => Math.max(0, ratio) / Math.max(visible, LEAST_VISIBLE);
    const ratio = Math.max(0, values[i]);
    return {
      L: turn(unpacked(scaled(v), k)),
      ...{ ratio, noise, spread, freedom, visible },
      ...{ share: share(ratio - noise), lower: share(ratio - noise - spread), upper: share(ratio - noise + spread) },
    };
  });
  onStep?.("noise", 1, 1);
  const bound = async (count: number): Promise<number> => {
    const errors = await errorsOf({ values, vectors, scaled, count, k, terms, noises, device });
    const span = examined.slice(0, count).map((v) => unpacked(scaled(v), k));
    return angleOf(
      span,
      errors.map((list, b) => list.map((E, i) => Matrix.add(E, strained(span[i], weighted.strains[b])))),
    );
  };
  return { k, directions, unknowns: n, unseen: D.filter((value, i) => noiseD[i] > value / 2).length, bound, dispose };
}

interface Weighted {
  /** In the eigenbasis of G, and of each batch what it differs by from the mean, as large as the error of all samples is. */
  terms: Term[];
  noises: Term[][];
  /** Batches' covariances likewise. */
  strains: Matrix[];
  /** Eigenvalues of G, and the diagonal of the noise's. */
  strengths: number[];
  noiseStrengths: number[];
  /** From the eigenbasis back. */
  turn(L: Matrix): Matrix;
  dispose(): void;
}

async function weighing({ all, batches, covariances }: Sampled, { device, isotropic, signal }: SpectrumOptions): Promise<Weighted> {
  const B = batches.length;
  const size = 1 / Math.sqrt(B * (B - 1));
  const k = all[0].kappa.shape[0];
  const terms: Term[] = [];
  const noises: Term[][] = batches.map(() => []);
  for (const [i, { p, kappa }] of all.entries()) {
    const valuesOf = async ({ kappa }: Cumulant): Promise<Float32Array> => {
      const values = (await kappa.data()) as Float32Array;
      return isotropic ? values : anisotropic(values, p, k);
    };
    const lists: Float32Array[] = [];
    for (const batch of batches) {
      await breathe(signal);
      lists.push(await valuesOf(batch[i]));
    }
    const center = new Float64Array(kappa.size);
    for (const list of lists) for (let at = 0; at < center.length; at++) center[at] += list[at] / B;
    let total = 0;
    for (const list of lists) {
      await breathe(signal);
      for (let at = 0; at < center.length; at++) {
        list[at] = (list[at] - center[at]) * size;
        total += list[at] * list[at];
      }
    }
    const weight = total > 0 ? kappa.size / total : 1;
    const term = (values: Float32Array): Term => ({ p, kappa: symmetric(values, k, device), weight });
    terms.push(term(await valuesOf({ p, kappa })));
    for (const [b, list] of lists.entries()) noises[b].push(term(list));
  }
  const { realEigenvalues, eigenvectorMatrix: E } = new EigenvalueDecomposition(await incoherent(terms, device), { assumeSymmetric: true });
  const R = keep(upload(E.transpose(), device));
  const inFrame = async (list: readonly Term[]): Promise<Term[]> => {
    const out: Term[] = [];
    for (const term of list) {
      await breathe(signal);
      out.push({ ...term, kappa: keep(turned(term.kappa, R, term.p)) });
    }
    return out;
  };
  const inside = await inFrame(terms);
  const noisesInside: Term[][] = [];
  for (const list of noises) noisesInside.push(await inFrame(list));
  for (const { kappa } of [...terms, ...noises.flat()]) kappa.dispose();
  R.dispose();
  const noiseG = await incoherent(noisesInside.flat(), device);
  const average = covariances.reduce((sum, C) => Matrix.add(sum, Matrix.div(C, B)), Matrix.zeros(k, k));
  return {
    terms: inside,
    noises: noisesInside,
    strains: covariances.map((C) => E.transpose().mmul(Matrix.sub(C, average).mul(size)).mmul(E)),
    strengths: realEigenvalues.map((value) => Math.max(0, value)),
    noiseStrengths: noiseG.diagonal(),
    turn: (L) => E.mmul(L).mmul(E.transpose()),
    dispose: () => {
      for (const { kappa } of [...inside, ...noisesInside.flat()]) kappa.dispose();
    },
  };
}

/** D(unpacked(e_ab)) = (g_a + g_b) / 2. */
function diagonal(g: readonly number[], n: number): Float64Array {
  const D = new Float64Array(n);
  let at = 0;
  for (let a = 0; a < g.length; a++) for (let b = a + 1; b < g.length; b++, at++) D[at] = (g[a] + g[b]) / 2;
  return D;
}

/** Of each direction, what each batch says that sampling makes of Q. */
async function drawsOf(
  list: readonly Float64Array[],
  noises: readonly (readonly Term[])[],
  k: number,
  device: Device,
): Promise<number[][]> {
  const Ls = list.map((l) => unpacked(l, k));
  const draws: number[][] = list.map(() => []);
  for (const noise of noises) {
    const images = await gradient(Ls, noise, noise, device);
    images.forEach((image, i) => void draws[i].push(noises.length * dot(list[i], image)));
  }
  return draws;
}

/** How far one more draw may lie from the mean of these, at 95 % on each side. */
const oneMore = (draws: readonly number[]): number =>
  studentQuantile(draws.length - 1) * Math.sqrt(variance(draws) * (1 + 1 / draws.length));

/** Of sums of squares with the same relative variance, 2 / f. */
const freedomOf = (drawn: readonly (readonly number[])[]): number =>
  2 / Math.max(mean(drawn.map((draws) => variance(draws) / Math.max(mean(draws) ** 2, 1e-300))), 1e-9);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
function variance(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
}

interface Perturbed {
  values: readonly number[];
  vectors: readonly Float64Array[];
  scaled: (l: Float64Array) => Float64Array;
  count: number;
  k: number;
  terms: readonly Term[];
  noises: readonly (readonly Term[])[];
  device: Device;
}

/**
 * By how much the noise of each batch would move each of the first `count` directions, by first-order perturbation of A v = 0, Q = A^T A: v gains
 * -(Q - lambda)^+ (A^T dA + dA^T A) v. Eigenvectors that are not known are taken at the mean eigenvalue, 1.
 */
async function errorsOf({ values, vectors, scaled, count, k, terms, noises, device }: Perturbed): Promise<Matrix[][]> {
  const Ls = vectors.slice(0, count).map((v) => unpacked(scaled(v), k));
  const errors: Matrix[][] = [];
  for (const noise of noises) {
    const forth = await gradient(Ls, noise, terms, device);
    const back = await gradient(Ls, terms, noise, device);
    errors.push(
      forth.map((image, i) => {
        const force = scaled(image.map((value, at) => value + back[i][at]));
        const moved = new Float64Array(force.length);
        for (const [j, v] of vectors.entries()) {
          const along = dot(v, force);
          subtract(force, v, along);
          if (j >= count) subtract(moved, v, along / (values[j] - values[i]));
        }
        subtract(moved, force, 1 / Math.max(1 - values[i], 0.1));
        return unpacked(scaled(moved), k);
      }),
    );
  }
  return errors;
}

/** In the coordinates in which the samples' covariance is I, I + C in others: L as antisymmetric there is L + [C, L] / 2 here. */
const strained = (L: Matrix, C: Matrix): Matrix => Matrix.sub(C.mmul(L), L.mmul(C)).mul(0.5);

/** sqrt of the greatest eigenvalue of sum_b E_b^T E_b, E_b [k^2, n] what batch b moves an orthonormal basis of the span by, outside of the span. */
function angleOf(span: readonly Matrix[], errors: readonly (readonly Matrix[])[]): number {
  const n = span.length;
  const list = (A: Matrix): Float64Array => Float64Array.from(A.to1DArray());
  const vectors = span.map(list);
  const gram = new Matrix(vectors.map((a) => vectors.map((b) => dot(a, b))));
  const { realEigenvalues, eigenvectorMatrix: Y } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const coefficients = realEigenvalues.map((value, j) => vectors.map((_, i) => Y.get(i, j) / Math.sqrt(Math.max(value, 1e-300))));
  const combined = (parts: readonly Float64Array[]): Float64Array[] =>
    coefficients.map((c) => {
      const sum = new Float64Array(parts[0].length);
      parts.forEach((part, i) => void subtract(sum, part, -c[i]));
      return sum;
    });
  const basis = combined(vectors);
  const total = Matrix.zeros(n, n);
  for (const batch of errors) {
    const moved = combined(batch.map(list));
    for (const e of moved) for (const q of basis) subtract(e, q, dot(q, e));
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) total.set(i, j, total.get(i, j) + dot(moved[i], moved[j]));
  }
  const greatest = Math.max(...new EigenvalueDecomposition(total, { assumeSymmetric: true }).realEigenvalues);
  return Math.min(Math.PI / 2, CALIBRATED * Math.sqrt(Math.max(0, greatest)));
}
/** From the root mean square to the 95 % quantile. */
const CALIBRATED = 1.3;
