import { checkFormat, formatError, quote } from "../../io/files.js";
import type { Row } from "./score.js";
import { allTruths } from "./truths.js";

/**
 * The row that a line of a ledger holds. A line without its end was cut off by a kill; it may stand in the middle, as the next row begins on a new line.
 * Throws ERR_LCONV_FORMAT for what is no row, and for one whose truth is another now.
 */
export function readLine(line: string, where: string): Row | "empty" | "cut" {
  if (line.trim() === "") return "empty";
  if (line.startsWith("{") && !line.trimEnd().endsWith("}")) return "cut";
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw formatError(where, "is no line of JSON", error);
  }
  return withTruth(checkFields(Object(json), where), where);
}

/** What a field must be, and what it is where a line leaves it out, if that is allowed. */
interface Field {
  what: string;
  is(value: unknown): boolean;
  otherwise?: unknown;
}

const isNumber = (x: unknown): x is number => Number.isFinite(x);
const text: Field = { what: "a text", is: (x) => typeof x === "string" };
const number: Field = { what: "a number", is: isNumber };
const numberFrom = (min: number): Field => ({ what: `a number from ${min} on`, is: (x) => isNumber(x) && x >= min });
const integerFrom = (min: number): Field => ({
  what: `an integer from ${min} on`,
  is: (x) => Number.isSafeInteger(x) && numberFrom(min).is(x),
});
const orNull = ({ what, is }: Field): Field => ({ what: `${what}, or null`, is: (x) => x === null || is(x), otherwise: null });
const list = ({ what, is }: Field): Field => ({ what: `a list, each ${what}`, is: (x) => Array.isArray(x) && x.every(is), otherwise: [] });
const optional = ({ what, is }: Field): Field => ({ what, is: (x) => x === undefined || is(x) });
const figures = list(orNull(number)); // null stands for NaN, which JSON has not

const fields: Record<keyof Line, Field> = {
  system: { what: "a name", is: (x) => text.is(x) && x !== "" },
  truth: text,
  samples: integerFrom(1),
  noise: numberFrom(0),
  cond: numberFrom(1),
  seed: integerFrom(0),
  dimension: { ...orNull(integerFrom(0)), otherwise: undefined },
  algebra: orNull(text),
  alternatives: list(text),
  angle: orNull(number),
  angleOnData: orNull(number),
  bound: orNull(number),
  residuals: figures,
  residualNoise: orNull(figures),
  change: orNull(number),
  r2: figures,
  seconds: orNull(number),
  notes: list(text),
  trueDimension: optional(integerFrom(0)),
  trueAlgebra: optional(text),
};

/** A row as it is read. */
interface Line extends Omit<Row, "category" | "trueDimension" | "trueAlgebra"> {
  trueDimension?: number;
  trueAlgebra?: string;
}

function checkFields(line: Record<string, unknown>, where: string): Line {
  const checked = Object.entries(fields).map(([name, { what, is, otherwise }]) => {
    const value = line[name] === undefined ? otherwise : line[name];
    checkFormat(is(value), where, () => `is no row of a benchmark: ${name}: expected ${what}, got ${quote(line[name])}`);
    return [name, value];
  });
  return Object.fromEntries(checked) as Line;
}

/** The truth is the one of this version, and not what a line says. */
function withTruth(line: Line, where: string): Row {
  const truth = allTruths.find(({ name }) => name === line.truth);
  if (!truth) throw formatError(where, `there is no truth "${line.truth}"`);
  const own = { category: truth.category, trueDimension: truth.generators?.n_L ?? 0, trueAlgebra: truth.algebra };
  const { trueDimension = own.trueDimension, trueAlgebra = own.trueAlgebra } = line;
  if (trueDimension !== own.trueDimension || trueAlgebra !== own.trueAlgebra) {
    const [before, now] = [`${trueAlgebra} of dimension ${trueDimension}`, `${own.trueAlgebra} of dimension ${own.trueDimension}`];
    throw formatError(where, `"${truth.name}" was ${before} and is ${now}: remove its lines, and its cells are done again`);
  }
  const { algebra, dimension, residuals, residualNoise, r2 } = line;
  const measured = { residuals: withNaN(residuals), residualNoise: residualNoise && withNaN(residualNoise), r2: withNaN(r2) };
  return { ...line, ...measured, ...own, algebra: dimension === 0 ? "none" : algebra };
}

const withNaN = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? Number.NaN);
