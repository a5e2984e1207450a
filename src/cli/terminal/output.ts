import { once } from "node:events";
import { aboveBars } from "./bars.js";

/** What a command says on stdout: one JSON object a line with --json, else text for people. */
export class Output {
  readonly json: boolean;

  readonly #mute: boolean;

  /** A `mute` one says nothing. */
  constructor(json: boolean, mute = false) {
    this.json = json;
    this.#mute = mute;
  }

  /** A line for programs; nothing without --json. */
  emit(object: object): void {
    if (this.json && !this.#mute) aboveBars(() => process.stdout.write(`${JSON.stringify(object)}\n`));
  }

  /** Resolves when stdout takes more: whoever writes much must not pile it up. Throws the reason of `signal`. */
  async drained(signal: AbortSignal): Promise<void> {
    if (process.stdout.writableNeedDrain) await once(process.stdout, "drain", { signal }).catch(() => {}); // what ended it, the signal says
    signal.throwIfAborted();
  }

  /** A line for people; nothing with --json. */
  text(line: string): void {
    if (!this.json && !this.#mute) aboveBars(() => process.stdout.write(`${line}\n`));
  }
}

/** Columns as wide as their longest cell; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)), []);
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Names and what belongs to them, one a line. */
export function list(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value.replaceAll("\n", `\n${" ".repeat(width + 2)}`)}`).join("\n");
}

export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined ? "–" : `${(100 * share).toFixed(2)} %`;
export const count = (n: number): string => Math.round(n).toLocaleString("en-US");
export const seconds = (s: number): string => `${s.toFixed(s < 100 ? 1 : 0)} s`;
export const megabytes = (bytes: number): string => `${count(bytes / 1e6)} MB`;

/** "12-20", or "31" where both ends are the same. */
export const range = (low: number, high: number): string =>
  low.toFixed(0) === high.toFixed(0) ? low.toFixed(0) : `${low.toFixed(0)}-${high.toFixed(0)}`;
