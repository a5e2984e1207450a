import { Matrix } from "ml-matrix";

/** Rotation of the plane by `angle`. */
export const rotation2 = (angle: number): Matrix =>
  new Matrix([
    [Math.cos(angle), -Math.sin(angle)],
    [Math.sin(angle), Math.cos(angle)],
  ]);

/** K with K x = axis cross x. */
export const skew3 = ([x, y, z]: readonly number[]): Matrix =>
  new Matrix([
    [0, -z, y],
    [z, 0, -x],
    [-y, x, 0],
  ]);

/** I + sin(angle) K + (1 - cos(angle)) K^2 for a unit axis: Rodrigues' formula. */
export function rotation3(axis: readonly number[], angle: number): Matrix {
  const K = skew3(axis);
  return Matrix.add(Matrix.eye(3), Matrix.mul(K, Math.sin(angle))).add(Matrix.mul(K.mmul(K), 1 - Math.cos(angle)));
}
