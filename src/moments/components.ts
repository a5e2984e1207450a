import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { Device } from "../engine/device.js";
import { check } from "../errors.js";
import type { Whitening } from "../lie/functions/whitening.js";
import { matmul } from "../ops/matmul.js";
import { scope } from "../tensor/scope.js";
import { keep, tensor } from "../tensor/tensor.js";
import { lowest } from "./krylov.js";
import { type Block, blocksOf, effectiveRows, type Weighted } from "./source.js";

/** The principal directions in which cumulants are taken. */
export interface Components {
  /** x' = to (x - mean), of covariance I. */
  inputs: Whitening;
  /** How many are kept. */
  k: number;
  /** Whether those are all that x fills. */
  complete: boolean;
  /** Smaller numbers at gaps of the spectrum, for comparison. */
  others: readonly number[];
  /** The share of the variance that is kept. */
  kept: number;
  notes: readonly string[];
}

/** As many directions are kept without asking, if there are no more; in them units do not matter. */
const ALL = 40;
/** Most positions: the eigenvectors of their covariance take d^3 multiply-adds on the host. */
const MOST = 2048;
/** What float32 resolves of a variance beside the greatest, and what sums in float64 leave of samples in float32: their rounding is below 1 % then. */
const ROUNDING = 1e-6;
const FINE = 1e-8;
/** Below this share of its mean square about zero the variance of a position is rounding. */
const RESOLVED = 1e-14;

/**
 * Principal directions of the channels of x together. `asked` of them, or with "auto" all if they are at most 40, else as many below that as end at
 * the widest gap of the spectrum: a symmetry mixes directions of equal variance, so that none may be cut off from its like; never more than `most`.
 * Throws ERR_LCONV_ARGUMENT for more positions than 2,048 or more components than the rank, ERR_LCONV_DATA for samples that are all the same.
 */
export async function componentsOf(
  source: Weighted,
  asked: number | "auto",
  most: number,
  device: Device,
  signal?: AbortSignal,
): Promise<Components> {
  const { N, d } = source;
  check(
    d <= MOST,
    "ERR_LCONV_ARGUMENT",
    () => `symmetriesFromMoments: ${d} positions are more than ${MOST}; leave some out, or average neighbours`,
  );
  const { mean, size } = await sizesOf(source, signal);
  const moving = size.filter((value) => value > 0);
  check(
    moving.length > 0,
    "ERR_LCONV_DATA",
    () => `symmetriesFromMoments: all ${N} samples are the same as far as float32 shows; nothing varies that could have a symmetry`,
  );
  const each = d <= ALL && (asked === "auto" || asked >= moving.length);
  const common = Math.hypot(...moving) / Math.sqrt(moving.length);
  const unit = size.map((value) => (value === 0 ? 0 : each ? value : common));
  const C = await covarianceOf(source, mean, unit, device, signal);
  const { variances, axes } = await principal(C, asked === "auto" ? ALL : asked, device, signal);
  const rank = variances.filter((value) => value > (d <= ALL ? FINE : ROUNDING) * variances[0]).length;
  check(
    rank > 1,
    "ERR_LCONV_DATA",
    () => `symmetriesFromMoments: x fills ${rank} direction as far as float32 shows; a symmetry that keeps the covariance needs at least 2`,
  );
  const { k, others, notes } = choose(variances, rank, { asked, most, rows: effectiveRows(source) });
  const [to, from] = [Matrix.zeros(k, d), Matrix.zeros(d, k)];
  for (let a = 0; a < k; a++)
    for (let mu = 0; mu < d; mu++) {
      const [entry, root] = [axes[a][mu], Math.sqrt(variances[a])];
      if (unit[mu] > 0) to.set(a, mu, entry / (root * unit[mu]));
      from.set(mu, a, entry * root * unit[mu]);
    }
  const kept = variances.slice(0, k).reduce((sum, value) => sum + value, 0) / C.trace();
  const still = d - moving.length;
  return {
    inputs: { to, from, mean },
    k,
    complete: k === rank,
    others,
    kept,
    notes: [
      ...(still > 0
        ? [`${still} of ${d} positions vary by no more than float32 resolves beside their mean, and are left as they are`]
        : []),
      ...(rank < moving.length && k === rank ? [`x fills ${rank} of ${moving.length} directions; what is found acts on those`] : []),
      ...notes,
    ],
  };
}

