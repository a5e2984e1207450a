import type { Device, Ref } from "./device.js";
import { native } from "./native.js";

// One function per native operation: names for the attributes, in the order of `bind` in native/ops.

/** An elementwise function by its name in native/ops/elementwise.h, and its parameter (leakyRelu's slope, scale's factor). */
export interface Fn {
  /** Its name. */
  name: string;
  /** The slope of leakyRelu, or the factor of scale. Default 0. */
  parameter?: number;
}
const fnAttributes = (fn: Fn | undefined): [number, number] => [native().functions[fn?.name ?? "linear"], fn?.parameter ?? 0];

/** Whether a function can be fused behind a product: its derivative needs the result alone. */
export const fusable = (name: string): boolean => Object.hasOwn(native().activations, name);
const flag = (on: boolean | undefined): number => (on ? 1 : 0);

export const fill = (d: Device, n: number, value: number, y: Ref): void => d.execute("fill", [n, value], [y]);
export const unary = (d: Device, fn: Fn, n: number, x: Ref, y: Ref): void => d.execute("unary", [...fnAttributes(fn), n], [x, y]);
export const unaryGrad = (d: Device, fn: Fn, n: number, x: Ref, y: Ref, dy: Ref, dx: Ref): void =>
  d.execute("unaryGrad", [...fnAttributes(fn), n], [x, y, dy, dx]);

/** y = x / scale - shift for n pixels; as `bytes` four are in each int32. */
export const pixels = (d: Device, p: { bytes: boolean; n: number; scale: number; shift: number }, x: Ref, y: Ref): void =>
  d.execute("pixels", [flag(p.bytes), p.n, p.scale, p.shift], [x, y]);

/** y = f(a, b) over the box `dims`, for a function of native/ops/strided.h; y contiguous. */
export const binary = (
  d: Device,
  fn: string,
  dims: readonly number[],
  a: Ref,
  aStrides: readonly number[],
  b: Ref,
  bStrides: readonly number[],
  y: Ref,
): void => d.execute("binary", [native().binaryFunctions[fn], dims.length, ...dims, ...aStrides, ...bStrides], [a, b, y]);

/** y[...] = x[...], or += with `accumulate`, each walked over the box `dims` with its own strides. */
export const copy = (
  d: Device,
  dims: readonly number[],
  x: Ref,
  xStrides: readonly number[],
  y: Ref,
  yStrides: readonly number[],
  accumulate = false,
): void => d.execute("copy", [flag(accumulate), dims.length, ...dims, ...yStrides, ...xStrides], [x, y]);

/** Sizes of a reduction: x is [outer, k, inner], the result [outer, inner]. */
export interface Line {
  outer: number;
  k: number;
  inner: number;
}
export const sum = (d: Device, { outer, k, inner }: Line, scale: number, x: Ref, y: Ref): void =>
  d.execute("sum", [outer, k, inner, scale], [x, y]);
export const max = (d: Device, { outer, k, inner }: Line, x: Ref, y: Ref, at: Ref): void => d.execute("max", [outer, k, inner], [x, y, at]);
export const maxGrad = (d: Device, { outer, k, inner }: Line, dy: Ref, at: Ref, dx: Ref): void =>
  d.execute("maxGrad", [outer, k, inner], [dy, at, dx]);
export const sumSquares = (d: Device, n: number, accumulate: boolean, x: Ref, y: Ref): void =>
  d.execute("sumSquares", [flag(accumulate), n], [x, y]);

export const softmax = (d: Device, log: boolean, rows: number, cols: number, x: Ref, y: Ref): void =>
  d.execute("softmax", [flag(log), rows, cols], [x, y]);
export const softmaxGrad = (d: Device, log: boolean, rows: number, cols: number, y: Ref, dy: Ref, dx: Ref): void =>
  d.execute("softmaxGrad", [flag(log), rows, cols], [y, dy, dx]);
export const crossEntropy = (
  d: Device,
  rows: number,
  cols: number,
  r: { logits: Ref; labels: Ref; loss: Ref; dlogits: Ref; correct: Ref; scratch: Ref },
): void => d.execute("crossEntropy", [rows, cols], [r.logits, r.labels, r.loss, r.dlogits, r.correct, r.scratch]);

export const gather = (d: Device, rows: number, size: number, count: number, table: Ref, index: Ref, y: Ref): void =>
  d.execute("gather", [rows, size, count, 0], [table, index, y]); // 0: a plain index; native/runtime/fold.cpp makes others
export const gatherGrad = (d: Device, rows: number, size: number, count: number, dy: Ref, index: Ref, dtable: Ref): void =>
  d.execute("gatherGrad", [rows, size, count], [dy, index, dtable]);

