import type { EpochEvent, StepEvent, TrainEvent } from "../../train/events.js";
import type { TaskState } from "./progressText.js";

/** Progress of work that is no training: downloads, rotations, evaluation. Tasks are told apart by name, and may run side by side. */
export interface TaskEvent {
  type: "task";
  name: string; // "download train-images"
  value: number;
  total: number; // 0: not known yet
  unit?: string; // "steps", "images"; "B" for bytes
}

export type ProgressEvent = TrainEvent | TaskEvent;

/** Where all tasks stand, by name; a task begins with its first event. */
export class Tasks {
  readonly states = new Map<string, TaskState>();

  /** The task that `event` moves; undefined where it moves none. */
  follow(event: ProgressEvent): TaskState | undefined {
    if (event.type === "task") return this.#work(event);
    if (event.type === "step") return this.#train(event);
    return event.type === "epoch" ? this.#endEpoch(event) : undefined;
  }

  #work({ name, value, total, unit = "" }: TaskEvent): TaskState {
    return advance(this.states.get(name) ?? this.#start(name, unit, 0), value, total);
  }

  #train({ model, epoch, epochs, step, steps, loss, samplesPerSecond }: StepEvent): TaskState {
    const state = this.states.get(model) ?? this.#start(model, "steps", step);
    // the first chunk's steps were made before the clock started, and so were those before a resume
    if (state.value === 0) Object.assign(state, { startValue: step, startTime: Date.now() });
    return advance(Object.assign(state, { epoch: `${epoch}/${epochs}`, loss, rate: samplesPerSecond }), step, steps);
  }

  #endEpoch({ model, epoch, epochs, loss, valAccuracy }: EpochEvent): TaskState {
    const state = this.states.get(model) ?? this.#start(model, "steps", 0);
    return Object.assign(state, { epoch: `${epoch}/${epochs}`, loss, valAccuracy });
  }

  #start(name: string, unit: string, value: number): TaskState {
    const state: TaskState = { name, total: 0, unit, value, startValue: value, startTime: Date.now() };
    this.states.set(name, state);
    return state;
  }
}

function advance(state: TaskState, value: number, total: number): TaskState {
  Object.assign(state, { value, total });
  if (total > 0 && value >= total) state.endTime ??= Date.now();
  return state;
}
