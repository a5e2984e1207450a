import { Option } from "commander";
import { defined } from "../../defined.js";
import { clip, didYouMean, LconvError } from "../../errors.js";
import { quote } from "../../io/files.js";

/** What a flag's value may be: in words for messages, as a check, and how it is read from the command line. */
export interface Kind<T> {
  what: string;
  is(value: unknown): value is T;
  read(text: string): unknown;
  choices?: readonly string[];
  /** What is wrong with a value that was refused, where more can be said than what is expected. */
  fault?(value: unknown): string | undefined;
}

/** One flag of a command, which is also a key (in camelCase) of a configuration file. */
export interface Flag<T = unknown> {
  /** Stands for the value in the help; empty for a flag that takes none and is true when it is given. */
  value: string;
  kind: Kind<T>;
  help: string;
  /** Shown by the help, and filled in by `withDefaults`: a value that commander passes on was typed. */
  default?: T;
}
export type Flags = Readonly<Record<string, Flag>>;

/** The values that were given, by key. */
export type Given<F extends Flags> = { [K in keyof F]?: F[K] extends Flag<infer T> ? T : never };

type HavingDefault<F extends Flags> = { [K in keyof F]: F[K] extends { default: unknown } ? K : never }[keyof F];

/** The values with the default of every flag that has one. */
export type Settled<F extends Flags> = Required<Pick<Given<F>, HavingDefault<F>>> & Omit<Given<F>, HavingDefault<F>>;

/** The values of these flags, which may be among others; the default where one was not given. */
export const withDefaults = <F extends Flags>(flags: F, given: Given<F>): Settled<F> =>
  defined(Object.fromEntries(Object.entries(flags).map(([key, flag]) => [key, given[key] ?? flag.default]))) as Settled<F>;

// A number as people write it; Number() alone would take "", " 1", "0x10" and "Infinity".
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const readNumber = (text: string): number => (decimal.test(text) ? Number(text) : Number.NaN);

const isNumber = (x: unknown): x is number => Number.isFinite(x);
const isOneOf =
  <T>(choices: readonly T[]) =>
  (x: unknown): x is T =>
    choices.includes(x as T);

/** Of JSON. */
export const isObject = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);

export const integer = (min: number, max = 2 ** 31 - 1): Kind<number> => ({
  what: `an integer from ${min} to ${max}`,
  is: (x): x is number => isNumber(x) && Number.isSafeInteger(x) && x >= min && x <= max,
  read: readNumber,
});

export const number: Kind<number> = { what: "a number", is: isNumber, read: readNumber };

export const positive: Kind<number> = { what: "a number above 0", is: (x): x is number => isNumber(x) && x > 0, read: readNumber };

/** A number in [min, below), or in (min, below) when `open`. */
export const fraction = (min: number, below: number, open = false): Kind<number> => ({
  what: `a number ${open ? "above" : "from"} ${min}${below === Number.POSITIVE_INFINITY ? " on" : ` and below ${below}`}`,
  is: (x): x is number => isNumber(x) && (open ? x > min : x >= min) && x < below,
  read: readNumber,
});

export function choice<const T extends string>(choices: readonly T[]): Kind<T> {
  const what = choices.length > 1 ? `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}` : String(choices[0]);
  return { what, is: isOneOf(choices), read: (text) => text, choices };
}

/** One of a few whole numbers. */
export const numberChoice = <const T extends number>(choices: readonly T[]): Kind<T> => ({
  what: choices.join(" or "),
  is: isOneOf(choices),
  read: readNumber,
});

export const text = (what: string, pattern = /./): Kind<string> => ({
  what,
  is: (x): x is string => typeof x === "string" && pattern.test(x),
  read: (value) => value,
});

const NAME_BYTES = 200; // file systems take 255; a number may be added

/** Given or not. */
export const toggle: Kind<boolean> = { what: "true or false", is: (x) => typeof x === "boolean", read: (text) => text };

/** The name of one folder, which is made inside another: neither a path nor a way out of it. */
export const folderName: Kind<string> = {
  what: "the name of one folder",
  is: (x): x is string => typeof x === "string" && nameFault(x) === undefined,
  read: (value) => value,
  fault: (value) => (typeof value === "string" ? `${nameFault(value)}; a folder anywhere is given by --out` : undefined),
};

function nameFault(name: string): string | undefined {
  if (name.trim() === "") return "it is empty";
  if (name === "." || name === "..") return "it stands for another folder";
  if (/[/\\]/.test(name)) return "it has a slash in it";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "it has a control character in it";
  return Buffer.byteLength(name) > NAME_BYTES ? `it is longer than ${NAME_BYTES} bytes` : undefined;
}

/** Numbers from 0 on by name: `closure=1e-3,killing=0.1` on the command line, an object in a configuration file. */
export function weights<const N extends string>(names: readonly N[]): Kind<{ [K in N]?: number }> {
  const isName = isOneOf(names);
  const isWeight = (x: unknown): boolean => isNumber(x) && x >= 0;
  return {
    what: `NAME=WEIGHT,... with names out of ${names.join(", ")} and weights from 0 on`,
    is: (x): x is { [K in N]?: number } => isObject(x) && Object.entries(x).every(([name, value]) => isName(name) && isWeight(value)),
    read: (text) => {
      const entries = readWeights(text);
      // A name given twice is refused, as a text is no object.
      return new Set(entries.map(([name]) => name)).size === entries.length ? Object.fromEntries(entries) : text;
    },
    fault: (value) => {
      const entries = typeof value === "string" ? readWeights(value) : Object.entries(value ?? {});
      for (const [i, [name, number]] of entries.entries()) {
        if (!isName(name)) return `there is no "${clip(name)}"${didYouMean(name, names)}`;
        if (!isWeight(number)) return `the weight of ${name} is no number from 0 on`;
        if (entries.findIndex(([other]) => other === name) < i) return `${name} is there twice`;
      }
      return undefined;
    },
  };
}

function readWeights(text: string): [string, number][] {
  return text.split(",").map((part) => {
    const [name, ...rest] = part.split("=");
    return [name, readNumber(rest.join("="))];
  });
}

/** Reads a value from the command line. Throws ERR_LCONV_ARGUMENT. */
export function parseFlag<T>(key: string, kind: Kind<T>, value: string): T {
  const read = kind.read(value);
  if (!kind.is(read)) throw new LconvError("ERR_LCONV_ARGUMENT", `${flagName(key)}: ${wrongValue(kind, value)}`);
  return read;
}

/** `expected an integer from 1 to 8, got "12abc"`, with the nearest choice, or what is wrong, where that is known. */
export function wrongValue(kind: Kind<unknown>, value: unknown): string {
  const hint = typeof value === "string" && kind.choices ? didYouMean(value, kind.choices) : "";
  const fault = kind.fault?.(value);
  return `expected ${kind.what}, got ${quote(value)}${hint}${fault === undefined ? "" : `; ${fault}`}`;
}

/** "weightDecay" as "--weight-decay". */
export const flagName = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The flags as commander's options. Their defaults are shown, not set; see Flag. */
export function toOptions(flags: Flags): Option[] {
  return Object.entries(flags).map(([key, { value, kind, help, default: normal }]) => {
    const shown = normal === undefined ? "" : ` (default: ${String(normal)})`;
    if (value === "") return new Option(flagName(key), help + shown);
    return new Option(`${flagName(key)} <${value}>`, help + shown).argParser((given: string) => parseFlag(key, kind, given));
  });
}
