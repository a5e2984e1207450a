import { gradients } from "../autograd/autograd.js";
import { check, LconvError, showShape } from "../errors.js";
import { sum } from "../ops/reduce.js";
import { reshape, slice } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { checkSame, type Model, outputOf } from "./lieDerivative.js";

/** f(x) [N, k] of samples x [N, m, d] and its gradients [k][N, m, d], on the host. */
export interface Differentiated {
  y: ArrayLike<number>;
  J: readonly ArrayLike<number>[];
  k: number;
}

/** Throws as extractSymmetries does for a model that cannot be examined. */
export function differentiate(model: Model, given: Tensor): Differentiated {
  return scope(() => {
    const [N] = given.shape;
    const x = keep(tensor(given.dataSync() as Float32Array, { shape: given.shape, device: given.device, requiresGrad: true }));
    try {
      const { y, values } = outputOf("extractSymmetries", model, x, 0);
      check(y.size > 0, "ERR_LCONV_SHAPE", () => `extractSymmetries: the model's output is empty, ${showShape(y.shape)}`);
      const k = y.size / N;
      checkSame("extractSymmetries", values, outputOf("extractSymmetries", model, x, 0).values);
      const flat = reshape(y, [N, k]);
      const J = Array.from({ length: k }, (_, a) => gradients(sum(slice(flat, [0, a], [N, 1])), [x])[0].dataSync());
      checkGradients(J);
      return { y: values, J, k };
    } finally {
      x.dispose();
    }
  });
}

function checkGradients(J: readonly ArrayLike<number>[]): void {
  const sizes = J.map((values) => {
    let total = 0;
    for (let k = 0; k < values.length; k++) total += values[k] ** 2;
    return total;
  });
  const bad = sizes.findIndex((size) => !Number.isFinite(size));
  if (bad >= 0) throw new LconvError("ERR_LCONV_NONFINITE", `extractSymmetries: the gradient of output ${bad} of f is not finite`);
  check(
    sizes.some((size) => size > 0),
    "ERR_LCONV_ARGUMENT",
    () => "extractSymmetries: the gradient of f is zero throughout: f does not depend on x, so every direction is a symmetry",
  );
}
