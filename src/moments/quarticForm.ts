import type { Matrix } from "ml-matrix";
import { breathe } from "../engine/breathe.js";
import type { Device } from "../engine/device.js";
import { matmul } from "../ops/matmul.js";
import { scope } from "../tensor/scope.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { packed, unpacked } from "./packed.js";
import { pairsOf, type Quartic, twos } from "./quartic.js";
import type { QuarticTerm } from "./quarticTerm.js";

/** Gradients of a quadratic form in L, halved and packed, for several L [k, k]. */
export type Form = (Ls: readonly Matrix[]) => Promise<Float64Array[]>;

/**
 * sum w |L . kappa|^2 over terms of order 4, which share a frame, as a matrix [n, n] on packed L, n = k (k - 1) / 2; with `others` sum 2 w <L . kappa, L . kappa'>.
 * With W_(ab)(a'b') = sum_ce w kappa_abce kappa_a'b'ce for pairs, made symmetric, and G_aa' = sum_b W_(ab)(a'b),
 *
 *   <L . kappa, M . kappa> = 4 <L G, M> + 12 sum L_aa' M_bb' W_(a'b)(ab'):
 *
 * one product of k^6 / 8 multiply-adds, and then k^4 / 4 for each L instead of k^5. The scope in force owns the matrix.
 */
export async function quarticForm(
  terms: readonly QuarticTerm[],
  others: readonly QuarticTerm[] | undefined,
  device: Device,
  signal?: AbortSignal,
): Promise<Form> {
  const [{ kappa, frame }] = terms;
  const { k } = kappa;
  const n = (k * (k - 1)) / 2;
  const form = tensor(await formOf(await productsOf(terms, others, device, signal), k, signal), { shape: [n, n], device });
  return async (Ls) => {
    await breathe(signal);
    const shape = [Ls.length, k, k];
    const stacked = async (list: readonly Matrix[], transposed: boolean): Promise<Float32Array> => {
      const values = new Float32Array(list.length * k * k);
      for (const [i, L] of list.entries()) values.set(L.to1DArray(), i * k * k);
      if (!frame) return values;
      return scope(() => {
        const E = tensor(Float32Array.from(frame.to1DArray()), { shape: [k, k], device });
        const turned = matmul(matmul(E, tensor(values, { shape, device }), { transA: transposed }), E, { transB: !transposed });
        return turned.data() as Promise<Float32Array>;
      });
    };
    const inside = await stacked(Ls, false);
    const rows = new Float32Array(Ls.length * n);
    for (let i = 0; i < Ls.length; i++) rows.set(packed(inside, k, i * k * k), i * n);
    const images = await scope(() => matmul(tensor(rows, { shape: [Ls.length, n], device }), form).data());
    const list = Ls.map((_, i) => unpacked(Float64Array.from(images.subarray(i * n, (i + 1) * n)), k));
    const back = await stacked(list, true);
    return Ls.map((_, i) => packed(back, k, i * k * k));
  };
}

/** Of rows and columns of W, so that memory holds little beside it. */
const PARTS = 8;
/** Of W between two looks at the clock. */
const ROWS = 64;

/** W, [twos(k), twos(k)], part by part; those below the diagonal are those above it. */
async function productsOf(
  terms: readonly QuarticTerm[],
  others: readonly QuarticTerm[] | undefined,
  device: Device,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const all = twos(terms[0].kappa.k);
  const W = new Float32Array(all * all);
  const size = Math.ceil(all / PARTS);
  for (const [i, { kappa, weight }] of terms.entries())
    await scope(async () => {
      const rows = await partsOf(kappa, size, Math.sqrt(weight), device, signal);
      const columns = others ? await partsOf(others[i].kappa, size, Math.sqrt(weight), device, signal) : rows;
      for (const [row, left] of rows.entries())
        for (const [column, right] of columns.entries()) {
          if (!others && column < row) continue;
          await breathe(signal);
          const part = await scope(() => matmul(left, right, { transB: true }).data());
          const width = right.shape[0];
          for (let r = 0, from = 0; r < left.shape[0]; r++) {
            for (let c = 0, to = (row * size + r) * all + column * size; c < width; c++, from++, to++) W[to] += part[from];
            if (r % ROWS === 0) await breathe(signal);
          }
        }
    });
  for (let r = 0; r < all; r++) {
    if (r % ROWS === 0) await breathe(signal);
    for (let c = 0; c < r; c++) {
      const [below, above] = [r * all + c, c * all + r];
      W[below] = W[above] = others ? W[below] + W[above] : W[above];
    }
  }
  if (others) for (let r = 0; r < all; r++) W[r * all + r] *= 2;
  return W;
}

/** kappa times `factor` as a matrix [(a, b), (c, e)] with c < e times the root of 2, `size` rows each. */
async function partsOf(kappa: Quartic, size: number, factor: number, device: Device, signal?: AbortSignal): Promise<Tensor[]> {
  const all = twos(kappa.k);
  const pairs = pairsOf(kappa.k);
  const parts: Tensor[] = [];
  for (let first = 0; first < all; first += size) {
    const rows = Math.min(size, all - first);
    const values = new Float32Array(rows * all);
    for (let i = first, at = 0; i < first + rows; i++) {
      if (i % ROWS === 0) await breathe(signal);
      for (let j = 0; j < all; j++, at++) {
        const [c, e] = [pairs[2 * j], pairs[2 * j + 1]];
        values[at] = factor * kappa.at(pairs[2 * i], pairs[2 * i + 1], c, e) * (c < e ? Math.SQRT2 : 1);
      }
    }
    parts.push(tensor(values, { shape: [rows, all], device }));
  }
  return parts;
}

async function formOf(W: Float32Array, k: number, signal?: AbortSignal): Promise<Float32Array> {
  const all = twos(k);
  const pair = Int32Array.from({ length: k * k }, (_, at) => {
    const [a, b] = [Math.floor(at / k), at % k];
    return twos(Math.max(a, b)) + Math.min(a, b);
  });
  const G = new Float64Array(k * k);
  for (let a = 0; a < k; a++)
    for (let e = 0; e < k; e++) for (let b = 0; b < k; b++) G[a * k + e] += W[pair[a * k + b] * all + pair[e * k + b]];
  const form = new Float32Array(((k * (k - 1)) / 2) ** 2);
  let at = 0;
  for (let a = 0; a < k; a++)
    for (let e = a + 1; e < k; e++) {
      await breathe(signal);
      for (let b = 0; b < k; b++) {
        const [one, other] = [pair[e * k + b] * all, pair[a * k + b] * all];
        for (let f = b + 1; f < k; f++, at++) {
          const crossed = W[one + pair[a * k + f]] - W[other + pair[e * k + f]];
          const same =
            (a === b ? G[e * k + f] : 0) - (a === f ? G[e * k + b] : 0) - (e === b ? G[a * k + f] : 0) + (e === f ? G[a * k + b] : 0);
          form[at] = 12 * crossed + 2 * same;
        }
      }
    }
  return form;
}
