import { Matrix } from "ml-matrix";
import type { Device } from "../engine/device.js";
import { check } from "../errors.js";
import { Basis, packLowRank } from "../lie/generators/basis.js";
import { checkDenseFits, type LowRankGenerator, type SparseGenerator, sparse, toDense } from "../lie/generators/generator.js";
import { type Csr, type Generators, generatorSizes } from "../ops/generators.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";

/**
 * The generators of a layer on a device, in float32. Fixed: sparse stay sparse, low rank becomes U and V (the smaller of different ranks are filled
 * up with zeros), all else dense. To be trained: low rank as U and V, all else dense, and they start from `basis`.
 * Throws ERR_LCONV_ARGUMENT where dense ones would not fit in memory.
 */
export function toTensors(device: Device, basis: Basis, train: boolean): Generators {
  const { d, n_L, generators } = basis;
  const parameter = (data: Float32Array, shape: number[]): Tensor => keep(tensor(data, { shape, device, requiresGrad: train }));
  if (generators.every((g) => g.form === "lowRank")) {
    const { U, V, d_h } = packLowRank(generators as readonly LowRankGenerator[], d);
    return { form: "lowRank", U: parameter(Float32Array.from(U), [n_L, d, d_h]), V: parameter(Float32Array.from(V), [n_L, d_h, d]) };
  }
  if (!train && generators.every((g) => g.form === "sparse"))
    return { form: "sparse", d, matrices: (generators as readonly SparseGenerator[]).map((g) => sparsePair(device, g)) };
  checkDenseFits("LConv: generators", d, n_L);
  const L = new Float32Array(n_L * d * d);
  generators.forEach((g, i) => {
    L.set(toDense(g).to1DArray(), i * d * d);
  });
  return { form: "dense", L: parameter(L, [n_L, d, d]) };
}

const sparsePair = (device: Device, { d, rows, columns, values }: SparseGenerator): { forward: Csr; transposed: Csr } => {
  const transposed = sparse(d, columns, rows, values); // brings the places into order
  return {
    forward: toCsr(device, rows, columns, values, d),
    transposed: toCsr(device, transposed.rows, transposed.columns, transposed.values, d),
  };
};

/** Entries in the order of their rows. */
function toCsr(device: Device, rows: Int32Array, columns: Int32Array, values: Float64Array, d: number): Csr {
  const rowStart = new Int32Array(d + 1);
  for (const row of rows) rowStart[row + 1]++;
  for (let row = 0; row < d; row++) rowStart[row + 1] += rowStart[row];
  const upload = (data: Int32Array | Float32Array): Tensor => keep(tensor(data, { device }));
  return { rowStart: upload(rowStart), column: upload(columns), value: upload(Float32Array.from(values)) };
}

/** Frees what `toTensors` put on the device. */
export function disposeGenerators(g: Generators): void {
  const tensors =
    g.form === "lowRank"
      ? [g.U, g.V]
      : g.form === "dense"
        ? [g.L]
        : g.matrices.flatMap(({ forward, transposed }) =>
            [forward, transposed].flatMap(({ rowStart, column, value }) => [rowStart, column, value]),
          );
  for (const t of tensors) t.dispose();
}

/** The generators of a layer on the host, for analysis. Throws ERR_LCONV_ARGUMENT for values that are not finite. */
export function fromTensors(g: Generators): Basis {
  const { n_L, d } = generatorSizes("fromTensors", g);
  if (g.form === "sparse") return new Basis(g.matrices.map(({ forward }) => fromCsr(forward, d)));
  const part = (t: Tensor, i: number): Matrix => {
    const [, rows, columns] = t.shape;
    return Matrix.from1DArray(rows, columns, [...(t.slice(i * rows * columns, rows * columns) as Float32Array)]);
  };
  const all = Array.from({ length: n_L }, (_, i) => i);
  const finite = [g.form === "dense" ? g.L : g.U, ...(g.form === "lowRank" ? [g.V] : [])].every((t) => t.dataSync().every(Number.isFinite));
  check(finite, "ERR_LCONV_ARGUMENT", () => "fromTensors: the generators hold NaN or infinite values; training has diverged");
  return new Basis(
    all.map((i) =>
      g.form === "dense"
        ? { form: "dense" as const, d, L: part(g.L, i) }
        : { form: "lowRank" as const, d, U: part(g.U, i), V: part(g.V, i) },
    ),
  );
}

function fromCsr({ rowStart, column, value }: Csr, d: number): SparseGenerator {
  const start = rowStart.dataSync();
  const rows = new Int32Array(value.size);
  for (let mu = 0; mu < d; mu++) rows.fill(mu, start[mu], start[mu + 1]);
  return sparse(d, rows, column.dataSync(), value.dataSync());
}
