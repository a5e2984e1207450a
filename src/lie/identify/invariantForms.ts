import { EigenvalueDecomposition, inverse, Matrix, SingularValueDecomposition } from "ml-matrix";

/**
 * The form that matrices leave alone best, L^T G + G L = 0 by least squares, of norm 1: symmetric (of an orthogonal algebra) or alternating (of a
 * symplectic one).
 */
export function invariantForm(matrices: readonly Matrix[], symmetric: boolean): Matrix {
  const k = matrices[0].rows;
  const forms: Matrix[] = [];
  for (let a = 0; a < k; a++)
    for (let b = symmetric ? a : a + 1; b < k; b++) {
      const G = Matrix.zeros(k, k);
      G.set(a, b, 1);
      G.set(b, a, symmetric ? 1 : -1);
      forms.push(G.div(G.norm("frobenius")));
    }
  const changes = new Matrix(forms.map((G) => matrices.flatMap((L) => Matrix.add(L.transpose().mmul(G), G.mmul(L)).to1DArray())));
  const normal = new EigenvalueDecomposition(changes.mmul(changes.transpose()), { assumeSymmetric: true });
  const least = normal.realEigenvalues.indexOf(Math.min(...normal.realEigenvalues));
  const G = Matrix.zeros(k, k);
  normal.eigenvectorMatrix.getColumn(least).forEach((value, at) => G.add(Matrix.mul(forms[at], value)));
  return G;
}

/** Columns in which a symmetric form is diag(-1, ..., -1, 1, ..., 1), p times -1; undefined where its signature is neither that nor the opposite. */
export function orthogonalFrame(G: Matrix, p: number): Matrix | undefined {
  const { eigenvectorMatrix: V, realEigenvalues } = new EigenvalueDecomposition(G, { assumeSymmetric: true });
  const negative = realEigenvalues.filter((value) => value < 0).length;
  const sign = negative === p ? 1 : -1;
  if (sign < 0 && G.rows - negative !== p) return undefined;
  const order = realEigenvalues.map((value, at) => ({ value: sign * value, at })).sort((a, b) => a.value - b.value);
  return new Matrix(order.map(({ value, at }) => V.getColumn(at).map((x) => x / Math.sqrt(Math.abs(value))))).transpose();
}

/** Columns q_1..q_n, p_1..p_n with omega(q_a, p_b) = delta_ab and 0 else, omega(x, y) = x^T A y, by symplectic elimination. */
export function symplecticFrame(A: Matrix): Matrix {
  const k = A.rows;
  let left = Matrix.eye(k).to2DArray();
  const [q, p]: [number[][], number[][]] = [[], []];
  const omega = (x: readonly number[], y: readonly number[]): number =>
    Matrix.rowVector(x as number[]).mmul(A).mmul(Matrix.columnVector(y as number[])).get(0, 0); // biome-ignore format: one product
  while (q.length < k / 2) {
    const images = left.map((x) => left.map((y) => omega(x, y)));
    const sizes = images.map((row) => Math.max(...row.map(Math.abs)));
    const at = sizes.indexOf(Math.max(...sizes));
    const partner = images[at].findIndex((value) => Math.abs(value) === sizes[at]);
    const root = Math.sqrt(sizes[at]);
    const e = left[at].map((value) => value / root);
    const f = left[partner].map((value) => (value * Math.sign(images[at][partner])) / root);
    q.push(e);
    p.push(f);
    left = left
      .filter((_, row) => row !== at && row !== partner)
      .map((x) => {
        const [along, across] = [omega(x, f), omega(x, e)];
        return x.map((value, i) => value - along * e[i] + across * f[i]);
      });
  }
  return new Matrix([...q, ...p]).transpose();
}

/**
 * Columns (Re z, Im z) in which a symmetric form G is diag(1, ..., -1, ...) twice, p times 1, and the alternating form A is G times multiplication by i:
 * those of a unitary algebra, by Gram and Schmidt over the complex numbers. Undefined where the signature is another.
 */
export function unitaryFrame(G: Matrix, A: Matrix, p: number): Matrix | undefined {
  const k = G.rows;
  const J = inverse(G).mmul(A);
  J.mul(Math.sqrt(k / Math.abs(J.mmul(J).trace()))); // J^2 = -1
  const form = (x: Matrix, y: Matrix): number => x.transpose().mmul(G).mmul(y).get(0, 0);
  const [positive, negative]: Matrix[][] = [[], []];
  let left = new EigenvalueDecomposition(G, { assumeSymmetric: true }).eigenvectorMatrix
    .transpose()
    .to2DArray()
    .map((x) => Matrix.columnVector(x));
  for (let at = 0; at < k / 2; at++) {
    const lengths = left.map((x) => form(x, x));
    const best = lengths.reduce((most, length, i) => (Math.abs(length) > Math.abs(lengths[most]) ? i : most), 0);
    const x = Matrix.div(left[best], Math.sqrt(Math.abs(lengths[best])));
    (lengths[best] > 0 ? positive : negative).push(x);
    const pair = [x, J.mmul(x)];
    const sign = Math.sign(lengths[best]);
    left = left.map((y) => pair.reduce((rest, e) => Matrix.sub(rest, Matrix.mul(e, sign * form(e, y))), y));
  }
  if (positive.length !== p && negative.length !== p) return undefined;
  const frame = positive.length === p ? [...positive, ...negative] : [...negative, ...positive]; // the sign of a form is free
  return new Matrix([...frame, ...frame.map((x) => J.mmul(x))].map((x) => x.to1DArray())).transpose();
}

/** Coefficients c with sum_i c_i L_i nearest to M. */
export function nearestCoefficients(matrices: readonly Matrix[], targets: readonly Matrix[]): Matrix {
  const flat = new Matrix(matrices.map((L) => L.to1DArray()));
  const right = new Matrix(targets.map((M) => M.to1DArray()));
  return right.mmul(flat.transpose()).mmul(inverse(flat.mmul(flat.transpose())));
}

/** Orthonormal columns that span the image of A, `rank` of them. */
export const imageOfMatrix = (A: Matrix, rank: number): Matrix =>
  new SingularValueDecomposition(A).leftSingularVectors.subMatrix(0, A.rows - 1, 0, rank - 1);
