import { inverse, Matrix } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { exp } from "../../lie/functions/exponential.js";
import { dense } from "../../lie/generators/generator.js";
import { regressionSymmetries } from "../../lie/regression/regression.js";
import { atLeast, atMost, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

const [D, C, N] = [10, 3, 2000];

/**
 * Y = R X with correlated X: for an element (u, u_c) = exp t (L, L_c) of the group that keeps H = X X^T / n and Y X^T, the fit to the transformed
 * data is R again, and R u = u_c R (Theorem 1); the L are H^1/2 A H^-1/2 with antisymmetric A, d (d - 1) / 2 of them (Corollary 1).
 */
export function theorem1(_: Setting): Verdict {
  const random = new Philox(11, streams.user);
  const normal = (rows: number, columns: number): Matrix => Matrix.from1DArray(rows, columns, random.normal(rows * columns));
  const X = normal(D, D).mmul(normal(D, N));
  const Y = normal(C, D).mmul(X);
  const found = regressionSymmetries(X, Y, { center: false });
  const { L, L_c } = found.pair(antisymmetric(normal(D, D)));
  const [u, uC] = [exp(L), exp(dense(L_c))];
  const H = X.mmul(X.transpose()).mul(1 / N);
  const R = fit(X, Y);
  const differ = (A: Matrix, B: Matrix): number => relativeError(A.to1DArray(), B.to1DArray());
  const moved = exp(dense(antisymmetric(normal(D, D)))); // a rotation that H does not ask for
  return verdict(
    "theorem1",
    "Linear regression is equivariant under the group that keeps H and Y X^T; the part that keeps H is SO(d) seen through H^1/2.",
    [
      atMost("|u H u^T - H| / |H|", differ(u.mmul(H).mmul(u.transpose()), H), 1e-5),
      atMost("|u_c Y X^T u^T - Y X^T| / |Y X^T|", differ(uC.mmul(Y).mmul(X.transpose()).mmul(u.transpose()), Y.mmul(X.transpose())), 1e-5),
      atMost("|u_c R - R u| / |R|", differ(uC.mmul(R), R.mmul(u)), 1e-5),
      atMost("the fit to (u X, u_c Y) against R", differ(fit(u.mmul(X), uC.mmul(Y)), R), 1e-5),
      atLeast("|u - I|: u is not the identity", Matrix.sub(u, Matrix.eye(D)).norm(), 1),
      atMost("d (d - 1) / 2 less the dimension found", Math.abs((D * (D - 1)) / 2 - found.unsupervised.dimension), 0),
      atLeast(
        "a rotation from outside the group, as a control: |u H u^T - H| / |H|",
        differ(moved.mmul(H).mmul(moved.transpose()), H),
        0.1,
      ),
    ],
  );
}

const antisymmetric = (A: Matrix): Matrix => Matrix.sub(A, A.transpose()).mul(0.5);

/** Y X^T (X X^T)^-1 */
const fit = (X: Matrix, Y: Matrix): Matrix => Y.mmul(X.transpose()).mmul(inverse(X.mmul(X.transpose())));
