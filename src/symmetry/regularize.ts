import { noGrad } from "../autograd/autograd.js";
import { check, checkOptions } from "../errors.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { scale, sqrt } from "../ops/elementwise.js";
import { type Generators, parametersOf } from "../ops/generators.js";
import { matmul } from "../ops/matmul.js";
import { sum } from "../ops/reduce.js";
import { concat, diagonal, onDiagonal, permute, reshape, slice } from "../ops/shape.js";
import { ones, type Tensor, zeros } from "../tensor/tensor.js";
import { type Forms, formsOf, once } from "./forms.js";

/** Names of the regularisers. */
export const regularizerNames = ["closure", "killing", "orthogonality", "norm"] as const;
/** One of `regularizerNames`. */
export type RegularizerName = (typeof regularizerNames)[number];
/** Weights of the regularisers by name, from 0 on; what is omitted or 0 is off. */
export type Regularize = { readonly [K in RegularizerName]?: number };

/** Added to |L_i|_F^2 before it is divided by, so that a generator of zeros has finite gradients: norms far below 1e-6 count as zero. */
const FLOOR = 1e-12;

/** Doublings of the steps that find f; see `inverse`. */
const DOUBLINGS = 12;

/** <L_i, L_j>: [n_L, n_L], with gradients. Throws ERR_LCONV_ARGUMENT for sparse generators, ERR_LCONV_SHAPE. */
export const gramOf = (g: Generators): Tensor => formsOf("gramOf", g).gram();

/** tr(L_i L_j): [n_L, n_L], with gradients; -2 delta_ij for the standard basis of so(3). Throws as `gramOf` does. */
export const traceFormOf = (g: Generators): Tensor => formsOf("traceFormOf", g).traceForm();

/**
 * K_ij = tr(L_i L_j) - tr(L_i) tr(L_j) / d: [n_L, n_L], with gradients; the Killing form of gl(d) over 2 d, on the span of the L_i. Throws
 * as `gramOf` does.
 */
export const killingOf = (g: Generators): Tensor => killingForm(formsOf("killingOf", g));

function killingForm(forms: Forms): Tensor {
  const traces = forms.traces();
  return sub(forms.traceForm(), scale(mul(reshape(traces, [-1, 1]), traces), 1 / forms.d));
}

/**
 * How far L_1..L_n_L are from a well chosen basis of a Lie algebra, one number each, with gradients for U and V, or L. The paper (section
 * 3, "Learning the L_i") requires generators that are closed under commutation and orthogonal under the Killing form, without formulas;
 * these are ours. With L^_i = L_i / |L_i|_F, and so independent of the sizes:
 *
 * - closure: 1 / n_L^2 sum_ij min_f |[L^_i, L^_j] - sum_k f_ij^k L^_k|_F^2, from 0 to 2; 0 for an algebra, and if all commute
 * - killing: 1 / n_L^2 sum_{i != j} K_ij^2 with K = killingOf(L^)
 * - orthogonality: 1 / n_L^2 sum_{i != j} <L^_i, L^_j>^2
 *
 * and of the sizes alone:
 *
 * - norm: 1 / n_L sum_i (|L_i|_F^2 / d - 1)^2
 *
 * `closure` can fall because commutators become combinations of the L^_k, or because they become small; lie.structure distinguishes the
 * two. Linear in d, quadratic in n_L and in d_h as long as n_L d_h is well below d; dense generators cost O(n_L^2 d^3).
 * Each throws ERR_LCONV_ARGUMENT for sparse or frozen generators, which nothing can improve, and ERR_LCONV_SHAPE.
 */
export const regularizers: { readonly [K in RegularizerName]: (g: Generators) => Tensor } = {
  closure: (g) => regularization(g, { closure: 1 }),
  killing: (g) => regularization(g, { killing: 1 }),
  orthogonality: (g) => regularization(g, { orthogonality: 1 }),
  norm: (g) => regularization(g, { norm: 1 }),
};

/**
 * sum_r weights[r] `regularizers[r]`(g) for each r in weights, one number; what they have in common is computed once. Throws as they do,
 * ERR_LCONV_OPTION for unknown names, and ERR_LCONV_ARGUMENT for weights that are not finite or below 0.
 */
export function regularization(g: Generators, weights: Regularize): Tensor {
  const active = activeWeights("regularization", weights);
  check(
    isTrained(g),
    "ERR_LCONV_ARGUMENT",
    () =>
      `regularization: these generators are ${g.form === "sparse" ? "sparse and fixed" : "frozen"}; only trained ones can be regularised`,
  );
  const forms = formsOf("regularization", g);
  const wholeGram = "closure" in active || "orthogonality" in active; // its diagonal is then at hand
  const norms = once(() => (wholeGram ? diagonal(forms.gram()) : forms.norms()));
  const parts: Parts = { forms, norms, unit: once(() => unitForms(forms, norms())) };
  const penalties = Object.entries(active).map(([name, weight]) => terms[name as RegularizerName](parts, weight));
  return penalties.length > 0 ? penalties.reduce((total, part) => add(total, part)) : zeros([], { device: parametersOf(g)[0].device });
}

