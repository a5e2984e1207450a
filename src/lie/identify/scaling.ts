import { inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import { product } from "./frame.js";
import { type Acting, TRIVIAL } from "./representation.js";

/** By how many times its error a matrix may differ from a multiple of the identity. */
const MARGIN = 10;
const ROUNDING = 1e-6;

/** Whether a matrix, with an error of this norm, is c 1, or c times the projector on what the ideals act on, along what they do not. */
export function isScaling(Z: Matrix, ideals: readonly Acting[], error: number): boolean {
  const active = ideals.length > 0 ? activeProjector(ideals) : undefined;
  return [Matrix.eye(Z.rows), ...(active ? [active] : [])].some((one) => {
    const left = Matrix.sub(Z, Matrix.mul(one, Z.trace() / one.trace())).norm("frobenius");
    const skew = product(one, one) / one.trace(); // 1 for an orthogonal projector
    return left <= (ROUNDING + MARGIN * error) * skew;
  });
}

/** The projector whose image and kernel are those of the sum of the Casimir operators, which commutes with all ideals. */
function activeProjector(ideals: readonly Acting[]): Matrix | undefined {
  const casimirs = ideals.flatMap(({ casimir }) => casimir ?? []);
  if (casimirs.length === 0) return undefined;
  const sum = casimirs.reduce((all, casimir) => Matrix.add(all, casimir));
  const { leftSingularVectors: U, rightSingularVectors: V, diagonal } = new SingularValueDecomposition(sum);
  const rank = diagonal.filter((value) => value > TRIVIAL).length;
  if (rank === 0 || rank === sum.rows) return undefined; // nothing, or all: the identity
  const [W, R] = [U, V].map((M) => M.subMatrix(0, sum.rows - 1, 0, rank - 1));
  const overlap = R.transpose().mmul(W);
  if (!(new SingularValueDecomposition(overlap).condition < 1e6)) return undefined;
  return W.mmul(inverse(overlap)).mmul(R.transpose());
}
