import * as commands from "../engine/commands.js";
import type { Device, Ref } from "../engine/device.js";
import { check, showShape } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { checkExact, checkRank } from "./check.js";

// L_i h for all i at once. Every form writes into T [B, n_L + 1, m, d], whose slot 0 is h itself (L_0 = I), so that the
// contraction with W [n_L + 1, m, m_out] is one product over (i, c).

/** Generators L_i = U_i V_i of rank d_h; the products U_i V_i are never formed. */
export interface LowRank {
  /** Tells the forms apart. */
  form: "lowRank";
  /** [n_L, d, d_h] */
  U: Tensor;
  /** [n_L, d_h, d] */
  V: Tensor;
}
/** Generators as full matrices. */
export interface Dense {
  /** Tells the forms apart. */
  form: "dense";
  /** [n_L, d, d] */
  L: Tensor;
}
/** Fixed sparse matrices L_i, each in CSR form together with its transpose. */
export interface Sparse {
  /** Tells the forms apart. */
  form: "sparse";
  /** Each L_i and its transpose. */
  matrices: readonly { forward: Csr; transposed: Csr }[];
  /** Number of positions that they act on. */
  d: number;
}
/** A sparse matrix [d, d] on a device in compressed rows: entries k of row mu are those from rowStart[mu] to rowStart[mu + 1]. */
export interface Csr {
  /** int32 [d + 1] */
  rowStart: Tensor;
  /** int32 [nnz] */
  column: Tensor;
  /** float32 [nnz] */
  value: Tensor;
}
/** The generators of a layer on a device, in one of three forms. */
export type Generators = LowRank | Dense | Sparse;

export interface Sizes {
  B: number;
  m: number;
  d: number;
  n_L: number;
}

/** The tensors of `g` that can be trained, in the order in which gradients are returned. */
export const parametersOf = (g: Generators): Tensor[] => (g.form === "lowRank" ? [g.U, g.V] : g.form === "dense" ? [g.L] : []);

/** n_L and d of `g`. Throws ERR_LCONV_SHAPE when its parts do not fit together. */
export function generatorSizes(op: string, g: Generators): { n_L: number; d: number } {
  if (g.form === "sparse") return { n_L: g.matrices.length, d: g.d };
  if (g.form === "dense") {
    checkRank(op, "L", g.L, 3, "[n_L, d, d]");
    const [n_L, d] = g.L.shape;
    checkExact(op, "L", g.L, [n_L, d, d], "generators are square");
    return { n_L, d };
  }
  checkRank(op, "U", g.U, 3, "[n_L, d, d_h]");
  const [n_L, d, d_h] = g.U.shape;
  checkExact(op, "V", g.V, [n_L, d_h, d], `for U ${showShape(g.U.shape)}`);
  check(
    n_L > 0 && d_h > 0,
    "ERR_LCONV_SHAPE",
    () => `${op}: needs at least one generator of rank 1 or more, got U ${showShape(g.U.shape)} and V ${showShape(g.V.shape)}`,
  );
  return { n_L, d };
}

/** Checks h [B, m, d] against `g`. Throws ERR_LCONV_SHAPE. */
export function sizesOf(op: string, h: Tensor, g: Generators): Sizes {
  checkRank(op, "h", h, 3, "[B, m, d]");
  const { n_L, d } = generatorSizes(op, g);
  const [B, m] = h.shape;
  check(
    B > 0 && m > 0 && d > 0,
    "ERR_LCONV_SHAPE",
    () => `${op}: h must have at least one sample, one channel and one position, got ${showShape(h.shape)}`,
  );
  check(h.shape[2] === d, "ERR_LCONV_SHAPE", () => `${op}: h ${showShape(h.shape)} has d = ${h.shape[2]}, the generators act on d = ${d}`);
  return { B, m, d, n_L };
}

/** z[b, c, i, h] = sum_nu V_i[h, nu] h[b, c, nu]: one product [B m, d] x [d, n_L d_h]. */
export function encode(h: Tensor, V: Tensor): Tensor {
  const [B, m, d] = h.shape;
  const [n_L, d_h] = V.shape;
  const z = Tensor.empty(h.device, [B, m, n_L, d_h]);
  commands.gemm(h.device, { M: B * m, N: n_L * d_h, K: d, transB: true }, h, V, z);
  return z;
}

/** dV[i, h, nu] = sum_{b, c} dz[b, c, i, h] h[b, c, nu] */
export function encodeGradV(h: Tensor, dz: Tensor, V: Tensor): Tensor {
  const [B, m, d] = h.shape;
  const dV = Tensor.empty(h.device, V.shape);
  commands.gemm(h.device, { M: V.size / d, N: d, K: B * m, transA: true }, dz, h, dV);
  return dV;
}

/** dh += V^T dz: one product [B m, n_L d_h] x [n_L d_h, d]. */
function encodeGradInput(dz: Tensor, V: Tensor, dh: Tensor): void {
  const d = V.shape[2];
  const r = V.size / d;
  commands.gemm(dh.device, { M: dz.size / r, N: d, K: r, accumulate: true }, dz, V, dh);
}

