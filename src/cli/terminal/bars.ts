import { barLine, printable, type TaskState } from "./progressText.js";

export type ReporterStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

const REDRAW_MS = 100;

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_BELOW = "\r\u001b[J"; // the line of the cursor, and all below
const up = (rows: number): string => (rows > 0 ? `\r\u001b[${rows}A` : "\r");

let shown: Bars | undefined;

/** Writes whole lines that go to the same terminal by another way, such as results on stdout, above the bars. */
export function aboveBars(write: () => void): void {
  if (shown) shown.above(write);
  else write();
}

/**
 * One bar a task at the bottom of a terminal, the newest last; bars of finished tasks stay. Between two drawings the cursor waits at the start of the first
 * bar: a terminal that gets narrower breaks bars into more rows, and moves the cursor along with its text.
 */
export class Bars {
  readonly #stream: ReporterStream;
  readonly #tasks: ReadonlyMap<string, TaskState>;
  readonly #update = (): void => this.update();
  readonly #done = (): void => this.done();
  #state: "empty" | "shown" | "ended" = "empty";
  #pause: NodeJS.Timeout | undefined; // until the next drawing
  #changed = false; // during the pause

  constructor(stream: ReporterStream, tasks: ReadonlyMap<string, TaskState>) {
    this.#stream = stream;
    this.#tasks = tasks;
  }

  /** Draws the tasks as they are now, ten times a second at most. */
  update(): void {
    if (this.#state === "ended") return;
    this.#changed = this.#pause !== undefined;
    if (this.#changed) return;
    if (this.#state === "empty") this.#begin();
    this.#draw();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#changed) this.update();
    }, REDRAW_MS);
    this.#pause.unref();
  }

  line(text: string): void {
    if (this.#state !== "ended") this.above(() => this.#stream.write(`${text}\n`));
  }

  /** Lets `write` put whole lines above the bars, if there are any. */
  above(write: () => void): void {
    const redraw = this.#state === "shown";
    if (redraw) this.#stream.write(CLEAR_BELOW);
    write();
    if (redraw) this.#draw();
  }

  /** Draws for the last time and leaves the cursor below. */
  done(): void {
    const was = this.#state;
    this.#state = "ended";
    if (was !== "shown") return;
    shown = undefined;
    clearTimeout(this.#pause);
    process.removeListener("exit", this.#done);
    this.#stream.removeListener("resize", this.#update);
    this.#stream.write(`${CLEAR_BELOW}${this.#text()}\n${SHOW_CURSOR}`);
  }

  #begin(): void {
    this.#state = "shown";
    shown = this;
    process.once("exit", this.#done); // the cursor comes back after process.exit, too
    this.#stream.on("resize", this.#update);
    this.#stream.write(HIDE_CURSOR);
  }

  #draw(): void {
    this.#stream.write(`${CLEAR_BELOW}${this.#text()}${up(this.#tasks.size - 1)}`);
  }

  /** No bar reaches the last column, so each is one row. */
  #text(): string {
    const states = [...this.#tasks.values()];
    const width = Math.max(...states.map(({ name }) => printable(name).length));
    return states.map((state) => barLine(state, this.#stream.columns ?? 80, width)).join("\n");
  }
}
