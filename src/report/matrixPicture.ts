import type { Generator } from "../lie/generators/generator.js";
import { toDense } from "../lie/generators/generator.js";
import { blockAverage } from "./generators.js";
import { heatmap } from "./heatmap.js";

const EDGE = 256; // pixels of a picture's side at most

/** L as a heat map, averaged over blocks where d is large; of low rank and sparse generators no d x d matrix is made beyond `EDGE`. */
export function matrixPicture(g: Generator, title: string): string {
  const { values, side } = averaged(g);
  return heatmap(values, side, side, { title, size: side * Math.max(1, Math.round(220 / side)) });
}

function averaged(g: Generator): { values: Float64Array; side: number } {
  const shape = { name: "", count: 1, d: g.d, W: new Float32Array(2) };
  if (g.form === "lowRank") {
    const [U, V] = [g.U, g.V].map((part) => Float32Array.from(part.to1DArray()));
    return blockAverage({ ...shape, rank: g.U.columns, U, V }, 1, EDGE);
  }
  if (g.form === "dense" || g.d <= EDGE) return blockAverage({ ...shape, L: Float32Array.from(toDense(g).to1DArray()) }, 1, EDGE);
  const block = Math.ceil(g.d / EDGE);
  const side = Math.ceil(g.d / block);
  const members = (b: number): number => Math.min(block, g.d - b * block); // the last block may be short
  const values = new Float64Array(side * side);
  g.values.forEach((value, k) => {
    const [a, b] = [Math.floor(g.rows[k] / block), Math.floor(g.columns[k] / block)];
    values[a * side + b] += value / (members(a) * members(b));
  });
  return { values, side };
}
