import { checkOptions, oneOf } from "../../errors.js";
import type { FallbackEvent } from "../../train/events.js";
import { Bars, type ReporterStream } from "./bars.js";
import { epochLine, plainLine, type TaskState } from "./progressText.js";
import { type ProgressEvent, Tasks } from "./tasks.js";

/** What the user has to know of the result, also in mode "silent". */
export interface NoteEvent {
  type: "note";
  text: string;
}

export type ReporterEvent = ProgressEvent | NoteEvent;

/** Where long work tells the user how far it is. */
export interface Reporter {
  event(event: ReporterEvent): void;
  /** A line for the user, above the bars. */
  line(text: string): void;
  /** Ends all output and gives the terminal back; call it in a `finally`. Further calls do nothing. */
  done(): void;
}

const modes = ["auto", "bar", "plain", "jsonl", "silent"] as const;

export type ReporterMode = (typeof modes)[number];

export interface ReporterOptions {
  mode?: ReporterMode; // default "auto": bars on a terminal, else plain lines
  stream?: ReporterStream; // default process.stderr
}

/** Throws ERR_LCONV_OPTION for an unknown option, ERR_LCONV_ARGUMENT for an unknown mode. */
export function createReporter(options: ReporterOptions = {}): Reporter {
  checkOptions("createReporter", options, { mode: 1, stream: 1 });
  const { mode = "auto", stream = process.stderr } = options;
  oneOf("createReporter", "mode", mode, modes);
  // a reader of the progress that goes away must not end the work
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  if (mode === "silent") return new SilentReporter(stream);
  if (mode === "jsonl") return new JsonlReporter(stream);
  const terminal = stream.isTTY === true && process.env.TERM !== "dumb"; // elsewhere bars become lines
  return terminal && mode !== "plain" ? new BarReporter(stream) : new PlainReporter(stream);
}

const ignore = (): void => {};

/** The line of a note, or of an event that has to be known as one. */
function noteLine(event: NoteEvent | FallbackEvent): string {
  if (event.type === "note") return `note: ${event.text}`;
  const { model, path, step, reason } = event;
  return `note: ${reason}. ${model} goes on from the checkpoint before it, ${path}, after step ${step}; the result is the same`;
}

const isNote = (event: ReporterEvent): event is NoteEvent | FallbackEvent => event.type === "note" || event.type === "fallback";

/** Notes alone. */
class SilentReporter implements Reporter {
  readonly #stream: ReporterStream;

  constructor(stream: ReporterStream) {
    this.#stream = stream;
  }

  event(event: ReporterEvent): void {
    if (isNote(event)) this.#stream.write(`${noteLine(event)}\n`);
  }
  line(): void {}
  done(): void {}
}

/** One object a line, its kind under "event" as in the results on stdout. */
class JsonlReporter implements Reporter {
  readonly #stream: ReporterStream;
  #ended = false;

  constructor(stream: ReporterStream) {
    this.#stream = stream;
  }

  event({ type, ...fields }: ReporterEvent): void {
    this.#write(type, fields);
  }

  line(text: string): void {
    this.#write("line", { text });
  }

  done(): void {
    this.#ended = true;
  }

  #write(event: string, fields: object): void {
    if (!this.#ended) this.#stream.write(`${JSON.stringify({ event, ...fields })}\n`);
  }
}

const QUIET_MS = 5000; // between two lines about one task

/** A line an epoch, and between them one every five seconds at most for each task. */
class PlainReporter implements Reporter {
  readonly #stream: ReporterStream;
  readonly #tasks = new Tasks();
  readonly #lastLine = new Map<string, number>();
  #ended = false;

  constructor(stream: ReporterStream) {
    this.#stream = stream;
  }

  event(event: ReporterEvent): void {
    if (isNote(event)) this.line(noteLine(event));
    else {
      const state = this.#tasks.follow(event);
      const line = state && this.#lineOf(event, state, Date.now());
      if (line !== undefined) this.line(line);
    }
  }

  /** What there is to say of a task now; mostly nothing. */
  #lineOf(event: ProgressEvent, state: TaskState, now: number): string | undefined {
    if (event.type === "epoch") {
      this.#lastLine.set(state.name, now);
      return epochLine(event);
    }
    const last = this.#lastLine.get(state.name);
    if (last === undefined) this.#lastLine.set(state.name, now);
    // the last epoch says that a training task ended
    const ends = event.type === "task" && event.total > 0 && event.value >= event.total && last !== Infinity;
    if (!ends && now - (last ?? now) < QUIET_MS) return undefined;
    this.#lastLine.set(state.name, ends ? Infinity : now);
    return plainLine(state, now);
  }

  line(text: string): void {
    if (!this.#ended) this.#stream.write(`${text}\n`);
  }

  done(): void {
    this.#ended = true;
  }
}

/** One bar a task on a terminal. */
class BarReporter implements Reporter {
  readonly #tasks = new Tasks();
  readonly #bars: Bars;

  constructor(stream: ReporterStream) {
    this.#bars = new Bars(stream, this.#tasks.states);
  }

  event(event: ReporterEvent): void {
    if (isNote(event)) this.line(noteLine(event));
    else if (this.#tasks.follow(event)) this.#bars.update();
  }

  line(text: string): void {
    this.#bars.line(text);
  }

  done(): void {
    this.#bars.done();
  }
}
