import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { inOneGo, inPieces, type Pieces } from "../../engine/breathe.js";
import { check } from "../../errors.js";
import { apply, checkDenseFits, dense, elementwise, type Generator, inner, type LowRankGenerator, toDense } from "./generator.js";

/** Below this share of the largest eigenvalue of the normed Gram matrix, generators count as linearly dependent. */
const DEPENDENT = 1e-10;

/**
 * Infinitesimal generators L_1..L_n_L that act on the same d positions: a basis of a Lie algebra, or matrices that may become one. Layers
 * take it as their `generators`: frozen, or as the start of training.
 */
export class Basis {
  /** Positions that the generators act on. */
  readonly d: number;
  /** L_1..L_n_L. */
  readonly generators: readonly Generator[];
  /** Names of the generators, for messages and reports. Default L1, L2, ... */
  readonly names: readonly string[];

  /** Throws ERR_LCONV_ARGUMENT for no generators or too few names, ERR_LCONV_SHAPE for different sizes. */
  constructor(generators: readonly Generator[], names?: readonly string[]) {
    check(generators.length > 0, "ERR_LCONV_ARGUMENT", () => "Basis: needs at least one generator, got none");
    const { d } = generators[0];
    generators.forEach((g, i) => {
      check(g.d === d, "ERR_LCONV_SHAPE", () => `Basis: generator ${i} acts on ${g.d} positions, generator 0 on ${d}`);
    });
    check(
      names === undefined || names.length === generators.length,
      "ERR_LCONV_ARGUMENT",
      () => `Basis: ${generators.length} generators need as many names, got ${names?.length}`,
    );
    this.d = d;
    this.generators = generators;
    this.names = names ?? generators.map((_, i) => `L${i + 1}`);
  }

  /** Number of generators. */
  get n_L(): number {
    return this.generators.length;
  }

  /**
   * G[i, j] = <L_i, L_j> = tr(L_i^T L_j); with `data` [d, N] it is <L_i X, L_j X> / N, by their action on these vectors alone. [n_L, n_L].
   * Throws ERR_LCONV_SHAPE for data of another d.
   */
  gram(data?: Matrix): Matrix {
    return crossGram(this, this, data);
  }

  /** The L_i as d x d matrices. Throws ERR_LCONV_ARGUMENT if they do not fit in memory. */
  dense(): Matrix[] {
    checkDenseFits("Basis.dense", this.d, this.n_L);
    return this.generators.map(toDense);
  }

  /**
   * Throws ERR_LCONV_ARGUMENT if a generator is zero (on `data`, if given) or a combination of others. `where` begins the message, `G` is
   * the Gram matrix.
   */
  checkIndependent(where: string, data?: Matrix, G: Matrix = this.gram(data)): void {
    const norms = G.diagonal().map(Math.sqrt);
    const zero = norms.indexOf(0);
    const here = data ? " on these data" : "";
    check(zero < 0, "ERR_LCONV_ARGUMENT", () => `${where}: generator ${zero} (${this.names[zero]}) is zero${here}; leave it out`);
    const normed = Matrix.zeros(this.n_L, this.n_L);
    for (let i = 0; i < this.n_L; i++) for (let j = 0; j < this.n_L; j++) normed.set(i, j, G.get(i, j) / (norms[i] * norms[j]));
    const values = new EigenvalueDecomposition(normed, { assumeSymmetric: true }).realEigenvalues;
    const rank = values.filter((value) => value > DEPENDENT * Math.max(...values)).length;
    check(
      rank === this.n_L,
      "ERR_LCONV_ARGUMENT",
      () => `${where}: the ${this.n_L} generators span only ${rank} dimensions${here}; pass an independent basis (lie.canonical makes one)`,
    );
  }
}

/** G[i, j] = <A_i, B_j> over all vectors, or <A_i X, B_j X> / N with `data` [d, N]; [n_a, n_b]. Throws ERR_LCONV_SHAPE. */
export const crossGram = (a: Basis, b: Basis, data?: Matrix): Matrix => inOneGo(innerProducts(a, b, data));

/** The same in pieces. */
export function* innerProducts(a: Basis, b: Basis, data?: Matrix): Pieces<Matrix> {
  check(a.d === b.d, "ERR_LCONV_SHAPE", () => `Basis: one acts on ${a.d} positions, the other on ${b.d}`);
  const images = (basis: Basis): Pieces<Matrix[]> => inPieces(data ? basis.generators : [], (g) => apply(g, data as Matrix));
  const A = yield* images(a);
  const B = b === a ? A : yield* images(b);
  const G = Matrix.zeros(a.n_L, b.n_L);
  for (let i = 0; i < a.n_L; i++) {
    for (let j = 0; j < b.n_L; j++) G.set(i, j, data ? elementwise(A[i], B[j]) / data.columns : inner(a.generators[i], b.generators[j]));
    yield;
  }
  return G;
}

/** A basis of d x d matrices as nested lists or ml-matrix matrices. Throws as `dense` and `Basis` do. */
export const denseBasis = (matrices: readonly (Matrix | readonly (readonly number[])[])[], names?: readonly string[]): Basis =>
  new Basis(matrices.map(dense), names);

/** Low-rank generators as one array each, U [n_L, d, d_h] and V [n_L, d_h, d], filled up with zeros to the greatest rank d_h. */
export function packLowRank(generators: readonly LowRankGenerator[], d: number): { U: Float64Array; V: Float64Array; d_h: number } {
  const d_h = Math.max(...generators.map(({ U }) => U.columns));
  const [U, V] = [new Float64Array(generators.length * d * d_h), new Float64Array(generators.length * d_h * d)];
  generators.forEach((g, i) => {
    for (let h = 0; h < g.V.rows; h++) {
      for (let mu = 0; mu < d; mu++) {
        U[(i * d + mu) * d_h + h] = g.U.get(mu, h);
        V[(i * d_h + h) * d + mu] = g.V.get(h, mu);
      }
    }
  });
  return { U, V, d_h };
}
