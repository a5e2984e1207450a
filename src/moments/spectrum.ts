import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { type DenseTerm, formOf, incoherent, isDense, isotropicParts, sizeOf, type Term, withIsotropic } from "./action.js";
import { anisotropic, type Cumulant, isotropicShare, symmetric, turned, upload } from "./cumulants.js";
import { boundOf } from "./errorBar.js";
import { dot, lowest } from "./krylov.js";
import { freedomOf, mean, oneMore } from "./noise.js";
import { unpacked } from "./packed.js";
import { Quartic } from "./quartic.js";
import type { QuarticTerm } from "./quarticTerm.js";

/** How much of the cumulants a direction among the antisymmetric L moves. */
export interface MomentDirection {
  /** Q(L) / D(L): the share of the change that does not cancel between the indices; 0 for a symmetry, about 1 for none. */
  ratio: number;
  /** What sampling alone makes of it, on average. */
  noise: number;
  /** By how much one more draw of the samples may differ from that, at 95 % on each side. */
  spread: number;
  /** The share without what sampling adds. */
  share: number;
  /** Its 95 % bound from below. */
  lower: number;
  /** Its 95 % bound from above. */
  upper: number;
  /** The share of D(L) that is more than sampling noise may be, 95 %; below 1/2 there is nothing to see along L. */
  visible: number;
}

/** The same with the direction. */
export interface Direction extends MomentDirection {
  /** [k, k], with D(L) = 1. */
  L: Matrix;
}

/** What cumulants say of all antisymmetric L. */
export interface Spectrum {
  k: number;
  /** The lowest, ascending by ratio. */
  directions: readonly Direction[];
  /** Degrees of freedom of their noise: 2 mean^2 / variance. */
  freedom: number;
  /** Number of batches that it was measured with. */
  batches: number;
  /** Number of all, k (k - 1) / 2. */
  unknowns: number;
  /** Of these, whose part of the cumulants is lost in sampling noise. */
  unseen: number;
  /** The 95 % bound of the largest angle in radians between the span of some of the directions and the true one. */
  bound(claimed: readonly number[]): Promise<number>;
}

