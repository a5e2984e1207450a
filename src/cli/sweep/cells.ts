import { basename, join } from "node:path";
import { runFlags } from "../run/flags.js";
import { inFull, type mergeSettings } from "../run/settings.js";

/** Settings of a run, with all left open that depends on the machine. */
export type CellValues = ReturnType<typeof mergeSettings>;

/** One run of a sweep. */
export interface Cell {
  /** From 0 on, in the order of the grid file. */
  number: number;
  /** Its run folder, in that of the sweep: runs/0042-mnist-rotated-lconv-s3. */
  run: string;
  values: CellValues;
  /** Those settings in which the cells differ: "model cnn, seed 3". */
  label: string;
}

/** The cells of these settings, in their order. */
export function cellsOf(all: readonly CellValues[]): Cell[] {
  const settings = all.map(ordered);
  const keys = variedKeys(settings);
  return settings.map((values, number) => ({
    number,
    run: join("runs", runName(number, values)),
    values,
    label: settingsText(Object.fromEntries(keys.map((key) => [key, values[key]]))) || "the only one",
  }));
}

/** In the order of the flags, so that equal settings have equal texts, and with paths in full, as config.json has them. */
const ordered = (values: CellValues): CellValues => {
  const keys = (Object.keys(runFlags) as (keyof CellValues)[]).filter((key) => values[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, inFull(key, values[key])])) as unknown as CellValues;
};

/** The keys in which cells differ, in the order of the flags. */
export function variedKeys(all: readonly CellValues[]): (keyof CellValues)[] {
  const text = (values: CellValues, key: keyof CellValues): string | undefined => JSON.stringify(values[key]);
  return (Object.keys(runFlags) as (keyof CellValues)[]).filter((key) => all.some((values) => text(values, key) !== text(all[0], key)));
}

/** `model cnn, lr 0.001`. */
export const settingsText = (values: object): string =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${valueText(value)}`)
    .join(", ");

/** A value of a setting as people read it; "default" where it is left open. */
export const valueText = (value: unknown): string =>
  value === undefined ? "default" : typeof value === "object" ? JSON.stringify(value) : String(value);

const LONGEST = 40;

function runName(number: number, { dataset, variant, model, seed }: CellValues): string {
  const data = basename(dataset)
    .replace(/\.npz$/, "")
    .replace(/[^\w.-]/g, "_")
    .slice(0, LONGEST);
  return `${String(number).padStart(4, "0")}-${data}-${variant}-${model}-s${seed}`;
}