/** Mean and standard deviation of each position, over samples and channels; a standard deviation that is rounding is 0. */
async function sizesOf(source: Weighted, signal?: AbortSignal): Promise<{ mean: Float64Array; size: Float64Array }> {
  const { d } = source;
  const rows = effectiveRows(source);
  const [first, sum, squares] = [new Float64Array(d), new Float64Array(d), new Float64Array(d)];
  for await (const { start, x, weightOf } of blocksOf(source, signal)) {
    if (start === 0) first.set(x.subarray(0, d)); // sums about a sample, so that a large mean costs no digits
    for (let at = 0; at < x.length; ) {
      const weight = weightOf(at / d);
      for (let mu = 0; mu < d; mu++, at++) {
        const value = x[at] - first[mu];
        sum[mu] += weight * value;
        squares[mu] += weight * value * value;
      }
    }
  }
  const mean = sum.map((value, mu) => first[mu] + value / rows);
  const size = squares.map((value, mu) => {
    const variance = value / rows - (sum[mu] / rows) ** 2;
    return variance > RESOLVED * (variance + mean[mu] ** 2) ? Math.sqrt(variance) : 0;
  });
  return { mean, size };
}

/** The mean of (x - mean)(x - mean)^T over samples and channels, each position in its unit. */
async function covarianceOf(
  source: Weighted,
  mean: Float64Array,
  unit: Float64Array,
  device: Device,
  signal?: AbortSignal,
): Promise<Matrix> {
  const { m, d } = source;
  const scale = 1 / effectiveRows(source);
  const sums = new Float64Array(d * d);
  const small = d <= ALL; // then float64 costs little, and keeps directions of little variance
  for await (const block of blocksOf(source, signal)) {
    if (small) {
      addProducts(sums, block, mean, unit, scale);
      continue;
    }
    const { x, samples, weightOf } = block;
    const z = new Float32Array(x.length);
    for (let at = 0; at < x.length; ) {
      const root = Math.sqrt(weightOf(at / d));
      for (let mu = 0; mu < d; mu++, at++) z[at] = unit[mu] > 0 ? (root * (x[at] - mean[mu])) / unit[mu] : 0;
    }
    const part = await scope(async () => {
      const rows = tensor(z, { shape: [samples * m, d], device });
      return matmul(rows, rows, { transA: true }).data();
    });
    for (let at = 0; at < sums.length; at++) sums[at] += part[at] * scale;
  }
  const C = Matrix.from1DArray(d, d, sums as unknown as number[]);
  return C.add(C.transpose()).mul(0.5);
}

/** sums += scale w z z^T of each row, z = (x - mean) / unit. */
function addProducts(sums: Float64Array, { x, weightOf }: Block, mean: Float64Array, unit: Float64Array, scale: number): void {
  const d = mean.length;
  const z = new Float64Array(d);
  for (let at = 0; at < x.length; at += d) {
    for (let mu = 0; mu < d; mu++) z[mu] = unit[mu] > 0 ? (x[at + mu] - mean[mu]) / unit[mu] : 0;
    const weight = scale * weightOf(at / d);
    for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) sums[a * d + b] += weight * z[a] * z[b];
  }
}

/** Positions up to which all eigenvectors are found at once. */
const AT_ONCE = 300;
/** |C v - lambda v| at which an eigenvector is found, beside the greatest eigenvalue: float32. */
const FOUND = 1e-5;

