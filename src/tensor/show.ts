/** A number, or nested arrays of numbers. */
export type Nested = number | readonly Nested[];

const ALL = 1000; // a tensor of at most so many values is shown whole
const EDGE = 3; // of a larger one, so many entries at both ends of an axis

type Values = Float32Array | Int32Array;

/** Row-major values as nested arrays; a number for a tensor without axes. */
export function nested(values: Values, shape: readonly number[]): Nested {
  let step = values.length;
  const strides = shape.map((n) => (step = n === 0 ? 0 : step / n));
  const entry = (axis: number, from: number): Nested =>
    axis === shape.length ? values[from] : Array.from({ length: shape[axis] }, (_, i) => entry(axis + 1, from + i * strides[axis]));
  return entry(0, 0);
}

/** Values as people read them: four digits, one line a row, the middle of long axes left out. */
export function showValues(values: Values, shape: readonly number[]): string {
  const whole = values.length <= ALL;
  const show = (value: Nested, indent: string): string => {
    if (!Array.isArray(value)) return shown(value as number);
    const cut = !whole && value.length > 2 * EDGE;
    const items = (cut ? [...value.slice(0, EDGE), ...value.slice(-EDGE)] : value).map((item) => show(item, `${indent} `));
    if (cut) items.splice(EDGE, 0, "...");
    return `[${items.join(Array.isArray(value[0]) ? `,\n${indent} ` : ", ")}]`;
  };
  return show(nested(values, shape), "");
}

const shown = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value));
