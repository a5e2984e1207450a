import { EigenvalueDecomposition, inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { Basis } from "../generators/basis.js";
import { inhomogeneous, pseudoOrthogonal, similarities, symplectic, unitary } from "../generators/classical.js";
import { combination } from "../generators/generator.js";
import { affineAlgebra, gl, sl } from "../generators/groups.js";
import { killingOf, structureOf, transform } from "../generators/structure.js";
import { type Frame, product, sumOf } from "./frame.js";
import { imageOfMatrix, invariantForm, nearestCoefficients, orthogonalFrame, symplecticFrame, unitaryFrame } from "./invariantForms.js";
import { type Proposal, solvableStandard } from "./lowDimensional.js";
import type { Named } from "./naming.js";
import type { Acting } from "./representation.js";
import { adjoint } from "./sampled.js";

/** The basis that textbooks give an algebra, in a span that was found. */
export interface Standard {
  /** The generators. */
  basis: Basis;
  /** Such as "rotation 0 1", "boost 0 1", "translation 2", "scaling". */
  names: readonly string[];
  /** max |f - textbook f|, the greatest of the latter being of order 1. */
  distance: number;
  /** Condition of the change from an orthonormal basis. */
  condition: number;
}

const WORST_CONDITION = 1e3;

/** The standard basis of a named algebra; undefined where none is known, or what was made is not it. */
export function* standardOf(basis: Basis, frame: Frame, named: Named): Pieces<Standard | undefined> {
  if (!frame.matrices || named.name === undefined) return undefined;
  const proposal = yield* proposalOf(frame, named);
  return proposal && verified(basis, frame, proposal);
}

function* proposalOf(frame: Frame, named: Named): Pieces<Proposal | undefined> {
  const name = named.name as string;
  const affine = /^(?:se|aff|sim)\(\d+\)$|^iso\(\d+,\d+\)$/.test(name) ? homogeneous(frame, name) : undefined;
  if (affine) return yield* proposed(affine.model, affine.matrices);
  const matrices = frame.matrices as readonly Matrix[];
  const { ideals } = named;
  if (ideals && ideals.length > 0 && (/^(?:gl|u)\(/.test(name) || (ideals.length > 1 && /^so\([\d,]+\)$/.test(name))))
    return yield* defining(matrices, activeSpace(ideals), name);
  return ideals ? yield* directSumOf(frame, named) : yield* solvableStandard(frame, named);
}

/** Side by side: simple ideals, circles and lines. */
function* directSumOf(frame: Frame, { ideals = [], flows, levi, scalar }: Named): Pieces<Proposal | undefined> {
  const parts: Proposal[] = [];
  for (const acting of ideals) {
    const part = yield* idealBasis(acting);
    if (!part) return undefined;
    parts.push(part);
  }
  const central = levi.center.map((c) => sumOf(c, frame.matrices as readonly Matrix[]));
  if (central.length > 0 && !flows) return undefined;
  const { circles = [], winding = [], lines = [] } = flows ?? {};
  for (const [kind, rows] of [["rotation", circles], [scalar ? "scaling" : "line", [...winding, ...lines]]] as const) // biome-ignore format: two kinds
    for (const [at, row] of rows.entries())
      parts.push({ matrices: [sumOf(row, central)], names: [rows.length > 1 ? `${kind} ${at}` : kind], constants: new Float64Array(1) });
  return sideBySide(parts);
}

function sideBySide(parts: readonly Proposal[]): Proposal {
  const n = parts.reduce((sum, { names }) => sum + names.length, 0);
  const constants = new Float64Array(n ** 3);
  let from = 0;
  for (const part of parts) {
    const m = part.names.length;
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++)
        for (let k = 0; k < m; k++) constants[((i + from) * n + j + from) * n + k + from] = part.constants[(i * m + j) * m + k];
    from += m;
  }
  const numbered = parts.length > 1 && new Set(parts.flatMap(({ names }) => names)).size < n;
  const names = parts.flatMap((part, at) => part.names.map((one) => (numbered ? `${one} of part ${at}` : one)));
  return { matrices: parts.flatMap(({ matrices }) => matrices), names, constants };
}

function* idealBasis(acting: Acting): Pieces<Proposal | undefined> {
  const { ideal, matrices, form, copies } = acting;
  if (!matrices || !form) return undefined;
  const own = constantsOf(matrices);
  if (ideal.dimension === 3 && form.name !== "so(1,2)") return ideal.noncompact === 0 ? rotations(matrices, own) : ladder(matrices, own);
  return copies === 1 && /^(?:so|sl|sp|su)\([\d,]+\)$/.test(form.name)
    ? yield* defining(matrices, activeSpace([acting]), form.name)
    : undefined;
}

/** Structure constants of independent matrices that form an algebra, by least squares. */
function constantsOf(matrices: readonly Matrix[]): Float64Array {
  const brackets = matrices.flatMap((A) => matrices.map((B) => Matrix.sub(A.mmul(B), B.mmul(A))));
  return Float64Array.from(nearestCoefficients(matrices, brackets).to1DArray());
}

/** so(3), in any representation: [e_1, e_2] = e_3 and on, orthonormal under -K / 2. */
function rotations(matrices: readonly Matrix[], f: Float64Array): Proposal {
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(killingOf(f, 3), { assumeSymmetric: true });
  const C = Matrix.diag(realEigenvalues.map((value) => Math.sqrt(2 / Math.abs(value)))).mmul(V.transpose());
  if (transform(f, C, inverse(C))[5] < 0) C.mul(-1); // [e_1, e_2] = -e_3
  const constants = new Float64Array(27);
  for (const [i, j, k] of [
    [0, 1, 2],
    [1, 2, 0],
    [2, 0, 1],
  ]) {
    // biome-ignore format: three brackets
    constants[(i * 3 + j) * 3 + k] = 1;
    constants[(j * 3 + i) * 3 + k] = -1;
  }
  return { matrices: C.to2DArray().map((row) => sumOf(row, matrices)), names: ["rotation 1", "rotation 2", "rotation 3"], constants };
}

/** sl(2), in any representation: H with ad_H of eigenvalues 2, 0, -2, E and F its eigenvectors, [E, F] = H. */
function ladder(matrices: readonly Matrix[], f: Float64Array): Proposal {
  const K = killingOf(f, 3);
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(K, { assumeSymmetric: true });
  const top = realEigenvalues.indexOf(Math.max(...realEigenvalues));
  const h = V.getColumn(top).map((x) => x * Math.sqrt(8 / realEigenvalues[top]));
  const ad = Matrix.zeros(3, 3);
  h.forEach((value, i) => ad.add(Matrix.mul(adjoint(f, 3, i), value)));
  const eigenvector = (value: number): number[] =>
    new SingularValueDecomposition(Matrix.sub(ad, Matrix.eye(3).mul(value))).rightSingularVectors.getColumn(2);
  const [e, g] = [eigenvector(2), eigenvector(-2)];
  // K(E, F) = 4 where [E, F] = H.
  const pairing = Matrix.rowVector(e).mmul(K).mmul(Matrix.columnVector(g)).get(0, 0);
  const scale = Math.sqrt(Math.abs(4 / pairing));
  const rows = [h, e.map((x) => x * scale), g.map((x) => x * scale * Math.sign(pairing))];
  const constants = new Float64Array(27);
  for (const [i, j, k, value] of [
    [0, 1, 1, 2],
    [0, 2, 2, -2],
    [1, 2, 0, 1],
  ]) {
    // biome-ignore format: three brackets
    constants[(i * 3 + j) * 3 + k] = value;
    constants[(j * 3 + i) * 3 + k] = -value;
  }
  return { matrices: rows.map((row) => sumOf(row, matrices)), names: ["H", "E", "F"], constants };
}

/** Orthonormal columns of the vectors that these ideals act on. */
function activeSpace(ideals: readonly Acting[]): Matrix {
  const casimirs = ideals.flatMap(({ casimir }) => casimir ?? []);
  const sum = casimirs.slice(1).reduce((all, casimir) => Matrix.add(all, casimir), casimirs[0]);
  return imageOfMatrix(sum, Math.max(...ideals.map(({ size }) => size)));
}

/** An algebra in its defining representation, on the columns W: the textbook's matrices in coordinates in which the invariant form is the textbook's. */
function* defining(matrices: readonly Matrix[], W: Matrix, name: string): Pieces<Proposal | undefined> {
  const small = matrices.map((L) => W.transpose().mmul(L).mmul(W));
  const model = modelOf(name);
  if (!model || model.d !== W.columns || model.n_L !== matrices.length) return undefined;
  const P = independent(small) ? coordinates(small, name) : undefined;
  if (!P) return undefined;
  yield;
  const back = inverse(P);
  const targets = model.dense().map((E) => P.mmul(E).mmul(back));
  const rows = nearestCoefficients(small, targets).to2DArray();
  return yield* proposed(model, rows.map((row) => sumOf(row, matrices))); // biome-ignore format: one call
}

/** Whether no combination of matrices, each about as large as the others, is lost on a part of the coordinates. */
const independent = (matrices: readonly Matrix[]): boolean =>
  new SingularValueDecomposition(new Matrix(matrices.map((L) => L.to1DArray())), { autoTranspose: true }).condition < WORST_CONDITION;

function modelOf(name: string): Basis | undefined {
  const [, family, first, second] = /^([a-z]+)\((\d+)(?:,(\d+))?\)$/.exec(name) ?? [];
  const [p, q] = [Number(first), Number(second)];
  if (family === "so") return second === undefined ? pseudoOrthogonal(0, p) : pseudoOrthogonal(p, q);
  if (family === "iso") return inhomogeneous(p, q);
  if (family === "se") return inhomogeneous(0, p);
  if (family === "sp") return symplectic(p);
  if (family === "sim") return similarities(p);
  if (family === "sl") return sl(p);
  if (family === "su" || family === "u") return unitary(p, second === undefined ? 0 : q, family === "u");
  if (family === "gl") return gl(p);
  return family === "aff" ? affineAlgebra(p) : undefined;
}

/** Columns P in which the algebra P^-1 L P is the model. */
function coordinates(matrices: readonly Matrix[], name: string): Matrix | undefined {
  const [, family, first, second] = /^([a-z]+)\((\d+)(?:,(\d+))?\)$/.exec(name) ?? [];
  const k = matrices[0].rows;
  if (["sl", "gl", "aff"].includes(family)) return Matrix.eye(k);
  if (family === "sp") return symplecticFrame(invariantForm(matrices, false));
  if (family === "su" || family === "u") return unitaryFrame(invariantForm(matrices, true), invariantForm(matrices, false), Number(first));
  const traceless = matrices.map((L) => Matrix.sub(L, Matrix.eye(k).mul(L.trace() / k)));
  return orthogonalFrame(invariantForm(traceless, true), second === undefined ? 0 : Number(first));
}

/** h x| R^k on homogeneous coordinates: all matrices have one covector in their left kernel. */
function homogeneous({ matrices = [], n }: Frame, name: string): { model: Basis; matrices: Matrix[] } | undefined {
  const model = modelOf(name) as Basis;
  const d = matrices[0].rows;
  if (model.d !== d || model.n_L !== n) return undefined;
  const stacked = new Matrix(matrices[0].to2DArray().map((_, row) => matrices.flatMap((L) => L.getRow(row))));
  const U = new SingularValueDecomposition(stacked, { autoTranspose: true }).leftSingularVectors;
  const W = U.subMatrix(0, d - 1, 0, d - 2);
  const linear = matrices.map((L) => W.transpose().mmul(L).mmul(W));
  const P = coordinates(linear, name);
  if (!P) return undefined;
  const T = Matrix.zeros(d, d);
  T.setSubMatrix(W.mmul(P), 0, 0);
  T.setSubMatrix(U.getColumnVector(d - 1), 0, d - 1);
  const back = inverse(T);
  return { model, matrices: model.dense().map((E) => T.mmul(E).mmul(back)) };
}

function* proposed(model: Basis, matrices: Matrix[]): Pieces<Proposal> {
  const { f } = yield* structureOf(model);
  return { matrices, names: [...model.names], constants: Float64Array.from(f.flat(2)) };
}

/** The proposal within the span, if its structure constants are what they have to be. */
function verified(basis: Basis, frame: Frame, { matrices, names, constants }: Proposal): Standard | undefined {
  const own = frame.matrices as readonly Matrix[];
  if (matrices.length !== frame.n || matrices.some((M) => M.to1DArray().some((value) => !Number.isFinite(value)))) return undefined;
  const R = new Matrix(matrices.map((M) => own.map((L) => product(L, M))));
  const condition = new SingularValueDecomposition(R).condition;
  if (!(condition < WORST_CONDITION)) return undefined;
  const f = transform(frame.algebra.f, R, inverse(R));
  const distance = f.reduce((most, value, at) => Math.max(most, Math.abs(value - constants[at])), 0);
  if (!(distance <= Math.min(0.3, 1e-6 + 100 * frame.uncertainty * condition))) return undefined;
  const rows = R.mmul(frame.coefficients).to2DArray();
  return { basis: new Basis(rows.map((row) => combination(basis.generators, row)), names), names, distance, condition }; // biome-ignore format: one line
}