/** The cumulants of all samples, and of each batch those of the samples of that batch alone. */
export interface Sampled {
  all: readonly Cumulant[];
  batches: readonly (readonly Cumulant[])[];
  /** Covariance of each batch, and of all samples. */
  covariances: readonly Matrix[];
  covariance: Matrix;
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
 * The isotropic part of cumulants, which every L keeps, is taken away, and counts in D(L) only where D(L) is less with it.
 * Weights w are the inverse noise of the entries. Work is done in the eigenbasis of G, where D is diagonal. The scope in force owns what `bound` needs.
 */
export async function spectrumOf(sampled: Sampled, options: SpectrumOptions): Promise<Spectrum> {
  const { device, seed, signal, onStep } = options;
  const k = sizeOf(sampled.all[0]);
  const { terms, noises, strains, strengths, noiseStrengths, turn } = await weighing(sampled, options);
  const n = (k * (k - 1)) / 2;
  const D = diagonal(strengths, n);
  const scale = D.map((value) => (value > 0 ? 1 / Math.sqrt(value) : 0));
  const scaled = (v: Float64Array): Float64Array => v.map((value, i) => value * scale[i]);
  const matrices = (block: readonly Float64Array[]): Matrix[] => block.map((v) => unpacked(scaled(v), k));
  const Q = await formOf(terms, device, signal);
  const { values, vectors } = await lowest(async (block) => (await Q(matrices(block))).map(scaled), n, {
    ...{ count: Math.min(n, 4), tolerance: EXACT, seed },
    ...(signal && { signal }),
    onStep: (done, of) => onStep?.("directions", done, of),
  });
  const examined = vectors.slice(0, n <= FEW ? n : EXAMINED);
  const drawn = await drawsOf(examined.map(scaled), noises, k, device, signal);
  const lost = examined.map((v) => noiseStrengths.map((G) => noiseStrengths.length * incoherence(unpacked(scaled(v), k), G)));
  const isotropic = await isotropicParts(terms);
  const directions = examined.map((v, i) => {
    const L = unpacked(scaled(v), k);
    const left = Math.max(LEAST_VISIBLE, withIsotropic(L, isotropic));
    const per = (draws: readonly number[]): number[] => draws.map((value) => value / left);
    return directionOf(turn(L), Math.max(0, values[i]) / left, per(drawn[i]), per(lost[i]));
  });
  onStep?.("noise", 1, 1);
  await breathe(signal);
  const beyond = 1 + mean(lost.map((draws) => oneMore(draws) / Math.max(mean(draws), 1e-300)));
  const noiseD = diagonal(noiseStrengths.reduce((sum, G) => Matrix.add(sum, G)).diagonal(), n);
  return {
    ...{ k, directions, unknowns: n, batches: noises.length, freedom: freedomOf(drawn) },
    unseen: D.filter((value, i) => beyond * noiseD[i] > value / 2).length,
    bound: (claimed) => boundOf(claimed, { k, values, vectors, scaled, terms, noises, strains, device, ...(signal && { signal }) }),
  };
}

/** `drawn` is what each batch says that sampling makes of Q(L), `lost` the same of D(L) = 1. */
function directionOf(L: Matrix, ratio: number, drawn: readonly number[], lost: readonly number[]): Direction {
  const [noise, spread] = [mean(drawn), oneMore(drawn)];
  const share = (value: number): number => Math.max(0, value) / Math.max(1 - mean(lost), LEAST_VISIBLE);
  return {
    ...{ L, ratio, noise, spread },
    ...{ share: share(ratio - noise), lower: share(ratio - noise - spread), upper: share(ratio - noise + spread) },
    visible: Math.max(0, 1 - mean(lost) - oneMore(lost)),
  };
}

/** <L G, L> */
const incoherence = (L: Matrix, G: Matrix): number => Matrix.mul(L.mmul(G), L).sum();

interface Weighted {
  /** In the eigenbasis of G, and of each batch what it differs by from the mean, as large as the error of all samples is. */
  terms: Term[];
  noises: Term[][];
  /** Batches' covariances likewise. */
  strains: Matrix[];
  /** Eigenvalues of G, and G of each batch's noise. */
  strengths: number[];
  noiseStrengths: Matrix[];
  /** From the eigenbasis back. */
  turn(L: Matrix): Matrix;
}

async function weighing({ all, batches, covariances }: Sampled, { device, isotropic, signal }: SpectrumOptions): Promise<Weighted> {
  const B = batches.length;
  const size = 1 / Math.sqrt(B * (B - 1));
  const k = sizeOf(all[0]);
  const terms: Term[] = [];
  const noises: Term[][] = batches.map(() => []);
  for (const [i, { p, kappa }] of all.entries()) {
    const own = batches.map((batch) => batch[i].kappa);
    const { term, differences } =
      kappa instanceof Quartic
        ? await quarticWeighing(kappa, own as Quartic[], size, isotropic, signal)
        : await denseWeighing(p, kappa, own as Tensor[], size, isotropic, device, signal);
    terms.push(term);
    for (const [b, difference] of differences.entries()) noises[b].push(difference);
  }
  const { realEigenvalues, eigenvectorMatrix: E } = new EigenvalueDecomposition(await incoherent(terms, device, signal), {
    assumeSymmetric: true,
  });
  const R = upload(E.transpose(), device);
  const inFrame = async (list: readonly Term[]): Promise<Term[]> => {
    const out: Term[] = [];
    for (const term of list) {
      await breathe(signal);
      if (isDense(term)) {
        out.push({ ...term, kappa: turned(term.kappa, R, term.p) });
        term.kappa.dispose();
      } else out.push({ ...term, frame: E });
    }
    return out;
  };
  const inside = await inFrame(terms);
  const noisesInside: Term[][] = [];
  for (const list of noises) noisesInside.push(await inFrame(list));
  const noiseStrengths: Matrix[] = [];
  for (const list of noisesInside) noiseStrengths.push(await incoherent(list, device, signal));
  const average = covariances.reduce((sum, C) => Matrix.add(sum, Matrix.div(C, B)), Matrix.zeros(k, k));
  return {
    terms: inside,
    noises: noisesInside,
    strains: covariances.map((C) => E.transpose().mmul(Matrix.sub(C, average).mul(size)).mmul(E)),
    strengths: realEigenvalues.map((value) => Math.max(0, value)),
    noiseStrengths,
    turn: (L) => E.mmul(L).mmul(E.transpose()),
  };
}

/** A cumulant with the weight of its squares, and what those of the batches differ by. */
interface Weighing<T> {
  term: T;
  differences: T[];
}

async function denseWeighing(
  p: number,
  kappa: Tensor,
  batches: readonly Tensor[],
  size: number,
  isotropic: boolean,
  device: Device,
  signal?: AbortSignal,
): Promise<Weighing<DenseTerm>> {
  const k = kappa.shape[0];
  const valuesOf = async (tensor: Tensor): Promise<Float32Array> => {
    await breathe(signal);
    return (await tensor.data()) as Float32Array;
  };
  const without = (values: Float32Array): Float32Array => (isotropic ? values : anisotropic(values, p, k));
  const lists: Float32Array[] = [];
  for (const batch of batches) lists.push(without(await valuesOf(batch)));
  const total = await toDifferences(lists, size, signal);
  const weight = total > 0 ? kappa.size / total : 1;
  const term = (values: Float32Array): DenseTerm => ({ p, kappa: symmetric(values, k, device), weight });
  const values = await valuesOf(kappa);
  return {
    term: { ...term(without(values)), isotropic: isotropic ? 0 : isotropicShare(values, p, k) },
    differences: lists.map(term),
  };
}

async function quarticWeighing(
  kappa: Quartic,
  batches: readonly Quartic[],
  size: number,
  isotropic: boolean,
  signal?: AbortSignal,
): Promise<Weighing<QuarticTerm>> {
  const { k } = kappa;
  const without = (one: Quartic): Quartic => (isotropic ? one.leading(k) : one.anisotropic());
  const differences = batches.map(without);
  const lists = differences.map(({ values }) => values);
  await toDifferences(lists, size, signal);
  const total = differences.reduce((sum, one) => sum + one.squares(), 0);
  const weight = total > 0 ? k ** 4 / total : 1;
  return {
    term: { p: 4, kappa: without(kappa), weight, isotropic: isotropic ? 0 : kappa.isotropicShare() },
    differences: differences.map((kappa) => ({ p: 4, kappa, weight })),
  };
}

/** Makes of each list its difference from their mean, times `size`; returns the sum of all squares. */
async function toDifferences(lists: readonly Float32Array[], size: number, signal?: AbortSignal): Promise<number> {
  const center = new Float64Array(lists[0].length);
  for (const list of lists) for (let at = 0; at < center.length; at++) center[at] += list[at] / lists.length;
  let total = 0;
  for (const list of lists) {
    await breathe(signal);
    for (let at = 0; at < center.length; at++) {
      list[at] = (list[at] - center[at]) * size;
      total += list[at] * list[at];
    }
  }
  return total;
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
  signal?: AbortSignal,
): Promise<number[][]> {
  const Ls = list.map((l) => unpacked(l, k));
  const draws: number[][] = list.map(() => []);
  for (const noise of noises) {
    await breathe(signal);
    const images = await scope(async () => (await formOf(noise, device, signal))(Ls));
    images.forEach((image, i) => void draws[i].push(noises.length * dot(list[i], image)));
  }
  return draws;
}
