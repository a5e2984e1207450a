import { check } from "../errors.js";

/** Sizes and weights of an L-conv layer. */
interface LayerWeights {
  /** Name of the layer in the model, such as "0". */
  name: string;
  /** n_L, without L_0 = I. */
  count: number;
  /** Positions. */
  d: number;
  /** [n_L + 1, m_in, m_out]; W[0] belongs to L_0 = I. */
  W: Float32Array;
  /** False if its positions are not those of the image, as behind a strided layer; then no permutation is undone. Default true. */
  pixels?: boolean;
}

/** An L-conv layer with generators L_i = U_i V_i. */
export interface LowRankGenerators extends LayerWeights {
  /** Rank of the generators, d_h. */
  rank: number;
  /** [n_L, d, d_h] */
  U: Float32Array;
  /** [n_L, d_h, d] */
  V: Float32Array;
}

/** An L-conv layer with generators as full matrices. */
export interface DenseGenerators extends LayerWeights {
  /** [n_L, d, d] */
  L: Float32Array;
}

/** The generators of one L-conv layer; low rank when `U` is there. */
export type GeneratorLayer = LowRankGenerators | DenseGenerators;

export interface GeneratorNorms {
  i: number; // 0 is L_0 = I
  L: number; // |L_i|_F
  W: number; // |W^i|_F
  product: number; // |L_i| |W^i|: how much of the layer's output this generator can carry
}

/** Throws ERR_LCONV_SHAPE unless the arrays of `layer` fit its sizes. */
export function checkLayer(layer: GeneratorLayer): void {
  const { name, count, d, W } = layer;
  const need = (what: string, length: number, shape: string, expected: number): void =>
    check(
      length === expected,
      "ERR_LCONV_SHAPE",
      () => `report: ${what} of layer "${name}" must be ${shape} with n_L = ${count}, d = ${d}, got ${length} values`,
    );
  if ("U" in layer) {
    need("U", layer.U.length, "[n_L, d, d_h]", count * d * layer.rank);
    need("V", layer.V.length, "[n_L, d_h, d]", count * layer.rank * d);
  } else {
    need("L", layer.L.length, "[n_L, d, d]", count * d * d);
  }
  check(
    W.length > 0 && W.length % (count + 1) === 0,
    "ERR_LCONV_SHAPE",
    () => `report: W of layer "${name}" must be [n_L + 1, m_in, m_out] with n_L = ${count}, got ${W.length} values`,
  );
}

/**
 * The Frobenius norms of L_0 = I and all L_i, and of their weights, the strongest product first.
 * |U V|_F^2 = tr(U^T U V V^T) needs two d_h x d_h Gram matrices and never the d x d product.
 */
export function generatorNorms(layer: GeneratorLayer): GeneratorNorms[] {
  checkLayer(layer);
  const { count, d, W } = layer;
  const size = W.length / (count + 1);
  const norms = Array.from({ length: count + 1 }, (_, i): GeneratorNorms => {
    const L = i === 0 ? Math.sqrt(d) : "U" in layer ? lowRankNorm(layer, i - 1) : norm(layer.L.subarray((i - 1) * d * d, i * d * d));
    const weight = norm(W.subarray(i * size, (i + 1) * size));
    return { i, L, W: weight, product: L * weight };
  });
  return norms.sort((a, b) => (Number.isNaN(a.product) ? 1 : Number.isNaN(b.product) ? -1 : b.product - a.product));
}

/**
 * L_i averaged over square blocks until at most `edge` x `edge` remain, [side, side]. With `permutation` (scrambled[mu] =
 * image[permutation[mu]]) both axes are first put back into the order of the unscrambled image. Averaging commutes with
 * the product, so of U V only the averaged rows and columns are multiplied.
 */
export function blockAverage(
  layer: GeneratorLayer,
  i: number,
  edge: number,
  permutation?: ArrayLike<number>,
): { values: Float64Array; side: number; block: number } {
  const { d } = layer;
  const block = Math.ceil(d / edge);
  const side = Math.ceil(d / block);
  const blockOf = Int32Array.from({ length: d }, (_, mu) => Math.floor((permutation ? permutation[mu] : mu) / block));
  const values = "U" in layer ? averageLowRank(layer, i - 1, side, blockOf) : averageDense(layer, i - 1, side, blockOf);
  const members = (b: number): number => Math.min(block, d - b * block); // the last block may be short
  for (let a = 0; a < side; a++) for (let b = 0; b < side; b++) values[a * side + b] /= members(a) * members(b);
  return { values, side, block };
}

function averageLowRank(layer: LowRankGenerators, i: number, side: number, blockOf: Int32Array): Float64Array {
  const { d, rank, U, V } = layer;
  const rows = new Float64Array(side * rank); // [side, d_h], sums over the rows of U_i in a block
  const cols = new Float64Array(rank * side); // [d_h, side], sums over the columns of V_i in a block
  for (let mu = 0; mu < d; mu++) {
    for (let k = 0; k < rank; k++) {
      rows[blockOf[mu] * rank + k] += U[(i * d + mu) * rank + k];
      cols[k * side + blockOf[mu]] += V[(i * rank + k) * d + mu];
    }
  }
  const out = new Float64Array(side * side);
  for (let a = 0; a < side; a++) {
    for (let k = 0; k < rank; k++) {
      const row = rows[a * rank + k];
      for (let b = 0; b < side; b++) out[a * side + b] += row * cols[k * side + b];
    }
  }
  return out;
}

function averageDense(layer: DenseGenerators, i: number, side: number, blockOf: Int32Array): Float64Array {
  const { d, L } = layer;
  const out = new Float64Array(side * side);
  for (let mu = 0; mu < d; mu++) for (let nu = 0; nu < d; nu++) out[blockOf[mu] * side + blockOf[nu]] += L[(i * d + mu) * d + nu];
  return out;
}

function lowRankNorm(layer: LowRankGenerators, i: number): number {
  const { d, rank, U, V } = layer;
  let sum = 0;
  for (let a = 0; a < rank; a++) {
    for (let b = 0; b < rank; b++) {
      let gramU = 0; // (U^T U)[a, b]
      let gramV = 0; // (V V^T)[b, a]
      for (let mu = 0; mu < d; mu++) {
        gramU += U[(i * d + mu) * rank + a] * U[(i * d + mu) * rank + b];
        gramV += V[(i * rank + b) * d + mu] * V[(i * rank + a) * d + mu];
      }
      sum += gramU * gramV;
    }
  }
  return Math.sqrt(Math.max(0, sum));
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
