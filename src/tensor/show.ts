import { stepsOf } from "./nested.js";

const ALL = 1000; // a tensor of at most so many values is shown whole
const EDGE = 3; // of a larger one, so many entries at both ends of an axis

type Values = Float32Array | Int32Array;

/** Values as people read them: four digits, one line a row, the middle of long axes left out, which is not looked at. */
export function showValues(values: Values, shape: readonly number[]): string {
  const step = stepsOf(shape);
  const whole = values.length <= ALL;
  const entry = (axis: number, from: number): string => {
    if (axis === shape.length) return shown(values[from]);
    const n = shape[axis];
    const places = whole || n <= 2 * EDGE ? range(0, n) : [...range(0, EDGE), ...range(n - EDGE, n)];
    const items = places.map((i) => entry(axis + 1, from + i * step[axis]));
    if (items.length < n) items.splice(EDGE, 0, "...");
    return `[${items.join(axis === shape.length - 1 ? ", " : `,\n${" ".repeat(axis + 1)}`)}]`;
  };
  return entry(0, 0);
}

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);

const shown = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value));
