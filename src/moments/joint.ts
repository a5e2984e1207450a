import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { check, showShape } from "../errors.js";
import { Basis } from "../lie/generators/basis.js";
import { combination, dense, toDense } from "../lie/generators/generator.js";
import { Tensor, tensor } from "../tensor/tensor.js";
import type { MomentOptions } from "./checks.js";
import { type MomentSymmetries, symmetriesFromMoments } from "./moments.js";

/** Symmetries of the joint distribution of x and y that move both, each by itself. */
export interface JointSymmetries {
  /** Number of pairs (L, L_c); undefined where that cannot be said. */
  dimension: number | undefined;
  /** L of each pair, x -> mean + exp(tL)(x - mean), [d, d]; undefined if there is none. */
  inputs: Basis | undefined;
  /** L_c of each pair in the same order, [d_y, d_y]. */
  outputs: Basis | undefined;
  /** Number of further symmetries of (x, y) as one vector, which mix x and y. */
  mixing: number;
  /** What was found of (x, y) as one vector. */
  joint: MomentSymmetries;
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

/** Positions of x and y together: all directions must be there. */
const MOST = 40;
/** The share of L outside of the blocks of x and y that its error bar, or this, explains. */
const APART = 0.1;

/**
 * Pairs (L, L_c) for which (exp(tL) x, exp(tL_c) y) is distributed as (x, y), from the joint moments of orders 2, 3 and 4: of these the second are Theorem 1's
 * two conditions. x [N, d] and y [N, d_y] are taken as one vector, whose symmetries are found as by `symmetriesFromMoments`; those that mix x and y are told
 * apart. For a single y, L_c is 0: what leaves a regression of y on x as it is. Options are those of symmetriesFromMoments but `components`. Throws as that does,
 * ERR_LCONV_SHAPE for other shapes, and ERR_LCONV_ARGUMENT for more than 40 positions together.
 *
 * @example
 * ```ts
 * import { lie, Philox, tensor } from "lconv";
 *
 * const N = 3000;
 * const z = new Philox(1, 0).normal(2 * N);
 * const x = Float32Array.from(z, (value) => value ** 3);
 * const y = Float32Array.from({ length: 2 * N }, (_, at) => x[at - (at % 2)] - (at % 2) * x[at - (at % 2) + 1]);
 * const { dimension } = await lie.jointSymmetriesFromMoments(tensor(x, { shape: [N, 2] }), tensor(y, { shape: [N, 2] })); // 0
 * ```
 */
export async function jointSymmetriesFromMoments(
  x: Tensor,
  y: Tensor,
  options: Omit<MomentOptions, "components"> = {},
): Promise<JointSymmetries> {
  const isSamples = (t: unknown): t is Tensor => t instanceof Tensor && t.rank === 2;
  check(
    isSamples(x) && isSamples(y) && x.shape[0] === y.shape[0],
    "ERR_LCONV_SHAPE",
    () =>
      `jointSymmetriesFromMoments: x and y must be [N, d] and [N, d_y], got ${[x, y].map((t) => showShape(t?.shape ?? [])).join(" and ")}`,
  );
  const [[N, d], [, d_y]] = [x.shape, y.shape];
  check(
    d + d_y <= MOST,
    "ERR_LCONV_ARGUMENT",
    () =>
      `jointSymmetriesFromMoments: ${d} positions of x and ${d_y} of y are more than ${MOST} together; leave some out, or take principal components`,
  );
  const [a, b] = [await x.data(), await y.data()];
  const z = new Float32Array(N * (d + d_y));
  for (let n = 0; n < N; n++) {
    z.set(a.subarray(n * d, (n + 1) * d) as Float32Array, n * (d + d_y));
    z.set(b.subarray(n * d_y, (n + 1) * d_y) as Float32Array, n * (d + d_y) + d);
  }
  const joint = await symmetriesFromMoments(tensor(z, { shape: [N, d + d_y], device: x.device }), options);
  const { basis, dimension } = joint;
  if (!basis || dimension === undefined) return { dimension, inputs: undefined, outputs: undefined, mixing: 0, joint, notes: joint.notes };
  const apart = blockDiagonal(joint, d);
  const n = apart.length;
  const mixing = dimension - n;
  const mixed = `${mixing} of ${dimension} symmetries of (x, y) mix x and y, and are none of y as a function or a companion of x`;
  const block = (from: number, to: number): Basis => new Basis(apart.map((L) => dense(L.subMatrix(from, to - 1, from, to - 1))));
  return {
    ...{ dimension: n, inputs: n > 0 ? block(0, d) : undefined, outputs: n > 0 ? block(d, d + d_y) : undefined, mixing, joint },
    notes: [...joint.notes, ...(mixing > 0 ? [mixed] : [])],
  };
}

/** The combinations of what was found that leave x and y apart, [d + d_y, d + d_y] each. */
function blockDiagonal({ basis, inputs, bound }: MomentSymmetries, d: number): Matrix[] {
  const { generators } = basis as Basis;
  const sizes = inputs.from.to2DArray().map((row) => Math.hypot(...row)); // standard deviations
  const parts = generators.map((g) => {
    const L = toDense(g);
    const [outside, all]: number[][] = [[], []];
    for (let i = 0; i < L.rows; i++)
      for (let j = 0; j < L.columns; j++) {
        const value = sizes[i] > 0 && sizes[j] > 0 ? (L.get(i, j) * sizes[j]) / sizes[i] : 0;
        all.push(value);
        if (i < d !== j < d) outside.push(value);
      }
    return { outside, all };
  });
  const gram = (key: "outside" | "all"): Matrix =>
    new Matrix(parts.map((p) => p[key])).mmul(new Matrix(parts.map((p) => p[key])).transpose());
  // Generalised eigenvectors of the two Gram matrices: the share outside of the blocks, ascending.
  const whole = new EigenvalueDecomposition(gram("all"), { assumeSymmetric: true });
  const W = whole.eigenvectorMatrix.mmul(Matrix.diag(whole.realEigenvalues.map((value) => 1 / Math.sqrt(Math.max(value, 1e-300)))));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(W.transpose().mmul(gram("outside")).mmul(W), {
    assumeSymmetric: true,
  });
  const C = W.mmul(eigenvectorMatrix);
  const most = Math.max(APART, Number.isNaN(bound) ? 0 : 2 * Math.sin(bound));
  return realEigenvalues.flatMap((value, i) =>
    Math.sqrt(Math.max(0, value)) <= most ? [toDense(combination(generators, C.getColumn(i)))] : [],
  );
}
