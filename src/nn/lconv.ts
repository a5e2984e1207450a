import type { Device } from "../engine/device.js";
import { check, checkInteger, checkOptions, LconvError, showShape } from "../errors.js";
import { type Csr, denseGenerators, type Generators } from "../ops/generators.js";
import { lconv, type LconvOptions as OpOptions } from "../ops/lconv.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { type Activation, type ActivationName, activation } from "./activation.js";
import type { Initializer, WeightSource } from "./init.js";
import { Module } from "./module.js";

/** A sparse d x d matrix for fixed generators: entries (row, column, value). */
export interface SparseMatrix {
  rows: readonly number[];
  columns: readonly number[];
  values: readonly number[];
}

/**
 * What the L_i are.
 *   learned       low rank, L_i = U_i V_i with U [n_L, d, d_h], V [n_L, d_h, d], trained
 *   random        the same, drawn once and frozen (the paper's "random L-conv")
 *   dense         full matrices L [n_L, d, d], trained
 *   fixed         given matrices [n_L, d, d], frozen
 *   fixedSparse   given sparse matrices, frozen, applied by their non-zeros
 */
export type GeneratorSpec =
  | { kind: "learned" | "random"; n_L: number; d_h: number }
  | { kind: "dense"; n_L: number }
  | { kind: "fixed"; L: Float32Array; n_L: number }
  | { kind: "fixedSparse"; matrices: readonly SparseMatrix[] };

export interface LConvOptions {
  d: number;
  m_in: number;
  m_out: number;
  generators: GeneratorSpec;
  bias?: boolean;
  activation?: ActivationName;
  initializer?: Initializer;
  /** Contraction order; see ops/order.ts. "auto" takes the cheaper one, for forward and backward apart. */
  order?: OpOptions["order"];
  backwardOrder?: OpOptions["backwardOrder"];
}

/**
 * Lie algebra convolution (paper, eq. 6): y = f(sum_{i = 0..n_L} L_i h W^i + b), L_0 = I; h [B, m_in, d] -> y [B, m_out, d].
 * Parameters: W [n_L + 1, m_in, m_out], b [m_out], and U, V or L.
 * Throws ERR_LCONV_ARGUMENT for n_L < 1, or d_h outside 1..d.
 */
export class LConv extends Module {
  readonly W: Tensor;
  readonly b: Tensor | undefined;
  readonly generators: Generators;
  readonly #f: Activation;
  readonly #order: Pick<OpOptions, "order" | "backwardOrder">;

  constructor(source: WeightSource, options: LConvOptions) {
    super();
    checkOptions("LConv", options, ["d", "m_in", "m_out", "generators", "bias", "activation", "initializer", "order", "backwardOrder"]);
    const { d, m_in, m_out, initializer = "glorotNormal" } = options;
    checkInteger("LConv", "d", d, 1);
    checkInteger("LConv", "m_in", m_in, 1);
    checkInteger("LConv", "m_out", m_out, 1);
    this.#f = activation("LConv", options.activation ?? "relu");
    this.#order = { order: options.order, backwardOrder: options.backwardOrder };
    this.generators = makeGenerators(source, options.generators, d, initializer);
    const n_L =
      this.generators.kind === "sparse"
        ? this.generators.matrices.length
        : (this.generators.kind === "dense" ? this.generators.L : this.generators.U).shape[0];
    this.W = source.parameter([n_L + 1, m_in, m_out], initializer);
    this.b = options.bias === false ? undefined : source.parameter([m_out], "zeros");
  }

  override forward(h: Tensor): Tensor {
    return this.#f.after(lconv(h, this.generators, this.W, this.b, { fn: this.#f.fused, ...this.#order }));
  }

  /** The matrices L_i as [n_L, d, d], for display and checks; training never forms them for low-rank generators. */
  denseGenerators(): Tensor {
    return denseGenerators(this.generators);
  }

