import { inspect } from "node:util";

/** The codes of LconvError. They are stable: programs may compare them. */
export type ErrorCode =
  | "ERR_LCONV_ARGUMENT" // a value that is out of range or of the wrong type
  | "ERR_LCONV_OPTION" // an unknown option
  | "ERR_LCONV_SHAPE" // shapes that do not fit together
  | "ERR_LCONV_DTYPE" // float32 where int32 is needed, or the reverse
  | "ERR_LCONV_DISPOSED" // use after dispose()
  | "ERR_LCONV_BUSY" // a buffer that a running program holds
  | "ERR_LCONV_RECORDING" // a call that cannot be recorded, or needs a recording
  | "ERR_LCONV_OOM" // no memory left on the device
  | "ERR_LCONV_DEVICE" // a device that is not there
  | "ERR_LCONV_CUDA_MODULE" // lconv_cuda.so is not part of this build, or does not load
  | "ERR_LCONV_CUDA_ABI" // lconv_cuda.so belongs to another version
  | "ERR_LCONV_CUDA_NO_DRIVER" // no NVIDIA driver
  | "ERR_LCONV_CUDA_DRIVER" // an NVIDIA driver that does not work
  | "ERR_LCONV_CUDA_OLD_DRIVER" // a driver that is too old for this build
  | "ERR_LCONV_CUDA_NO_GPU" // a driver without a GPU, or without the one that was named
  | "ERR_LCONV_CUDA_HIDDEN" // CUDA_VISIBLE_DEVICES hides every GPU
  | "ERR_LCONV_CUDA_OLD_GPU" // a GPU that is too old for this build
  | "ERR_LCONV_CUDA_CUBLAS" // cuBLAS is missing, broken or of the wrong major version
  | "ERR_LCONV_CUDA_LOST" // an error after which the GPU's context is unusable: the device is closed
  | "ERR_LCONV_CUDA" // any other CUDA call that failed
  | "ERR_LCONV_NATIVE" // the native binary is missing, broken or of another version
  | "ERR_LCONV_FORMAT" // a file that is not what it should be
  | "ERR_LCONV_DATA" // data that cannot be trained on (labels out of range, NaN pixels, no samples)
  | "ERR_LCONV_DOWNLOAD" // a download that failed or has the wrong checksum
  | "ERR_LCONV_CHECKPOINT" // a checkpoint that does not belong to this model or run
  | "ERR_LCONV_LOCKED" // a run folder that another process is writing
  | "ERR_LCONV_MPI" // MPI is missing, was started by another launcher, or failed
  | "ERR_LCONV_COLLECTIVE" // another rank did not come
  | "ERR_LCONV_NCCL" // NCCL is missing or too old, or failed
  | "ERR_LCONV_RANKS" // ranks that differ in settings, version or network
  | "ERR_LCONV_DIVERGED" // ranks whose weights came to differ
  | "ERR_LCONV_SLURM" // Slurm is missing, or one of its programs failed
  | "ERR_LCONV_IO" // a file or folder that cannot be read or written
  | "ERR_LCONV_NONFINITE"; // NaN or Inf in the loss

/** An error that the package throws on purpose. Its message says what, where, expected, got, and what to do. */
export class LconvError extends Error {
  /** Tells errors apart; stable from version to version. */
  readonly code: ErrorCode;

  /** `options.cause` is the error behind this one. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LconvError";
    this.code = code;
  }
}

/** Throws unless `ok`; the message is only built when it is needed. */
export function check(ok: boolean, code: ErrorCode, message: () => string): asserts ok {
  if (!ok) throw new LconvError(code, message());
}

/** `[3, 28, 28]` as the messages show a shape. */
export const showShape = (shape: readonly number[]): string =>
  shape.length > MOST_AXES ? `[${shape.slice(0, MOST_AXES).join(", ")}, … ${shape.length} axes]` : `[${shape.join(", ")}]`;
const MOST_AXES = 32;

const MOST_SHOWN = 80;

/** A text that a file made, as messages show it: 80 characters at most, or `most`, and those that a terminal would obey or hide escaped. */
export function clip(text: string, most = MOST_SHOWN): string {
  const shown = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return shown.replace(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** The names of all options in T, as the keys of an object: an option that is missing here, or is none of T, does not compile. */
export type OptionNames<T> = Readonly<Record<keyof T, unknown>>;

/** Any value as messages show it; never throws, and calls nothing of the value. */
export const shown = (value: unknown): string =>
  clip(typeof value === "string" ? value : inspect(value, { depth: 0, customInspect: false }));

/** Throws ERR_LCONV_OPTION for an option that is none of `known`, such as `{ steps: 1, signal: 1 }`, ERR_LCONV_ARGUMENT for what is no object. */
export function checkOptions<T extends object>(where: string, options: T, known: OptionNames<NoInfer<T>>): void {
  check(
    typeof options === "object" && options !== null,
    "ERR_LCONV_ARGUMENT",
    () => `${where}: options must be an object, got ${shown(options)}`,
  );
  for (const name of Object.keys(options))
    if (!Object.hasOwn(known, name)) throw new LconvError("ERR_LCONV_OPTION", unknownName(where, "option", name, Object.keys(known)));
}

/** `value` as one of the names `known`. Throws ERR_LCONV_ARGUMENT, with the text of `unknownName`. */
export function oneOf<T extends string>(where: string, what: string, value: string, known: readonly T[], list?: string): T {
  const found = known.find((name) => name === value);
  if (found === undefined)
    throw new LconvError("ERR_LCONV_ARGUMENT", unknownName(where, what, typeof value === "string" ? value : shown(value), known, list));
  return found;
}

/** `fit: unknown option "epoch"; did you mean "epochs"? known: batch, epochs`. `list` stands in place of the known names. */
export function unknownName(
  where: string,
  what: string,
  name: string,
  known: readonly string[],
  list = `known: ${known.join(", ")}`,
): string {
  const hint = didYouMean(name, known);
  return `${where}: unknown ${what} "${clip(name)}"${hint}${hint === "" ? ";" : ""} ${list}`;
}

/** `; did you mean "epochs"?`; empty where none of the known names is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}

/** Throws ERR_LCONV_ARGUMENT unless `value` is an integer in [min, max]. */
export function checkInteger(where: string, name: string, value: unknown, min: number, max = 2 ** 31 - 1): asserts value is number {
  check(
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    "ERR_LCONV_ARGUMENT",
    () => `${where}: ${name} must be an integer from ${min} to ${max}, got ${shown(value)}`,
  );
}

const LONGEST_NAME = 64;

/** The known name nearest to `name` by edit distance; undefined when none is near, and for names above 64 characters. */
function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.ceil(name.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > LONGEST_NAME) continue; // the distance costs the product of the lengths
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
