import { check } from "../errors.js";
import { numel } from "./shape.js";

/** A number, or nested arrays of numbers. */
export type Nested = number | readonly Nested[];

/** Row-major values as nested arrays; a number for a tensor without axes. */
export function nested(values: ArrayLike<number>, shape: readonly number[]): Nested {
  const step = stepsOf(shape);
  const entry = (axis: number, from: number): Nested =>
    axis === shape.length ? values[from] : Array.from({ length: shape[axis] }, (_, i) => entry(axis + 1, from + i * step[axis]));
  return entry(0, 0);
}

/** How far entries of each axis are apart. */
export const stepsOf = (shape: readonly number[]): number[] => shape.map((_, axis) => numel(shape.slice(axis + 1)));

const MOST_AXES = 32;

/** Sizes of the axes, by the first entries. Throws ERR_LCONV_SHAPE above 32 axes. */
export function nestedShape(values: Nested): number[] {
  const shape: number[] = [];
  let at = values;
  while (Array.isArray(at)) {
    check(shape.length < MOST_AXES, "ERR_LCONV_SHAPE", () => `arrays are nested more than ${MOST_AXES} deep`); // or hold themselves
    shape.push(at.length);
    at = at[0];
  }
  return shape;
}

/** Row-major values of nested arrays. Throws ERR_LCONV_SHAPE, beginning with `where`, unless they are rectangular and hold numbers. */
export function flatten(where: string, values: Nested): number[] {
  const shape = nestedShape(values);
  const out: number[] = [];
  const walk = (at: Nested, depth: number): void => {
    if (!Array.isArray(at)) {
      check(
        typeof at === "number" && depth === shape.length,
        "ERR_LCONV_SHAPE",
        () => `${where}: nested arrays must be rectangular and hold numbers`,
      );
      out.push(at as number);
      return;
    }
    check(
      depth < shape.length && at.length === shape[depth],
      "ERR_LCONV_SHAPE",
      () => `${where}: nested arrays must be rectangular: expected ${shape[depth] ?? 1} entries at depth ${depth}, got ${at.length}`,
    );
    for (const item of at) walk(item, depth + 1);
  };
  walk(values, 0);
  return out;
}
