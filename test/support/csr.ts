import { type Device, device as deviceOf } from "../../src/engine/device.js";
import type { Sparse } from "../../src/ops/generators.js";
import { tensor } from "../../src/tensor/tensor.js";
import type { Array64 } from "./reference.js";

function compress(rows: number, entry: (row: number, col: number) => number, device: Device): Sparse["matrices"][number]["forward"] {
  const [rowStart, column, value] = [[0], [] as number[], [] as number[]];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < rows; col++) {
      if (entry(row, col) === 0) continue;
      column.push(col);
      value.push(entry(row, col));
    }
    rowStart.push(column.length);
  }
  return {
    rowStart: tensor(Int32Array.from(rowStart), { device }),
    column: tensor(Int32Array.from(column), { device }),
    value: tensor(Float32Array.from(value), { device }),
  };
}

/** Dense generators L [n_L, d, d] in CSR form, with their transposes. */
export function sparseOf(L: Array64, device: Device = deviceOf()): Sparse {
  const [n_L, d] = L.shape;
  const matrices = Array.from({ length: n_L }, (_, i) => {
    const entry = (row: number, col: number) => L.data[(i * d + row) * d + col];
    return { forward: compress(d, entry, device), transposed: compress(d, (row, col) => entry(col, row), device) };
  });
  return { form: "sparse", matrices, d };
}
