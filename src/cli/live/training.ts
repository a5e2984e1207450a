import { clock, type LiveRun } from "../../report/live.js";
import type { EpochEvent, StepEvent, TrainEvent } from "../../train/events.js";
import type { Output } from "../terminal/output.js";
import type { Reporter } from "../terminal/reporter.js";
import { LiveServer } from "./server.js";

const PAUSE_MS = 500; // between two states of a page

export interface LivePage {
  /** Undefined: no page. */
  port: number | undefined;
  title: string;
  /** The epochs before this process. */
  past: readonly EpochEvent[];
  out: Output;
}

/** Where the page is, for people and, on stdout with --json, for programs. */
export function announce(url: string, reporter: Reporter, out: Output): void {
  reporter.line(`live page: ${url}`);
  out.emit({ event: "serve", url });
}

/** Runs `work` beside a live page of what its reporter hears. Throws as LiveServer.open and as the work does. */
export async function withLivePage<T>(
  { port, title, past, out }: LivePage,
  reporter: Reporter,
  work: (reporter: Reporter) => Promise<T>,
): Promise<T> {
  if (port === undefined) return work(reporter);
  const server = await LiveServer.open(title, port);
  const run = new Following(title, past);
  const timer = setInterval(() => run.tell(server), PAUSE_MS);
  try {
    announce(server.url, reporter, out);
    run.tell(server);
    const value = await work({
      event: (event) => {
        if (event.type !== "note" && event.type !== "task") run.follow(event);
        reporter.event(event);
      },
      line: (text) => reporter.line(text),
      done: () => reporter.done(),
    });
    run.end("done");
    return value;
  } catch (error) {
    run.end("stopped");
    throw error;
  } finally {
    clearInterval(timer);
    run.tell(server);
    await server.close();
  }
}

/** One run, by its events. */
class Following {
  #run: LiveRun;
  #history: readonly EpochEvent[];
  #changed = true;

  constructor(name: string, past: readonly EpochEvent[]) {
    this.#history = past;
    this.#run = { name, state: "running", epochs: past.at(-1)?.epochs ?? 0, history: past };
  }

  follow(event: TrainEvent): void {
    if (event.type === "epoch") this.#epoch(event);
    if (event.type === "step") this.#run = { ...this.#run, epochs: event.epochs, step: event, secondsLeft: this.#secondsLeft(event) };
    this.#changed = true;
  }

  #epoch(event: EpochEvent): void {
    this.#history = [...this.#history.filter(({ epoch }) => epoch < event.epoch), event];
    this.#run = { ...this.#run, epochs: event.epochs, history: this.#history, step: undefined };
  }

  /** Epochs with their validation take as long as those before on average. */
  #secondsLeft({ step, steps, epochs }: StepEvent): number | undefined {
    const seconds = this.#history.reduce((sum, epoch) => sum + epoch.seconds, 0);
    return seconds > 0 ? (seconds / this.#history.length) * epochs * (1 - step / steps) : undefined;
  }

  end(state: string): void {
    this.#run = { ...this.#run, state, secondsLeft: undefined };
    this.#changed = true;
  }

  tell(server: LiveServer): void {
    if (!this.#changed) return;
    this.#changed = false;
    const { state, history, epochs, secondsLeft } = this.#run;
    const left = secondsLeft === undefined ? "" : `, about ${clock(secondsLeft)} left`;
    server.show({ runs: [this.#run], summary: `${state}: ${history.length} of ${epochs || "?"} epochs${left}` });
  }
}