/** Eigenvalues of C, descending, with their eigenvectors; of a large C at least the `count` + 1 greatest. */
async function principal(
  C: Matrix,
  count: number,
  device: Device,
  signal?: AbortSignal,
): Promise<{ variances: number[]; axes: readonly ArrayLike<number>[] }> {
  const d = C.rows;
  if (d > AT_ONCE) {
    const scale = Math.max(...C.diagonal());
    const c = keep(
      tensor(
        Float32Array.from(C.to1DArray(), (value) => -value / scale),
        { shape: [d, d], device },
      ),
    );
    const apply = async (block: readonly Float64Array[]): Promise<Float64Array[]> => {
      const rows = Float32Array.from(block.flatMap((v) => [...v]));
      const image = await scope(() => matmul(tensor(rows, { shape: [block.length, d], device }), c).data());
      return block.map((_, i) => Float64Array.from(image.slice(i * d, (i + 1) * d)));
    };
    const wanted = Math.min(d, count + 1);
    try {
      const { values, vectors, residuals } = await lowest(apply, d, {
        count: wanted,
        tolerance: FOUND,
        shown: wanted,
        seed: 0,
        ...(signal && { signal }),
      });
      if (residuals.slice(0, wanted).every((residual) => residual <= -10 * FOUND * values[0]))
        return { variances: values.map((value) => Math.max(0, -value * scale)), axes: vectors };
    } finally {
      c.dispose();
    }
  }
  const { realEigenvalues, eigenvectorMatrix: E } = new EigenvalueDecomposition(C, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, at) => at).reverse();
  return { variances: order.map((at) => Math.max(0, realEigenvalues[at])), axes: order.map((at) => E.getColumn(at)) };
}

/** Where the spectrum falls: eigenvalues nearer to each other than this may be one that is there twice. */
const clearGap = (rows: number): number => Math.max(0.02, 3 * Math.sqrt(4 / rows));
/** The smallest k beside which another is of use. */
const LEAST = 6;

function choose(
  variances: readonly number[],
  rank: number,
  { asked, most, rows }: { asked: number | "auto"; most: number; rows: number },
): Pick<Components, "k" | "others" | "notes"> {
  check(
    asked === "auto" || asked <= rank,
    "ERR_LCONV_ARGUMENT",
    () => `symmetriesFromMoments: x fills ${rank} directions as far as float32 shows, fewer than the ${asked} components asked for`,
  );
  const gap = (k: number): number => (k >= rank ? Number.POSITIVE_INFINITY : Math.log(variances[k - 1] / variances[k]));
  const widest = (from: number, end: number): number | undefined => {
    const list = Array.from({ length: Math.max(0, end - from + 1) }, (_, i) => from + i).filter((k) => k >= LEAST && k < rank);
    return list.length === 0 ? undefined : list.reduce((a, b) => (gap(b) > gap(a) ? b : a));
  };
  const limit = asked === "auto" ? Math.min(ALL, most) : asked;
  if (asked === "auto" && rank <= limit) return { k: rank, others: [], notes: [] };
  let k = asked === "auto" ? (widest(Math.ceil(0.7 * limit), limit) ?? limit) : limit;
  while (asked !== "auto" && k > 1 && gap(k) < clearGap(rows) && gap(k - 1) > gap(k)) k--;
  const notes = [
    ...(k < limit && asked !== "auto"
      ? [`${k} components in place of ${limit}: one of two of equal variance would have been cut off`]
      : []),
    ...(gap(k) < clearGap(rows)
      ? [`the variances fall without a gap at ${k} components: directions that a symmetry mixes may have been cut apart`]
      : []),
  ];
  const lower = [widest(Math.ceil(0.35 * k), Math.floor(0.5 * k)), widest(Math.floor(0.5 * k) + 1, Math.floor(0.7 * k))];
  return { k, others: lower.filter((value) => value !== undefined && gap(value) > clearGap(rows)) as number[], notes };
}