/** Whether any part of `g` gets a gradient. */
export const isTrained = (g: Generators): boolean => parametersOf(g).some((t) => t.tracked);

/** The weights above 0, in the order of `regularizerNames`. Throws ERR_LCONV_OPTION for unknown names, ERR_LCONV_ARGUMENT for weights that are not finite or below 0. */
export function activeWeights(where: string, weights: Regularize): Regularize {
  checkOptions(where, weights, regularizers);
  for (const [name, weight] of Object.entries(weights))
    check(
      Number.isFinite(weight) && weight >= 0,
      "ERR_LCONV_ARGUMENT",
      () => `${where}: the weight of ${name} must be a finite number from 0 on, got ${String(weight)}`,
    );
  return Object.fromEntries(regularizerNames.flatMap((name) => (weights[name] ? [[name, weights[name]]] : [])));
}

interface Parts {
  forms: Forms;
  /** |L_i|_F^2: [n_L] */
  norms(): Tensor;
  unit(): UnitForms;
}

/** Forms of the L^_i. */
interface UnitForms {
  n_L: number;
  gram(): Tensor;
  killing(): Tensor;
  halfSquares(): Tensor;
  projections(): Tensor;
}

function unitForms(forms: Forms, norms: Tensor): UnitForms {
  const s = div(1, sqrt(add(norms, FLOOR)));
  const ss = mul(reshape(s, [-1, 1]), s); // 1 / (|L_i| |L_j|)
  return {
    n_L: forms.n_L,
    gram: once(() => mul(forms.gram(), ss)),
    killing: () => mul(killingForm(forms), ss),
    halfSquares: () => mul(forms.halfSquares(), mul(ss, ss)),
    projections: () => mul(mul(forms.projections(), reshape(ss, [...ss.shape, 1])), s),
  };
}

/** weight times each regulariser */
const terms: { readonly [K in RegularizerName]: (parts: Parts, weight: number) => Tensor } = {
  closure: ({ unit }, weight) => scale(openness(unit()), weight / unit().n_L ** 2),
  killing: ({ unit }, weight) => scale(betweenPairs(unit().killing()), weight / unit().n_L ** 2),
  orthogonality: ({ unit }, weight) => scale(betweenPairs(unit().gram()), weight / unit().n_L ** 2),
  norm: ({ forms: { n_L, d }, norms }, weight) => {
    const excess = sub(scale(norms(), 1 / d), 1);
    return scale(sum(mul(excess, excess)), weight / n_L);
  },
};

/** sum_{i != j} M_ij^2 */
function betweenPairs(M: Tensor): Tensor {
  const off = sub(M, onDiagonal(diagonal(M)));
  return sum(mul(off, off));
}

/**
 * sum_ij (|C_ij|^2 - 2 f_ij . r_ij + f_ij^T G f_ij) with C_ij = [L^_i, L^_j] and r_ij^k = <C_ij, L^_k> = p_ij^k - p_ji^k: what these f leave of the
 * C_ij, so never below the least. At the best f the derivative by f is 0, so f counts as a constant and its own gradient is not needed. As r and
 * f change sign with i <-> j, sum_ij f_ij . r_ij = 2 sum_ij f_ij . p_ij.
 */
function openness(unit: UnitForms): Tensor {
  const [G, p] = [unit.gram(), unit.projections()];
  const { f, ff } = noGrad(() => {
    const r = sub(p, permute(p, [1, 0, 2]));
    const f = matmul(reshape(r, [-1, unit.n_L]), inverse(G));
    return { f: reshape(f, p.shape), ff: matmul(f, f, { transA: true }) };
  });
  const squares = scale(sum(unit.halfSquares()), 2);
  return add(sub(squares, scale(sum(mul(f, p)), 4)), sum(mul(ff, G)));
}

/**
 * G^-1 for a Gram matrix with ones on its diagonal, as far as it can be told from rounding. X_{k + 1} = X_k (2 I - G X_k) from X_0 = I / n
 * (Newton-Schulz; the eigenvalues of G lie between 0 and n) is sum_{j < 2^k} R^j / n with R = I - G / n: 2^k steps of gradient descent on
 * |C - sum_k f^k L^_k|^2 from f = 0. The sum is a corner of the power [[I, I], [0, R]]^(2^k), so k squarings do it, with nothing that could diverge.
 *
 * An eigenvalue lambda of G is inverted but for (1 - lambda / n)^(2^k) of it, whose square counts in the closure. With k = 12 that is below
 * rounding for lambda above n / 500; a direction of the span with lambda far below n / 4096 counts as absent, such as the one between two generators
 * at an angle under 2 degrees. It has to: its inverse would be made of rounding, which so is amplified 4096 times at most.
 */
function inverse(G: Tensor): Tensor {
  const { device, shape } = G;
  const n = shape[0];
  const I = onDiagonal(ones([n], { device }));
  const R = sub(I, scale(G, 1 / n));
  let power = concat([concat([I, I], 1), concat([zeros(shape, { device }), R], 1)]);
  for (let k = 0; k < DOUBLINGS; k++) power = matmul(power, power);
  return scale(slice(power, [0, n], shape), 1 / n);
}
