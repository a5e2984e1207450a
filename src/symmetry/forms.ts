import { attach, noGrad } from "../autograd/autograd.js";
import { check } from "../errors.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { type Dense, type Generators, generatorSizes, type LowRank } from "../ops/generators.js";
import { matmul } from "../ops/matmul.js";
import { sum } from "../ops/reduce.js";
import { diagonal, permute, reshape, transpose } from "../ops/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Traces and inner products of generators L_1..L_{n_L} as tensors on their device, with gradients for U and V, or L. Each is computed
 * when it is first asked for, and once.
 */
export interface Forms {
  n_L: number;
  d: number;
  /** |L_i|_F^2, the diagonal of `gram`: [n_L] */
  norms(): Tensor;
  /** <L_i, L_j> = tr(L_i^T L_j): [n_L, n_L] */
  gram(): Tensor;
  /** tr L_i: [n_L] */
  traces(): Tensor;
  /** tr(L_i L_j): [n_L, n_L] */
  traceForm(): Tensor;
  /** |L_j L_i|^2 - <L_i L_j, L_j L_i>, whose symmetric part is |[L_i, L_j]|^2 / 2: [n_L, n_L] */
  halfSquares(): Tensor;
  /** <L_i L_j, L_k>: [n_L, n_L, n_L] */
  projections(): Tensor;
}

/** Throws ERR_LCONV_ARGUMENT for sparse generators, ERR_LCONV_SHAPE for parts that do not fit together or are not square. */
export function formsOf(where: string, g: Generators): Forms {
  check(
    g.form !== "sparse",
    "ERR_LCONV_ARGUMENT",
    () => `${where}: needs low-rank or dense generators, got sparse ones, which are never trained`,
  );
  const { n_L, d } = generatorSizes(where, g);
  return { n_L, d, ...(g.form === "dense" ? denseForms(g, n_L, d) : lowRankForms(g, n_L, d)) };
}

/** `make`, called at most once. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** X X^T for X [N, K]. Its gradient (G + G^T) X is one product; that of matmul(X, X) would be two. */
const selfProduct = (X: Tensor): Tensor =>
  attach(
    "selfProduct",
    [X],
    noGrad(() => matmul(X, X, { transB: true })),
    (dy) => [matmul(add(dy, transpose(dy)), X)],
  );

/** By the products L_i L_j themselves: O(n_L^2 d^3) in time, O(n_L^2 d^2) in memory. */
function denseForms({ L }: Dense, n: number, d: number): Omit<Forms, "n_L" | "d"> {
  const rows = once(() => reshape(L, [n, d * d]));
  const products = once(() => reshape(matmul(reshape(L, [n * d, d]), L), [n, n, d, d])); // [j, i] is L_i L_j
  return {
    norms: once(() => sum(mul(L, L), [1, 2])),
    gram: once(() => selfProduct(rows())),
    traces: once(() => sum(diagonal(permute(L, [1, 2, 0])), 0)),
    traceForm: once(() => matmul(rows(), reshape(transpose(L), [n, d * d]), { transB: true })),
    halfSquares: once(() => sum(mul(products(), sub(products(), permute(products(), [1, 0, 2, 3]))), [2, 3])),
    projections: once(() => {
      const swapped = matmul(reshape(products(), [n * n, d * d]), rows(), { transB: true });
      return permute(reshape(swapped, [n, n, n]), [1, 0, 2]);
    }),
  };
}

/**
 * By the blocks A_ij = U_i^T U_j, B_ij = V_i U_j and C_ij = V_i V_j^T, each d_h x d_h, never by d x d matrices:
 *   tr(L_i L_j) = tr(B_ij B_ji)
 *   <L_i, L_j> = tr(A_ij C_ji)
 *   <L_i L_j, L_k> = tr(B_ij^T A_ik C_kj)
 *   <L_i L_j, L_k L_l> = tr(A_ik B_kl C_lj B_ij^T)
 * O(n_L^2 d_h^2 d) for the blocks of all pairs, three products; O(n_L^3 d_h^3) for the rest, which is less where n_L d_h < d.
 */
function lowRankForms({ U, V }: LowRank, n: number, d: number): Omit<Forms, "n_L" | "d"> {
  const h = U.shape[2];
  const N = n * h;
  const U_rows = once(() => reshape(transpose(U), [N, d])); // row (i, a) is column a of U_i
  const V_rows = once(() => reshape(V, [N, d]));
  // [N, N] with block (i, j) in rows (i, .) and columns (j, .)
  const A = once(() => selfProduct(U_rows()));
  const B = once(() => matmul(V_rows(), U_rows(), { transB: true }));
  const C = once(() => selfProduct(V_rows()));

  const asPairs = (X: Tensor, order = [0, 2, 1, 3]): Tensor => permute(reshape(X, [n, h, n, h]), order); // [n, n, h, h]
  const listed = (pairs: Tensor): Tensor => reshape(pairs, [n * n, h, h]);
  const blockSums = (X: Tensor): Tensor => sum(sum(reshape(X, [...X.shape.slice(0, -2), n, h, n, h]), -1), -2);
  return {
    norms: once(() => sum(mul(matmul(U, U, { transA: true }), matmul(V, V, { transB: true })), [1, 2])),
    gram: once(() => blockSums(mul(A(), C()))),
    traces: once(() => sum(reshape(diagonal(B()), [n, h]), 1)),
    traceForm: once(() => blockSums(mul(B(), transpose(B())))),
    halfSquares: once(() => {
      const [A_ij, B_ij, C_ij] = [A(), B(), C()].map((X) => asPairs(X));
      const B_ji = asPairs(B(), [2, 0, 1, 3]);
      const B_C = matmul(reshape(B_ji, [n, N, h]), diagonal(C_ij)); // B_ji C_ii
      const B_C_B = matmul(listed(B_C), listed(B_ji), { transB: true }); // B_ji C_ii B_ji^T
      const squares = mul(reshape(B_C_B, [n, n, h, h]), diagonal(A_ij)); // sums to tr(A_jj B_ji C_ii B_ji^T)
      const A_B = matmul(listed(A_ij), listed(B_ji));
      const B_Ct = matmul(listed(B_ij), listed(C_ij), { transB: true }); // B_ij C_ji
      return sum(sub(squares, reshape(mul(A_B, B_Ct), [n, n, h, h])), [2, 3]);
    }),
    projections: once(() => {
      const B_A = matmul(reshape(B(), [n, h, N]), reshape(A(), [n, h, N]), { transA: true }); // [i], block (j, k) is B_ij^T A_ik
      return blockSums(mul(B_A, C()));
    }),
  };
}