/** Where slot (i, c) of T begins, and its distances from b to b and from i to i. */
function slots({ n_L, m, d }: Sizes): { at: (i: number, c: number) => number; row: number; slot: number } {
  return { at: (i, c) => (i * m + c) * d, row: (n_L + 1) * m * d, slot: m * d };
}

/**
 * How to go through the (b, c) of T: `count` planes of `rows` each, the fewer and larger ones, with the channels as planes or the samples.
 * The distances in T, z and h from plane to plane (step) and from row to row (line).
 */
function planes(s: Sizes, r: number) {
  const { row, slot } = slots(s);
  const [T, z, h] = [
    { b: row, c: s.d },
    { b: s.m * r, c: r },
    { b: slot, c: s.d },
  ];
  const byChannel = s.m <= s.B;
  const of = (distance: { b: number; c: number }) =>
    byChannel ? { step: distance.c, line: distance.b } : { step: distance.b, line: distance.c };
  return { count: byChannel ? s.m : s.B, rows: byChannel ? s.B : s.m, T: of(T), z: of(z), h: of(h) };
}

/** T, and what the backward pass needs besides it. */
export interface Applied {
  T: Tensor; // [B, n_L + 1, m, d]
  z?: Tensor; // low rank: [B, m, n_L, d_h]
}

/** T[b, 0] = h[b], T[b, i] = L_i h[b]; `z` may be handed in where it was computed before. */
export function applyGenerators(h: Tensor, g: Generators, s: Sizes, z?: Tensor): Applied {
  const T = Tensor.empty(h.device, [s.B, s.n_L + 1, s.m, s.d]);
  const { row, slot } = slots(s);
  commands.copy(h.device, [s.B, slot], h, [slot, 1], T, [row, 1]);
  if (g.form === "lowRank") {
    const encoded = z ?? encode(h, g.V);
    decode(encoded, g.U, s, T);
    return { T, z: encoded };
  }
  if (g.form === "dense") applyDense(h, g.L, s, T);
  else applySparse(h.device, g, s, { x: h, xb: slot, xc: s.d }, T, false);
  return { T };
}

/** T[b, i, c, mu] = sum_h U_i[mu, h] z[b, c, i, h]: for each plane one product batched over i. */
function decode(z: Tensor, U: Tensor, s: Sizes, T: Tensor): void {
  const d_h = U.shape[2];
  const { at, slot } = slots(s);
  const p = planes(s, s.n_L * d_h);
  const sizes = { batch: s.n_L, M: p.rows, N: s.d, K: d_h, transB: true, strideA: d_h, strideB: s.d * d_h, strideC: slot };
  for (let k = 0; k < p.count; k++)
    commands.gemm(T.device, { ...sizes, lda: p.z.line, ldc: p.T.line }, z.at(k * p.z.step), U, T.at(at(1, 0) + k * p.T.step));
}

/** Gradients through T = applyGenerators(h): those of the trainable parts of `g`, and dh where it is wanted. */
export function applyGeneratorsGrad(
  h: Tensor,
  g: Generators,
  s: Sizes,
  z: Tensor | undefined,
  dT: Tensor,
  wantInput: boolean,
): { dh: Tensor | undefined; parts: (Tensor | undefined)[] } {
  const dh = wantInput ? slotZero(dT, s, h) : undefined;
  if (g.form === "lowRank") return { dh, parts: lowRankGrad(h, g, s, z as Tensor, dT, dh) };
  if (g.form === "dense") return { dh, parts: denseGrad(h, g.L, s, dT, dh) };
  if (dh) applySparse(h.device, g, s, { x: dT, xb: slots(s).row, xc: s.d }, dh, true);
  return { dh, parts: [] };
}

/** A copy of dT[:, 0], the share of the gradient that comes through L_0 = I. */
function slotZero(dT: Tensor, s: Sizes, h: Tensor): Tensor {
  const { row, slot } = slots(s);
  const dh = Tensor.empty(h.device, h.shape);
  commands.copy(h.device, [s.B, slot], dT, [row, 1], dh, [slot, 1]);
  return dh;
}

