import { Option } from "commander";
import { z } from "zod";
import { LconvError, nearest } from "../errors.js";

/** What a flag's value may be: its words for messages, its schema, and how it is read from the command line. */
export interface Kind<T> {
  what: string;
  schema: z.ZodType<T>;
  read(text: string): unknown;
  choices?: readonly string[];
}

/** One flag of a command, which is also a key (in camelCase) of a configuration file. */
export interface Flag<T = unknown> {
  /** Stands for the value in the help. */
  value: string;
  kind: Kind<T>;
  help: string;
  /** For the help only; settings.ts fills it in, after flags, preset and configuration file. */
  default?: T;
}
export type Flags = Readonly<Record<string, Flag>>;

/** The values that were given, by key. */
export type Given<F extends Flags> = { [K in keyof F]?: F[K] extends Flag<infer T> ? T : never };

// A number as people write it; Number() alone would take "", " 1", "0x10" and "Infinity".
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const readNumber = (text: string): number => (decimal.test(text) ? Number(text) : Number.NaN);

export const integer = (min: number, max = 2 ** 31 - 1): Kind<number> => ({
  what: `an integer from ${min} to ${max}`,
  schema: z.int().min(min).max(max),
  read: readNumber,
});

export const positive: Kind<number> = { what: "a number above 0", schema: z.number().positive(), read: readNumber };

/** A number in [min, below), or in (min, below) when `open`. */
export const fraction = (min: number, below: number, open = false): Kind<number> => ({
  what: `a number ${open ? "above" : "from"} ${min}${below === Number.POSITIVE_INFINITY ? " on" : ` and below ${below}`}`,
  schema: z.number().refine((x) => (open ? x > min : x >= min) && x < below),
  read: readNumber,
});

export function choice<const T extends string>(choices: readonly T[]): Kind<T> {
  const what = choices.length > 1 ? `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}` : String(choices[0]);
  return { what, schema: z.enum(choices as readonly [T, ...T[]]) as unknown as z.ZodType<T>, read: (text) => text, choices };
}

/** One of a few whole numbers. */
export const oneOf = <const T extends number>(choices: readonly T[]): Kind<T> => ({
  what: choices.join(" or "),
  schema: z.literal(choices as readonly [T, ...T[]]) as unknown as z.ZodType<T>,
  read: readNumber,
});

export const text = (what: string, pattern = /./): Kind<string> => ({ what, schema: z.string().regex(pattern), read: (value) => value });

/** Reads a value from the command line. Throws ERR_LCONV_ARGUMENT. */
export function parseFlag<T>(key: string, kind: Kind<T>, value: string): T {
  const parsed = kind.schema.safeParse(kind.read(value));
  if (!parsed.success) throw new LconvError("ERR_LCONV_ARGUMENT", `${flagName(key)}: ${wrongValue(kind, value)}`);
  return parsed.data;
}

/** `expected an integer from 1 to 8, got "12abc"`, with the nearest choice where there is one. */
export function wrongValue(kind: Kind<unknown>, value: unknown): string {
  const near = typeof value === "string" && kind.choices ? nearest(value, kind.choices) : undefined;
  return `expected ${kind.what}, got ${JSON.stringify(value)}${near ? `; did you mean "${near}"?` : ""}`;
}

/** "weightDecay" as "--weight-decay". */
export const flagName = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The flags as commander's options. Their defaults are shown, not set, so that a value means that it was typed. */
export function toOptions(flags: Flags): Option[] {
  return Object.entries(flags).map(([key, { value, kind, help, default: normal }]) => {
    const shown = normal === undefined ? "" : ` (default: ${String(normal)})`;
    return new Option(`${flagName(key)} <${value}>`, help + shown).argParser((given: string) => parseFlag(key, kind, given));
  });
}
