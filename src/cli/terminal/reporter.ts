import progress from "cli-progress";
import { check, checkOptions, nearest } from "../../errors.js";
import type { EpochEvent, FallbackEvent, StepEvent, TrainEvent } from "../../train/events.js";
import { barLine, epochLine, plainLine, printable, type TaskState } from "./progressText.js";

export interface Task {
  name: string; // the model, or the work: "download train-images"
  total: number; // 0: not known yet
  unit?: string; // "steps", "images"; "B" for bytes
}

/** Progress of work that is no training: downloads, rotations, evaluation. */
export interface TaskProgress extends Task {
  type: "task";
  value: number;
}

/** Where long work tells the user how far it is. Tasks are told apart by name, and may run side by side. */
export interface Reporter {
  start(task: Task): void;
  /** Starts the task by itself when nobody did. */
  progress(event: StepEvent | TaskProgress): void;
  epoch(event: EpochEvent): void;
  /** Any event of a training run, to where it belongs. */
  event(event: TrainEvent): void;
  /** A line for the user, above the bars. */
  line(text: string): void;
  /** What the user has to know of the result, also in mode "silent". */
  note(text: string): void;
  /** Ends all output and gives the terminal back; call it in a `finally`. Further calls do nothing. */
  done(): void;
}

const modes = ["auto", "bar", "plain", "jsonl", "silent"] as const;

export type ReporterMode = (typeof modes)[number];

export type ReporterStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

export interface ReporterOptions {
  mode?: ReporterMode; // default "auto": bars on a terminal, else plain lines
  stream?: ReporterStream; // default process.stderr
}

/** Throws ERR_LCONV_OPTION for an unknown option, ERR_LCONV_ARGUMENT for an unknown mode. */
export function createReporter(options: ReporterOptions = {}): Reporter {
  checkOptions("createReporter", options, ["mode", "stream"]);
  const { mode = "auto", stream = process.stderr } = options;
  check(modes.includes(mode), "ERR_LCONV_ARGUMENT", () => unknownMode(mode));
  // a reader of the progress that goes away must not end the work
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  if (mode === "silent") return new SilentReporter(stream);
  if (mode === "jsonl") return new JsonlReporter(stream);
  const terminal = stream.isTTY === true && process.env.TERM !== "dumb";
  // cli-progress draws nothing off a terminal, so bars that were asked for become lines there
  return terminal && mode !== "plain" ? new BarReporter(stream) : new PlainReporter(stream);
}

const ignore = (): void => {};

function unknownMode(mode: string): string {
  const near = nearest(mode, modes);
  return `createReporter: mode must be one of ${modes.join(", ")}, got "${mode}"${near ? `; did you mean "${near}"?` : ""}`;
}

abstract class BaseReporter implements Reporter {
  abstract start(task: Task): void;
  abstract progress(event: StepEvent | TaskProgress): void;
  abstract epoch(event: EpochEvent): void;
  abstract line(text: string): void;

  event(event: TrainEvent): void {
    if (event.type === "step") this.progress(event);
    else if (event.type === "epoch") this.epoch(event);
    else if (event.type === "fallback") this.note(fallbackText(event));
  }

  note(text: string): void {
    this.line(`note: ${text}`);
  }

  done(): void {}
}

const fallbackText = ({ model, path, step, reason }: FallbackEvent): string =>
  `${reason}. ${model} goes on from the checkpoint before it, ${path}, after step ${step}; the result is the same`;

/** Notes alone. */
class SilentReporter extends BaseReporter {
  readonly #stream: ReporterStream;

  constructor(stream: ReporterStream) {
    super();
    this.#stream = stream;
  }

  override note(text: string): void {
    this.#stream.write(`note: ${text}\n`);
  }
  override start(): void {}
  override progress(): void {}
  override epoch(): void {}
  override line(): void {}
}

/** One object a line, its kind under "event" as in the results on stdout. */
class JsonlReporter extends BaseReporter {
  readonly #stream: ReporterStream;
  #ended = false;

  constructor(stream: ReporterStream) {
    super();
    this.#stream = stream;
  }

  override start(task: Task): void {
    this.#write("start", task);
  }

  override progress(event: StepEvent | TaskProgress): void {
    this.#writeEvent(event);
  }

  override epoch(event: EpochEvent): void {
    this.#writeEvent(event);
  }

  override event(event: TrainEvent): void {
    this.#writeEvent(event);
  }

  override line(text: string): void {
    this.#write("line", { text });
  }

  override note(text: string): void {
    this.#write("note", { text });
  }

  override done(): void {
    this.#ended = true;
  }

  #writeEvent({ type, ...fields }: TrainEvent | TaskProgress): void {
    this.#write(type, fields);
  }

  #write(event: string, fields: object): void {
    if (!this.#ended) this.#stream.write(`${JSON.stringify({ event, ...fields })}\n`);
  }
}

/** The state of all tasks by name, for the reporters that show text. */
class Tasks {
  readonly states = new Map<string, TaskState>();

