import { Writable } from "node:stream";

/**
 * A terminal that understands what progress bars need: text that wraps, \r, \n, and the sequences for cursor up, clear below, the cursor and line wrap.
 * As most of today's, it breaks long lines anew when its width changes, and the cursor stays where it is in its text.
 */
export class Terminal extends Writable {
  readonly isTTY = true;
  columns: number;
  /** Text between two line ends, however many rows it takes. */
  lines: string[] = [""];
  cursorShown = true;
  #wraps = true;
  #line = 0;
  #at = 0;

  constructor(columns: number) {
    super({ decodeStrings: false });
    this.columns = columns;
  }

  /** Whether all that was written ended with a line end. */
  get atStart(): boolean {
    return this.#at === 0 && this.#line === this.lines.length - 1 && this.lines[this.#line] === "";
  }

  resize(columns: number): void {
    this.columns = columns;
    this.emit("resize");
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal reads
    for (const [piece, , count, command] of text.matchAll(/\u001b\[(\??)(\d*)([A-Za-z])|./gs)) {
      if (command) this.#obey(command, Number(count || 1));
      else if (piece === "\r") this.#at -= this.#at % this.columns;
      else if (piece === "\n") this.#feed();
      else this.#put(piece);
    }
    done();
  }

  #obey(command: string, count: number): void {
    if (command === "A") for (let i = 0; i < count; i++) this.#up();
    else if (command === "J") this.lines = [...this.lines.slice(0, this.#line), this.lines[this.#line].slice(0, this.#at)];
    else if (command === "h" || command === "l") this.#set(count, command === "h");
    else throw new Error(`this terminal knows no sequence that ends with ${command}`);
  }

  #set(mode: number, on: boolean): void {
    if (mode === 25) this.cursorShown = on;
    if (mode === 7) this.#wraps = on;
  }

  #put(letter: string): void {
    const line = this.lines[this.#line].padEnd(this.#at);
    this.lines[this.#line] = line.slice(0, this.#at) + letter + line.slice(this.#at + 1);
    if (this.#wraps || (this.#at + 1) % this.columns !== 0) this.#at++;
  }

  #feed(): void {
    const below = this.#at - (this.#at % this.columns) + this.columns;
    if (below < this.lines[this.#line].length) {
      this.#at = below;
      return;
    }
    this.#line++;
    this.#at = 0;
    if (this.#line === this.lines.length) this.lines.push("");
  }

  #up(): void {
    if (this.#at >= this.columns) this.#at -= this.columns;
    else if (this.#line > 0) {
      this.#line--;
      const last = Math.max(0, this.lines[this.#line].length - 1);
      this.#at += last - (last % this.columns);
    }
  }
}
