import { Matrix, solve } from "ml-matrix";
import { rotate } from "../../data/rotate.js";
import { breathe, breathing } from "../../engine/breathe.js";
import { type Device, device as deviceOf } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import { checkInteger, checkOptions } from "../../errors.js";
import { regressing } from "../../lie/regression/regression.js";
import { matmul } from "../../ops/matmul.js";
import { scope } from "../../tensor/scope.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";

// The authors' control for their rotation experiment fits y = R x by linear regression on (X - 127.5) / 255, although their images lie in
// [-0.5, 0.5] already: X becomes -0.5 +- 0.002, nearly of rank one, and float32 loses R. Centring brings it back.

export interface ScalingOptions {
  /** Images are side x side. Default 7. */
  side?: number;
  samples?: number;
  degrees?: number;
  seed?: number;
  device?: Device;
  signal?: AbortSignal;
}

export interface ScalingRow {
  scaling: "none" | "(X - 127.5) / 255";
  centered: boolean;
  /** Of the products Y X^T and X X^T; the data are rounded to float32 in every row, and the solution is computed in float64. */
  products: "float32" | "float64";
  /** Of H, in float64. */
  condition: number;
  /** max |R found - R| */
  error: number;
}

/** Recovers the rotation matrix R of images (bilinear) from pairs y = R x in each way. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT, and the reason of `signal`. */
export async function regressionScaling(options: ScalingOptions = {}): Promise<ScalingRow[]> {
  checkOptions("regressionScaling", options, { side: 1, samples: 1, degrees: 1, seed: 1, device: 1, signal: 1 });
  const { side = 7, samples = 20_000, degrees = 18, seed = 0, device = deviceOf(), signal } = options;
  checkInteger("regressionScaling", "side", side, 2, 32);
  checkInteger("regressionScaling", "samples", samples, 2 * side ** 2);
  const R = rotationMatrix(side, degrees, device.threads);
  const uniform = new Philox(seed, streams.user).uniform(side ** 2 * samples);
  const X = Matrix.from1DArray(
    side ** 2,
    samples,
    uniform.map((u) => u - 0.5),
  );
  await breathe(signal);
  const Y = R.mmul(X);
  const rows: ScalingRow[] = [];
  for (const scaling of ["none", "(X - 127.5) / 255"] as const) {
    await breathe(signal);
    const [x, y] = [X, Y].map((M) => float32(M, (value) => (scaling === "none" ? value : (value - 127.5) / 255)));
    for (const centered of [false, true]) {
      const exact = await breathing(regressing(x, y, { center: centered }), signal);
      await breathe(signal);
      const row = { scaling, centered, condition: exact.covariance.condition };
      rows.push({ ...row, products: "float32", error: greatest(Matrix.sub(float32Regression(x, y, centered, device), R)) });
      rows.push({ ...row, products: "float64", error: greatest(Matrix.sub(exact.regression(), R)) });
    }
  }
  return rows;
}

/** R [d, d]: column nu is the rotated image that is 1 at nu. Its rows sum to 1, so that y = R x holds for shifted pixels, too. */
function rotationMatrix(side: number, degrees: number, threads: number): Matrix {
  const d = side ** 2;
  const images = Float32Array.from(Matrix.eye(d).to1DArray());
  rotate(images, side, side, new Float64Array(d).fill(degrees), { order: 1, threads });
  return Matrix.from1DArray(d, d, images).transpose();
}

const float32 = (M: Matrix, f: (value: number) => number): Matrix =>
  Matrix.from1DArray(
    M.rows,
    M.columns,
    M.to1DArray().map((value) => Math.fround(f(value))),
  );

/** Y X^T (X X^T)^-1 with both products in float32 on the device. */
function float32Regression(X: Matrix, Y: Matrix, centered: boolean, device: Device): Matrix {
  const [x, y] = [X, Y].map((M) => (centered ? M.clone().subColumnVector(M.mean("row")) : M));
  return scope(() => {
    const upload = (M: Matrix): Tensor => tensor(Float32Array.from(M.to1DArray()), { shape: [M.rows, M.columns], device });
    const [a, b] = [upload(x), upload(y)];
    const product = (left: Tensor): Matrix => {
      const result = matmul(left, a, { transB: true });
      return Matrix.from1DArray(result.shape[0], result.shape[1], [...(result.dataSync() as Float32Array)]);
    };
    return solve(product(a).transpose(), product(b).transpose()).transpose();
  });
}

const greatest = (M: Matrix): number => M.to1DArray().reduce((most, value) => Math.max(most, Math.abs(value)), 0);
