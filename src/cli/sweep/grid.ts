import { check, unknownName } from "../../errors.js";
import { quote } from "../../io/files.js";
import { runFlags } from "../run/flags.js";
import { mergeSettings, readJson, settingsIn } from "../run/settings.js";
import { controlFlags, type TrainValues } from "../run/trainFlags.js";
import { type Flags, isObject } from "../terminal/flags.js";
import { type Cell, cellsOf, settingsText } from "./cells.js";

/** Settings that a grid may name: those of a run, and the preset that they start from. */
const gridFlags = { preset: controlFlags.preset, ...runFlags } as const;
const parts = ["base", "grid", "cells", "skip"] as const;
const MOST_CELLS = 100_000;

/**
 * The cells of a grid file: `base` with every combination of the values of `grid`, the last key changing fastest, without those that an entry of `skip`
 * describes, then `base` with each entry of `cells`. Values are a list or, of whole numbers, { "from": 0, "to": 9 }. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT,
 * ERR_LCONV_OPTION (an unknown or double key) and ERR_LCONV_ARGUMENT (a value, two cells that are the same, an entry of `skip` that describes none).
 */
export function readGrid(path: string): Cell[] {
  const file = objectIn(readJson(path), path);
  for (const key of Object.keys(file))
    check((parts as readonly string[]).includes(key), "ERR_LCONV_OPTION", () => unknownName(path, "key", key, parts));
  const base = settingsAt(file["base"] ?? {}, `${path}: base`);
  const products = file["grid"] === undefined ? [] : combinations(file["grid"], `${path}: grid`);
  const more = listAt(file["cells"], `${path}: cells`, gridFlags);
  const kept = without(
    products.map((values) => mergeSettings({}, { ...base, ...values })),
    listAt(file["skip"], `${path}: skip`, runFlags),
    path,
  );
  const all = [...kept, ...more.map((values) => mergeSettings({}, { ...base, ...values }))];
  check(all.length > 0, "ERR_LCONV_ARGUMENT", () => `${path}: expected at least one cell, by "grid" or "cells", got none`);
  const cells = cellsOf(all);
  checkDistinct(cells, path);
  return cells;
}

function objectIn(value: unknown, where: string): Record<string, unknown> {
  check(
    isObject(value),
    "ERR_LCONV_FORMAT",
    () => `${where}: expected a JSON object, got ${Array.isArray(value) ? "an array" : quote(value)}`,
  );
  return value;
}

const settingsAt = (value: unknown, where: string): TrainValues => settingsIn(value, gridFlags, where);

function listAt(value: unknown, where: string, flags: Flags): TrainValues[] {
  if (value === undefined) return [];
  check(Array.isArray(value), "ERR_LCONV_FORMAT", () => `${where}: expected a list of objects of settings, got ${quote(value)}`);
  return value.map((entry, i) => settingsIn(entry, flags, `${where}[${i}]`));
}

/** Every combination of the values of each key. */
function combinations(value: unknown, where: string): TrainValues[] {
  const axes = Object.entries(objectIn(value, where)).map(([key, values]) => [key, valuesOf(key, values, where)] as const);
  const count = axes.reduce((product, [, values]) => product * values.length, 1);
  check(count <= MOST_CELLS, "ERR_LCONV_ARGUMENT", () => `${where}: expected at most ${MOST_CELLS} cells, got ${count}; split the grid`);
  return axes.reduce<TrainValues[]>((all, [key, values]) => all.flatMap((cell) => values.map((v) => ({ ...cell, [key]: v }))), [{}]);
}

function valuesOf(key: string, given: unknown, where: string): unknown[] {
  check(Object.hasOwn(gridFlags, key), "ERR_LCONV_OPTION", () => unknownName(where, "key", key, Object.keys(gridFlags)));
  const values = Array.isArray(given) ? given : range(given, `${where}: ${key}`);
  check(values.length > 0, "ERR_LCONV_ARGUMENT", () => `${where}: ${key}: expected at least one value, got an empty list`);
  for (const value of values) settingsAt({ [key]: value }, where);
  return values;
}

function range(given: unknown, where: string): number[] {
  const expected = (): string => `${where}: expected a list of values, or whole numbers as { "from": 0, "to": 9 }, got ${quote(given)}`;
  check(isObject(given) && Object.keys(given).sort().join() === "from,to", "ERR_LCONV_FORMAT", expected);
  const [from, to] = [given["from"], given["to"]].map(Number);
  const whole = Number.isSafeInteger(given["from"]) && Number.isSafeInteger(given["to"]);
  check(whole && from <= to && to - from < MOST_CELLS, "ERR_LCONV_ARGUMENT", expected);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** The cells that no entry of `skip` describes; an entry describes those that have all of its values. */
function without(cells: readonly Cell["values"][], skip: readonly TrainValues[], path: string): Cell["values"][] {
  const describes = (entry: TrainValues, values: Cell["values"]): boolean =>
    Object.entries(entry).every(([key, value]) => JSON.stringify(value) === JSON.stringify(values[key as keyof Cell["values"]]));
  for (const [i, entry] of skip.entries())
    check(
      cells.some((values) => describes(entry, values)),
      "ERR_LCONV_ARGUMENT",
      () => `${path}: skip[${i}] (${settingsText(entry)}) describes no cell of the grid; correct it or leave it out`,
    );
  return cells.filter((values) => !skip.some((entry) => describes(entry, values)));
}

function checkDistinct(cells: readonly Cell[], path: string): void {
  const seen = new Map<string, Cell>();
  for (const cell of cells) {
    const key = JSON.stringify(cell.values);
    const twin = seen.get(key);
    check(
      twin === undefined,
      "ERR_LCONV_ARGUMENT",
      () => `${path}: cells ${twin?.number} and ${cell.number} are the same (${cell.label}); leave one out, or give it another seed`,
    );
    seen.set(key, cell);
  }
}