  protected override ownParameters(): Record<string, Tensor> {
    const g = this.generators;
    const own: Record<string, Tensor> = g.kind === "lowRank" ? { U: g.U, V: g.V } : g.kind === "dense" ? { L: g.L } : {};
    own["W"] = this.W;
    if (this.b) own["b"] = this.b;
    return own;
  }

  override dispose(): void {
    super.dispose();
    if (this.generators.kind !== "sparse") return;
    for (const { forward, transposed } of this.generators.matrices) {
      for (const csr of [forward, transposed]) for (const t of [csr.rowStart, csr.column, csr.value]) t.dispose();
    }
  }
}

function makeGenerators(source: WeightSource, spec: GeneratorSpec, d: number, initializer: Initializer): Generators {
  switch (spec.kind) {
    case "learned":
    case "random": {
      checkInteger("LConv", "generators (n_L)", spec.n_L, 1);
      checkInteger("LConv", "rank (d_h)", spec.d_h, 1, d);
      const V = source.parameter([spec.n_L, spec.d_h, d], initializer);
      const U = source.parameter([spec.n_L, d, spec.d_h], initializer);
      U.requiresGrad = V.requiresGrad = spec.kind === "learned";
      return { kind: "lowRank", U, V };
    }
    case "dense":
      checkInteger("LConv", "generators (n_L)", spec.n_L, 1);
      return { kind: "dense", L: source.parameter([spec.n_L, d, d], initializer) };
    case "fixed": {
      checkInteger("LConv", "generators (n_L)", spec.n_L, 1);
      check(
        spec.L.length === spec.n_L * d * d,
        "ERR_LCONV_SHAPE",
        () => `LConv: fixed generators must be ${showShape([spec.n_L, d, d])}, that is ${spec.n_L * d * d} values, got ${spec.L.length}`,
      );
      return { kind: "dense", L: keep(tensor(spec.L, { shape: [spec.n_L, d, d], device: source.device })) };
    }
    case "fixedSparse":
      check(spec.matrices.length > 0, "ERR_LCONV_ARGUMENT", () => "LConv: needs at least one sparse generator, got none");
      return { kind: "sparse", d, matrices: spec.matrices.map((matrix, i) => sparsePair(source.device, matrix, d, i)) };
    default:
      throw new LconvError(
        "ERR_LCONV_ARGUMENT",
        `LConv: unknown kind of generators "${String((spec as { kind: unknown }).kind)}"; known: learned, random, dense, fixed, fixedSparse`,
      );
  }
}

/** Checks the entries and builds CSR forms of the matrix and of its transpose; equal places add up. */
function sparsePair(device: Device, { rows, columns, values }: SparseMatrix, d: number, i: number): { forward: Csr; transposed: Csr } {
  check(
    rows.length === columns.length && rows.length === values.length,
    "ERR_LCONV_SHAPE",
    () =>
      `LConv: sparse generator ${i} has ${rows.length} rows, ${columns.length} columns and ${values.length} values; these must be equally many`,
  );
  for (const place of [...rows, ...columns])
    check(
      Number.isInteger(place) && place >= 0 && place < d,
      "ERR_LCONV_ARGUMENT",
      () => `LConv: sparse generator ${i} names place ${place}; places go from 0 to ${d - 1}`,
    );
  return { forward: toCsr(device, rows, columns, values, d), transposed: toCsr(device, columns, rows, values, d) };
}

function toCsr(device: Device, rows: readonly number[], columns: readonly number[], values: readonly number[], d: number): Csr {
  const order = rows.map((_, k) => k).sort((a, b) => rows[a] - rows[b] || columns[a] - columns[b]);
  const rowStart = new Int32Array(d + 1);
  for (const row of rows) rowStart[row + 1]++;
  for (let row = 0; row < d; row++) rowStart[row + 1] += rowStart[row];
  return {
    rowStart: keep(tensor(rowStart, { device })),
    column: keep(
      tensor(
        Int32Array.from(order, (k) => columns[k]),
        { device },
      ),
    ),
    value: keep(
      tensor(
        Float32Array.from(order, (k) => values[k]),
        { device },
      ),
    ),
  };
}