export const stepSlice = (d: Device, n: number, count: number, x: Ref, step: Ref, y: Ref): void =>
  d.execute("stepSlice", [n, count], [x, step, y]);
export const stepWrite = (d: Device, n: number, x: Ref, step: Ref, y: Ref): void => d.execute("stepWrite", [n], [x, step, y]);
export const stepAdvance = (d: Device, step: Ref): void => d.execute("stepAdvance", [], [step]);

/** Begins and awaits the sum over all ranks of the tensors of a bucket, in place; see native/ops/collective.h. */
const bucket = (parts: readonly Ref[], sizes: readonly number[]): [number[], readonly Ref[]] => [[parts.length, ...sizes], parts];
export const allReduceStart = (d: Device, parts: readonly Ref[], sizes: readonly number[]): void =>
  d.execute("allReduceStart", ...bucket(parts, sizes));
export const allReduceWait = (d: Device, parts: readonly Ref[], sizes: readonly number[]): void =>
  d.execute("allReduceWait", ...bucket(parts, sizes));

/** op(A) M x K times op(B) K x N, row-major; see native/engine/gemm.h. Strides are 0 for a factor that all batches share. */
export interface Gemm {
  batch?: number;
  M: number;
  N: number;
  K: number;
  lda?: number;
  ldb?: number;
  ldc?: number;
  strideA?: number;
  strideB?: number;
  strideC?: number;
  transA?: boolean;
  transB?: boolean;
  accumulate?: boolean;
  /** Added before `fn`: one value a row of C, or one a column. */
  bias?: { axis: "row" | "column"; values: Ref } | undefined;
  fn?: Fn | undefined;
}
export function gemm(d: Device, g: Gemm, a: Ref, b: Ref, c: Ref): void {
  const { batch = 1, M, N, K, transA = false, transB = false } = g;
  const sizes = [
    batch,
    M,
    N,
    K,
    g.lda ?? (transA ? M : K),
    g.ldb ?? (transB ? K : N),
    g.ldc ?? N,
    g.strideA ?? M * K,
    g.strideB ?? K * N,
    g.strideC ?? M * N,
  ];
  const axis = g.bias ? (g.bias.axis === "row" ? 1 : 2) : 0;
  const attributes = [...sizes, flag(transA), flag(transB), flag(g.accumulate), axis, ...fnAttributes(g.fn)];
  d.execute("gemm", attributes, g.bias ? [a, b, g.bias.values, c] : [a, b, c]);
}

/** Sizes of [outer, channels, inner] with one bias a channel. */
export interface Channels {
  outer: number;
  channels: number;
  inner: number;
}
export const biasActivation = (d: Device, s: Channels, fn: Fn | undefined, x: Ref, bias: Ref, y: Ref): void =>
  d.execute("biasActivation", [s.outer, s.channels, s.inner, ...fnAttributes(fn)], [x, bias, y]);
/** `rowSums` is scratch space of outer * channels elements. */
export const biasActivationGrad = (d: Device, s: Channels, fn: Fn | undefined, y: Ref, dy: Ref, dx: Ref, rowSums: Ref, dbias: Ref): void =>
  d.execute("biasActivationGrad", [s.outer, s.channels, s.inner, ...fnAttributes(fn)], [y, dy, dx, rowSums, dbias]);

/** Sizes of the contraction in the middle of V, W, U. */
export interface Mix {
  B: number;
  n_L: number;
  d_h: number;
  m_in: number;
  m_out: number;
}
export const mixChannels = (d: Device, s: Mix, transposed: boolean, z: Ref, W: Ref, y: Ref): void =>
  d.execute("mixChannels", [s.B, s.n_L, s.d_h, s.m_in, s.m_out, flag(transposed)], [z, W, y]);
export const mixChannelsGrad = (d: Device, s: Mix, z: Ref, ds: Ref, dW: Ref): void =>
  d.execute("mixChannelsGrad", [s.B, s.n_L, s.d_h, s.m_in, s.m_out], [z, ds, dW]);

/** Sizes of y[b] = fn(s[b] X + op(W) h[b] + bias): s [B, o, r], X [r, d] (neither where r = 0), W [o, m] or, transposed, [m, o], h [B, m, d], bias [o], y [B, o, d]. */
export interface Expand {
  B: number;
  d: number;
  m: number;
  o: number;
  transposed: boolean;
  large?: { r: number; s: Ref; X: Ref };
  bias?: Ref | undefined;
  fn?: Fn | undefined;
}
export function expand(d: Device, e: Expand, W: Ref, h: Ref, y: Ref): void {
  const sizes = [e.B, e.large?.r ?? 0, e.d, e.m, e.o, flag(e.transposed), flag(e.bias !== undefined), ...fnAttributes(e.fn)];
  d.execute("expand", sizes, [...(e.large ? [e.large.s, e.large.X] : []), W, h, ...(e.bias ? [e.bias] : []), y]);
}