function lowRankGrad(h: Tensor, { U, V }: LowRank, s: Sizes, z: Tensor, dT: Tensor, dh: Tensor | undefined): (Tensor | undefined)[] {
  const d_h = U.shape[2];
  const { at, slot } = slots(s);
  const p = planes(s, s.n_L * d_h);
  const dU = U.tracked ? Tensor.empty(h.device, U.shape) : undefined;
  const dz = V.tracked || dh ? Tensor.empty(h.device, z.shape) : undefined;
  const shared = { batch: s.n_L, lda: p.T.line, strideA: slot };
  for (let k = 0; k < p.count; k++) {
    const dTk = dT.at(at(1, 0) + k * p.T.step);
    if (dz) {
      // dz[b, c, i, h] = sum_mu dT[b, i, c, mu] U_i[mu, h]
      const sizes = { ...shared, M: p.rows, N: d_h, K: s.d, strideB: s.d * d_h, ldc: p.z.line, strideC: d_h };
      commands.gemm(h.device, sizes, dTk, U, dz.at(k * p.z.step));
    }
    if (dU) {
      // dU_i[mu, h] (+)= sum over rows of dT[b, i, c, mu] z[b, c, i, h]
      const sizes = {
        ...shared,
        M: s.d,
        N: d_h,
        K: p.rows,
        transA: true,
        ldb: p.z.line,
        strideB: d_h,
        strideC: s.d * d_h,
        accumulate: k > 0,
      };
      commands.gemm(h.device, sizes, dTk, z.at(k * p.z.step), dU);
    }
  }
  const dV = dz && V.tracked ? encodeGradV(h, dz, V) : undefined;
  if (dz && dh) encodeGradInput(dz, V, dh);
  return [dU, dV];
}

/** T[b, i, c, mu] = sum_nu L_i[mu, nu] h[b, c, nu] */
function applyDense(h: Tensor, L: Tensor, s: Sizes, T: Tensor): void {
  const { at, slot } = slots(s);
  const p = planes(s, 0);
  const sizes = { batch: s.n_L, M: p.rows, N: s.d, K: s.d, transB: true, strideA: 0, strideB: s.d * s.d, strideC: slot };
  for (let k = 0; k < p.count; k++)
    commands.gemm(h.device, { ...sizes, lda: p.h.line, ldc: p.T.line }, h.at(k * p.h.step), L, T.at(at(1, 0) + k * p.T.step));
}

function denseGrad(h: Tensor, L: Tensor, s: Sizes, dT: Tensor, dh: Tensor | undefined): (Tensor | undefined)[] {
  const { at, row, slot } = slots(s);
  const p = planes(s, 0);
  const dL = L.tracked ? Tensor.empty(h.device, L.shape) : undefined;
  for (let k = 0; dL && k < p.count; k++) {
    // dL_i[mu, nu] (+)= sum over rows of dT[b, i, c, mu] h[b, c, nu]
    const sizes = {
      batch: s.n_L,
      M: s.d,
      N: s.d,
      K: p.rows,
      transA: true,
      lda: p.T.line,
      strideA: slot,
      ldb: p.h.line,
      strideB: 0,
      accumulate: k > 0,
    };
    commands.gemm(h.device, sizes, dT.at(at(1, 0) + k * p.T.step), h.at(k * p.h.step), dL);
  }
  for (let i = 1; dh && i <= s.n_L; i++) {
    // dh[b, c, nu] += sum_mu dT[b, i, c, mu] L_i[mu, nu], batched over c
    const sizes = { batch: s.m, M: s.B, N: s.d, K: s.d, lda: row, strideA: s.d, strideB: 0, ldc: slot, strideC: s.d, accumulate: true };
    commands.gemm(h.device, sizes, dT.at(at(i, 0)), L.at((i - 1) * s.d * s.d), dh);
  }
  return [dL];
}

/** Forward: slot i of T = L_i h. Adjoint: dh += L_i^T (slot i of dT) for every i. */
function applySparse(device: Device, g: Sparse, s: Sizes, from: { x: Tensor; xb: number; xc: number }, y: Tensor, adjoint: boolean): void {
  const { at, row, slot } = slots(s);
  g.matrices.forEach(({ forward, transposed }, k) => {
    const csr = adjoint ? transposed : forward;
    const x: Ref = adjoint ? from.x.at(at(k + 1, 0)) : from.x;
    const sizes = {
      batch: s.B,
      channels: s.m,
      rows: s.d,
      cols: s.d,
      nnz: csr.value.size,
      xb: from.xb,
      xc: from.xc,
      yb: adjoint ? slot : row,
      yc: s.d,
      accumulate: adjoint,
    };
    commands.sparseApply(device, sizes, csr, x, adjoint ? y : y.at(at(k + 1, 0)));
  });
}

/** The matrices L_i as one tensor [n_L, d, d], for display and checks; it has no gradient. */
export function denseGenerators(g: Generators): Tensor {
  if (g.form === "dense") return g.L.detach();
  if (g.form === "lowRank") {
    const [n_L, d, d_h] = g.U.shape;
    const L = Tensor.empty(g.U.device, [n_L, d, d]);
    commands.gemm(L.device, { batch: n_L, M: d, N: d, K: d_h }, g.U, g.V, L);
    return L;
  }
  const device = g.matrices[0].forward.value.device;
  const host = new Float32Array(g.matrices.length * g.d * g.d);
  g.matrices.forEach(({ forward }, i) => {
    const [start, column, value] = [forward.rowStart.dataSync(), forward.column.dataSync(), forward.value.dataSync()];
    for (let mu = 0; mu < g.d; mu++) {
      for (let k = start[mu]; k < start[mu + 1]; k++) host[(i * g.d + mu) * g.d + column[k]] += value[k];
    }
  });
  const L = Tensor.empty(device, [g.matrices.length, g.d, g.d]);
  return L.set(host);
}
