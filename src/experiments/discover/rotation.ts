import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import { type Generator, sparse, toDense } from "../../lie/generators/generator.js";
import { affine } from "../../lie/generators/grids.js";

// Rotations of square images side x side by bilinear interpolation, as PyTorch's affine_grid and grid_sample do them (align_corners = False,
// zeros outside, theta = [[cos, sin], [-sin, cos]]): linear maps of the pixels.

/** Calls visit(from, weight) for the up to four pixels that pixel `to` of the rotated image is made of. */
function sources(side: number, angle: number, to: number, visit: (from: number, weight: number) => void): void {
  const middle = (side - 1) / 2;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const [y, x] = [Math.floor(to / side) - middle, (to % side) - middle];
  const [fromX, fromY] = [c * x + s * y + middle, -s * x + c * y + middle];
  const [left, top] = [Math.floor(fromX), Math.floor(fromY)];
  for (const [row, column, weight] of [
    [top, left, (1 - fromY + top) * (1 - fromX + left)],
    [top, left + 1, (1 - fromY + top) * (fromX - left)],
    [top + 1, left, (fromY - top) * (1 - fromX + left)],
    [top + 1, left + 1, (fromY - top) * (fromX - left)],
  ])
    if (row >= 0 && row < side && column >= 0 && column < side && weight !== 0) visit(row * side + column, weight);
}

/** R [d, d] with y = R x. */
export function rotationMatrix(side: number, angle: number): Generator {
  const [rows, columns, values]: [number[], number[], number[]] = [[], [], []];
  for (let to = 0; to < side * side; to++)
    sources(side, angle, to, (from, weight) => {
      rows.push(to);
      columns.push(from);
      values.push(weight);
    });
  return sparse(side * side, rows, columns, values);
}

const PIECE = 20_000; // pixels

/** y[n] = R(angles[n]) x[n], x [N, side side], in pieces. */
export function* rotateEach(x: Float32Array, side: number, angles: ArrayLike<number>): Pieces<Float32Array> {
  const d = side * side;
  const y = new Float32Array(x.length);
  for (let n = 0; n < angles.length; n++) {
    for (let to = 0; to < d; to++) {
      let value = 0;
      sources(side, angles[n], to, (from, weight) => {
        value += weight * x[n * d + from];
      });
      y[n * d + to] = value;
    }
    if ((n + 1) % Math.ceil(PIECE / d) === 0) yield;
  }
  return y;
}

/** (R - I) / angle: what a linear residual layer learns from pairs (x, R x). */
export function closedForm(side: number, angle: number): Matrix {
  return Matrix.sub(toDense(rotationMatrix(side, angle)), Matrix.eye(side * side)).mul(1 / angle);
}

/**
 * x d/dy - y d/dx with Shannon-Whittaker derivatives of period 2 side, as the paper's authors have it. They count coordinates from side / 2;
 * the rotation that is learned turns about (side - 1) / 2, which is what "middle" gives.
 */
export function trueGenerator(side: number, center: "authors" | "middle"): Matrix {
  const at = center === "authors" ? side / 2 : (side - 1) / 2;
  return toDense(affine(side, side, { only: ["rotate"], center: [at, at] }).generators[0]);
}