/** Sizes of T[b, 0] = h[b], T[b, i] = U_i z[b, :, i], y[b] = fn(W^T T[b] + bias): h [B, m, d], z [B, m, n_L, d_h], W [n_L + 1, m, o]. */
export interface DecodeContract {
  B: number;
  n_L: number;
  d_h: number;
  d: number;
  m: number;
  o: number;
  bias?: Ref | undefined;
  fn?: Fn | undefined;
}
export function decodeContract(d: Device, s: DecodeContract, from: { h: Ref; z: Ref; U: Ref; W: Ref }, T: Ref, y: Ref): void {
  const sizes = [s.B, s.n_L, s.d_h, s.d, s.m, s.o, flag(s.bias !== undefined), ...fnAttributes(s.fn)];
  d.execute("decodeContract", sizes, [from.h, from.z, from.U, from.W, ...(s.bias ? [s.bias] : []), T, y]);
}

/** y (+)= L x for every (b, c), L in CSR form; x and y are walked with strides for b and c. */
export interface SparseApply {
  batch: number;
  channels: number;
  rows: number;
  cols: number;
  nnz: number;
  xb: number;
  xc: number;
  yb: number;
  yc: number;
  accumulate?: boolean;
}
export const sparseApply = (d: Device, s: SparseApply, csr: { rowStart: Ref; column: Ref; value: Ref }, x: Ref, y: Ref): void =>
  d.execute(
    "sparseApply",
    [s.batch, s.channels, s.rows, s.cols, s.nnz, s.xb, s.xc, s.yb, s.yc, flag(s.accumulate)],
    [csr.rowStart, csr.column, csr.value, x, y],
  );

/** Sizes of a convolution of [B, m, p, q] with [o, m, k_p, k_q], stride 1. */
export interface Conv {
  B: number;
  m: number;
  o: number;
  p: number;
  q: number;
  k_p: number;
  k_q: number;
  pad: number;
}
const convAttributes = (s: Conv): number[] => [s.B, s.m, s.o, s.p, s.q, s.k_p, s.k_q, s.pad];
export const conv2d = (d: Device, s: Conv, x: Ref, W: Ref, y: Ref): void => d.execute("conv2d", convAttributes(s), [x, W, y]);
export const conv2dInputGrad = (d: Device, s: Conv, dy: Ref, W: Ref, dx: Ref): void =>
  d.execute("conv2dInputGrad", convAttributes(s), [dy, W, dx]);
export const conv2dWeightGrad = (d: Device, s: Conv, x: Ref, dy: Ref, dW: Ref): void =>
  d.execute("conv2dWeightGrad", convAttributes(s), [x, dy, dW]);

/** Sizes of max pooling over planes of p x q. */
export interface Pool {
  planes: number;
  p: number;
  q: number;
  size: number;
  stride: number;
}
const poolAttributes = (s: Pool): number[] => [s.planes, s.p, s.q, s.size, s.stride];
export const maxPool = (d: Device, s: Pool, x: Ref, y: Ref, at: Ref): void => d.execute("maxPool", poolAttributes(s), [x, y, at]);
export const maxPoolGrad = (d: Device, s: Pool, dy: Ref, at: Ref, dx: Ref): void =>
  d.execute("maxPoolGrad", poolAttributes(s), [dy, at, dx]);

/** What every optimiser takes: a gradient, device scalars for the learning rate and the clipping factor, the weights. */
export interface Update {
  n: number;
  g: Ref;
  lr: Ref;
  scale: Ref;
  w: Ref;
}
export const sgd = (d: Device, u: Update, o: { momentum: number; decay: number; nesterov: boolean }, v?: Ref): void =>
  d.execute("sgd", [u.n, o.momentum, o.decay, flag(o.nesterov)], [u.g, u.lr, u.scale, u.w, ...(v ? [v] : [])]);
export const adam = (
  d: Device,
  u: Update,
  o: { beta1: number; beta2: number; epsilon: number; decay: number; decoupled: boolean },
  s: { step: Ref; m: Ref; v: Ref; scratch: Ref },
): void =>
  d.execute("adam", [u.n, o.beta1, o.beta2, o.epsilon, o.decay, flag(o.decoupled)], [u.g, u.lr, u.scale, s.step, u.w, s.m, s.v, s.scratch]);
export const rmsprop = (d: Device, u: Update, o: { rho: number; epsilon: number; decay: number }, v: Ref): void =>
  d.execute("rmsprop", [u.n, o.rho, o.epsilon, o.decay], [u.g, u.lr, u.scale, u.w, v]);
export const clipFactor = (d: Device, limit: number, squares: Ref, y: Ref): void => d.execute("clipFactor", [limit], [squares, y]);
