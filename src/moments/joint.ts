import { EigenvalueDecomposition, Matrix, pseudoInverse } from "ml-matrix";
import { check, showShape } from "../errors.js";
import { Basis } from "../lie/generators/basis.js";
import { dense, toDense } from "../lie/generators/generator.js";
import { Tensor } from "../tensor/tensor.js";
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
/** What y adds to the motion of x, as a share, that the error bar, or this, explains. */
const APART = 0.1;
/** Smaller singular values, of coordinates in their units, are rounding: x, or y, does not vary there. */
const SINGULAR = 1e-3;

/**
 * Pairs (L, L_c) for which (exp(tL) x, exp(tL_c) y) is distributed as (x, y), from the joint moments of orders 2, 3 and 4: of these the second are Theorem 1's
 * two conditions. x [N, d] and y [N, d_y] are taken as one vector, whose symmetries are found as by `symmetriesFromMoments`; those that mix x and y are told
 * apart. Where y is a linear function of x, it moves along. For a single y, L_c is 0: L keeps the regression of y on x. Options are those of
 * symmetriesFromMoments but `components`. Throws as that does, ERR_LCONV_SHAPE for other shapes, and ERR_LCONV_ARGUMENT for more than 40 positions together.
 *
 * @example
 * ```ts
 * import { lie, Philox, tensor } from "lconv";
 *
 * const N = 3000;
 * const u = new Philox(1, 0).uniform(2 * N);
 * const angles = u.subarray(0, N).map((share) => 2 * Math.PI * share);
 * const x = Float32Array.from({ length: 2 * N }, (_, at) => (at % 2 ? Math.sin : Math.cos)(angles[at >> 1]));
 * const y = Float32Array.from({ length: 2 * N }, (_, at) => (at % 2 ? Math.sin : Math.cos)(2 * angles[at >> 1]) + u[N + (at >> 1)]);
 * const { dimension } = await lie.jointSymmetriesFromMoments(tensor(x, { shape: [N, 2] }), tensor(y, { shape: [N, 2] })); // 1: y turns twice as fast
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
  const read = (start: number, end: number): Float32Array => z.subarray(start * (d + d_y), end * (d + d_y));
  const joint = await symmetriesFromMoments({ N, m: 1, d: d + d_y, device: x.device, read }, options);
  const { basis, dimension } = joint;
  if (!basis || dimension === undefined) return { dimension, inputs: undefined, outputs: undefined, mixing: 0, joint, notes: joint.notes };
  const apart = apartFrom(joint, d);
  const n = apart.length;
  const mixing = dimension - n;
  const mixed = `${mixing} of ${dimension} symmetries of (x, y) mix x and y: they move x by y, or y by x, and are not counted`;
  const basisOf = (key: "L" | "L_c"): Basis | undefined => (n > 0 ? new Basis(apart.map((pair) => dense(pair[key]))) : undefined);
  return {
    ...{ dimension: n, inputs: basisOf("L"), outputs: basisOf("L_c"), mixing, joint },
    notes: [...joint.notes, ...(mixing > 0 ? [mixed] : [])],
  };
}

/** L and L_c of what was found, as far as it moves x by x alone and y by y alone. */
function apartFrom({ whitened, inputs, bound }: MomentSymmetries, d: number): { L: Matrix; L_c: Matrix }[] {
  const { generators } = whitened as Basis;
  const list = generators.map(toDense);
  const parts = [
    inputs.from.subMatrix(0, d - 1, 0, inputs.from.columns - 1),
    inputs.from.subMatrix(d, inputs.from.rows - 1, 0, inputs.from.columns - 1),
  ];
  const sizes = parts.map((F) => F.to2DArray().map((row) => Math.hypot(...row))); // standard deviations
  const inUnits = parts.map((F, p) => Matrix.diag(sizes[p].map((size) => (size > 0 ? 1 / size : 0))).mmul(F));
  const backs = inUnits.map((F) => pseudoInverse(F, SINGULAR));
  // x = F z moves by F L z, which is a function of x where it is F L F^+ F z.
  const moved = list.map((L) => inUnits.map((F) => F.mmul(L)));
  const left = moved.map((both) => both.map((M, p) => Matrix.sub(M, M.mmul(backs[p]).mmul(inUnits[p]))));
  const gram = (all: readonly (readonly Matrix[])[]): Matrix =>
    new Matrix(all.map((a) => all.map((b) => a.reduce((sum, M, p) => sum + Matrix.mul(M, b[p]).sum(), 0))));
  // Generalised eigenvectors of the two Gram matrices: the share that x and y do not explain each by itself, ascending.
  const whole = new EigenvalueDecomposition(gram(moved), { assumeSymmetric: true });
  const W = whole.eigenvectorMatrix.mmul(Matrix.diag(whole.realEigenvalues.map((value) => 1 / Math.sqrt(Math.max(value, 1e-300)))));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(W.transpose().mmul(gram(left)).mmul(W), {
    assumeSymmetric: true,
  });
  const C = W.mmul(eigenvectorMatrix);
  const most = Math.max(APART, Number.isNaN(bound) ? 0 : 2 * Math.sin(bound));
  return realEigenvalues.flatMap((value, i) => {
    if (Math.sqrt(Math.max(0, value)) > most) return [];
    const [L, L_c] = inUnits.map((F, p) => {
      const M = Matrix.zeros(F.rows, F.columns);
      for (const [j, both] of moved.entries()) M.add(Matrix.mul(both[p], C.get(j, i)));
      const A = M.mmul(backs[p]);
      return Matrix.diag(sizes[p])
        .mmul(A)
        .mmul(Matrix.diag(sizes[p].map((size) => (size > 0 ? 1 / size : 0))));
    });
    return [{ L, L_c }];
  });
}