  start({ name, total, unit = "" }: Task, value = 0): TaskState {
    const state: TaskState = { name, total, unit, value, startValue: value, startTime: Date.now() };
    this.states.set(name, state);
    return state;
  }

  advance(event: StepEvent | TaskProgress): TaskState {
    if (event.type === "task") {
      const state = this.states.get(event.name) ?? this.start(event);
      return this.#set(state, event.value, event.total);
    }
    const state = this.#model(event, event.steps, event.step);
    // the first chunk's steps were made before the clock started, and so were those before a resume
    if (state.value === 0) Object.assign(state, { startValue: event.step, startTime: Date.now() });
    Object.assign(state, { epoch: `${event.epoch}/${event.epochs}`, loss: event.loss, rate: event.samplesPerSecond });
    return this.#set(state, event.step, event.steps);
  }

  endEpoch(event: EpochEvent): TaskState {
    const state = this.#model(event, 0, 0);
    return Object.assign(state, { epoch: `${event.epoch}/${event.epochs}`, loss: event.loss, valAccuracy: event.valAccuracy });
  }

  #set(state: TaskState, value: number, total: number): TaskState {
    Object.assign(state, { value, total });
    if (total > 0 && value >= total) state.endTime ??= Date.now();
    return state;
  }

  #model(event: { model: string }, total: number, value: number): TaskState {
    return this.states.get(event.model) ?? this.start({ name: event.model, total, unit: "steps" }, value);
  }
}

const quietTime = 5000; // ms between two lines about one task

/** A line an epoch, and between them one every five seconds at most for each task. */
class PlainReporter extends BaseReporter {
  readonly #stream: ReporterStream;
  readonly #tasks = new Tasks();
  readonly #lastLine = new Map<string, number>();
  #ended = false;

  constructor(stream: ReporterStream) {
    super();
    this.#stream = stream;
  }

  override start(task: Task): void {
    this.#tasks.start(task);
    this.#lastLine.set(task.name, Date.now());
  }

  override progress(event: StepEvent | TaskProgress): void {
    const state = this.#tasks.advance(event);
    const now = Date.now();
    const last = this.#lastLine.get(state.name);
    if (last === undefined) this.#lastLine.set(state.name, now);
    // the end of a training task is told by its last epoch
    const ends = event.type === "task" && event.total > 0 && event.value >= event.total && last !== Infinity;
    if (!ends && now - (last ?? now) < quietTime) return;
    this.#lastLine.set(state.name, ends ? Infinity : now);
    this.line(plainLine(state, now));
  }

  override epoch(event: EpochEvent): void {
    this.#tasks.endEpoch(event);
    this.#lastLine.set(event.model, Date.now());
    this.line(epochLine(event));
  }

  override line(text: string): void {
    if (!this.#ended) this.#stream.write(`${text}\n`);
  }

  override done(): void {
    this.#ended = true;
  }
}

/** One bar a task on a terminal, the newest at the bottom; bars of finished tasks stay. */
class BarReporter extends BaseReporter {
  readonly #stream: ReporterStream;
  readonly #tasks = new Tasks();
  readonly #multi: progress.MultiBar;
  readonly #bars = new Map<string, progress.SingleBar>();
  readonly #restore = (): void => this.done();
  #ended = false;

  constructor(stream: ReporterStream) {
    super();
    this.#stream = stream;
    this.#multi = new progress.MultiBar({
      stream,
      fps: 10,
      format: (_options, _params, payload) => this.#draw(payload.name),
      hideCursor: true,
      linewrap: null,
      forceRedraw: true, // a line above moves the bars, changed or not
      gracefulExit: false, // Ctrl-C belongs to the command, which still has a checkpoint to write
    });
  }

  override start(task: Task): void {
    this.#tasks.start(task);
    this.#show(task.name);
  }

  override progress(event: StepEvent | TaskProgress): void {
    this.#show(this.#tasks.advance(event).name);
  }

  override epoch(event: EpochEvent): void {
    this.#show(this.#tasks.endEpoch(event).name);
  }

  override line(text: string): void {
    if (this.#ended) return;
    const lines = text.split("\n");
    if (this.#bars.size === 0) this.#stream.write(`${text}\n`);
    else for (const line of lines) this.#multi.log(`${line}\u001b[K\n`); // clears what a bar left in the row
  }

  override done(): void {
    if (this.#ended) return;
    this.#ended = true;
    process.removeListener("exit", this.#restore);
    if (this.#bars.size === 0) return;
    this.#multi.update(); // writes the lines that still wait
    this.#multi.stop();
  }

  #show(name: string): void {
    if (this.#ended || this.#bars.has(name)) return;
    if (this.#bars.size === 0) process.once("exit", this.#restore); // the cursor comes back after process.exit, too
    this.#bars.set(name, this.#multi.create(1, 0, { name }));
  }

  #draw(name: string): string {
    const state = this.#tasks.states.get(name);
    const width = Math.max(...[...this.#tasks.states.keys()].map((known) => printable(known).length));
    return state ? barLine(state, this.#stream.columns ?? 80, width) : "";
  }
}
