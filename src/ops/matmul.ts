import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype, checkFusable, sameDevice } from "./check.js";
import type { Fn } from "./elementwise.js";
import { sum } from "./reduce.js";

/** Which factors are transposed. */
export interface MatmulOptions {
  /** Transposes the last two axes of a. Default false. */
  transA?: boolean;
  /** Transposes the last two axes of b. Default false. */
  transB?: boolean;
}

/** Rows, columns and batch of a factor as it is stored. */
function stored(name: string, t: Tensor): { rows: number; cols: number; batch: number | undefined } {
  checkDtype("matmul", name, t);
  check(
    t.rank === 2 || t.rank === 3,
    "ERR_LCONV_SHAPE",
    () => `matmul: ${name} must be a matrix or a batch [B, rows, cols] of them, got ${showShape(t.shape)}`,
  );
  const [rows, cols] = t.shape.slice(-2);
  return { rows, cols, batch: t.rank === 3 ? t.shape[0] : undefined };
}

/**
 * op(a) op(b), where op is the transpose if `transA` or `transB` is set. Factors are matrices or batches [B, rows, cols] of one size B; a
 * matrix beside a batch is used for every member. Throws ERR_LCONV_SHAPE.
 */
export function matmul(a: Tensor, b: Tensor, { transA = false, transB = false }: MatmulOptions = {}): Tensor {
  const left = stored("a", a);
  const right = stored("b", b);
  const [M, K] = transA ? [left.cols, left.rows] : [left.rows, left.cols];
  const [inner, N] = transB ? [right.cols, right.rows] : [right.rows, right.cols];
  const batch = left.batch ?? right.batch;
  const agree = K === inner && (left.batch === undefined || right.batch === undefined || left.batch === right.batch);
  const showT = (t: Tensor, trans: boolean) => `${showShape(t.shape)}${trans ? " transposed" : ""}`;
  check(agree, "ERR_LCONV_SHAPE", () => `matmul: ${showT(a, transA)} times ${showT(b, transB)} does not fit`);
  const device = sameDevice("matmul", a, b);
  const c = Tensor.empty(device, batch === undefined ? [M, N] : [batch, M, N]);
  const sizes = {
    batch: batch ?? 1,
    M,
    N,
    K,
    transA,
    transB,
    strideA: left.batch === undefined ? 0 : M * K,
    strideB: right.batch === undefined ? 0 : K * N,
  };
  commands.gemm(device, sizes, a, b, c);
  return attach("matmul", [a, b], c, (dc) => [
    a.tracked ? shrink(a, transA ? matmul(b, dc, { transA: transB, transB: true }) : matmul(dc, b, { transB: !transB })) : undefined,
    b.tracked ? shrink(b, transB ? matmul(dc, a, { transA: true, transB: transA }) : matmul(a, dc, { transA: !transA })) : undefined,
  ]);
}

/** A matrix that served a whole batch gets the sum of the batch's gradients. */
const shrink = (factor: Tensor, grad: Tensor): Tensor => (factor.rank === 2 && grad.rank === 3 ? sum(grad, 0) : grad);

/**
 * f(x W + b): x [B, n_in], W [n_in, n_out], b [n_out] -> [B, n_out]; bias and activation are applied in the kernel of the product. f must
 * be one whose derivative follows from its value (linear, relu, leakyRelu, tanh, sigmoid). Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT for
 * another f.
 */
export function linear(x: Tensor, W: Tensor, b?: Tensor, fn?: Fn): Tensor {
  checkDtype("linear", "x", x);
  checkDtype("linear", "W", W);
  if (b) checkDtype("linear", "b", b);
  checkFusable("linear", fn);
  check(
    x.rank === 2 && W.rank === 2 && x.shape[1] === W.shape[0],
    "ERR_LCONV_SHAPE",
    () => `linear: x ${showShape(x.shape)} does not fit W ${showShape(W.shape)}; x must be [B, ${W.shape[0]}]`,
  );
  check(
    !b || (b.rank === 1 && b.shape[0] === W.shape[1]),
    "ERR_LCONV_SHAPE",
    () => `linear: b must be [${W.shape[1]}] for W ${showShape(W.shape)}, got ${showShape(b?.shape ?? [])}`,
  );
  const device = sameDevice("linear", x, W, b);
  const [B, n_in] = x.shape;
  const n_out = W.shape[1];
  const y = Tensor.empty(device, [B, n_out]);
  commands.gemm(device, { M: B, N: n_out, K: n_in, bias: b && { axis: "column", values: b }, fn }, x, W, y);
  return attach("linear", b ? [x, W, b] : [x, W], y, (dy) => {
    const g = fn && fn.name !== "linear" ? Tensor.empty(device, y.shape) : dy;
    if (g !== dy && fn) commands.unaryGrad(device, fn, y.size, y, y, dy, g);
    const dx = x.tracked ? matmul(g, W, { transB: true }) : undefined;
    const dW = W.tracked ? matmul(x, g, { transA: true }) : undefined;
    return [dx, dW, b?.tracked ? sum(g, 0) : undefined];
  });
}
