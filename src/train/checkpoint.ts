import { isDeepStrictEqual } from "node:util";
import { clip, LconvError, showShape } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import { quote } from "../io/files.js";
import { parseShallow } from "../io/json.js";
import type { SafetensorsFile, TensorToWrite } from "../io/safetensors.js";
import type { Module } from "../nn/module.js";
import type { Optimizer } from "../optim/optimizer.js";
import { sameShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { findCheckpoint, type Kept, wholeCheckpoint, writeCheckpoint } from "./checkpointFiles.js";
import type { EpochEvent } from "./events.js";

/** The position of a run. With the weights and the optimiser's state it is all that an exact resume needs. */
export interface RunState {
  /** Updates done. */
  step: number;
  /** Sums over the steps of the epoch under way. */
  lossSum: number;
  correctSum: number;
  /** Training time so far, in seconds. */
  seconds: number;
  history: EpochEvent[];
}

/** What two runs must have in common for one to resume the other. */
export type Fingerprint = Readonly<Record<string, unknown>>;

/** What a checkpoint must match so that the run can resume from it. */
export interface Plan {
  fingerprint: Fingerprint;
  epochs: number;
  stepsPerEpoch: number;
  /** The learning rate of every step. */
  rates: Float32Array;
}

type Wrong = (why: string) => LconvError;

const FORMAT = 1;

export interface LoadedCheckpoint {
  state: RunState;
  /** The file that was read: the given path, or the checkpoint before it because of `damage`. */
  path: string;
  damage?: LconvError;
}

/** The checkpoints of one run at `path`. */
export class Checkpoints {
  readonly path: string;
  readonly #model: Module;
  readonly #optimizer: Optimizer;
  readonly #plan: Plan;
  #kept: Kept = "none"; // "last" once the file at `path` is known to be whole and of this run
  #savedAt = performance.now();

  constructor(path: string, model: Module, optimizer: Optimizer, plan: Plan) {
    this.path = path;
    this.#model = model;
    this.#optimizer = optimizer;
    this.#plan = plan;
  }

  /** Seconds since the last one was written, or since the run began. */
  get age(): number {
    return (performance.now() - this.#savedAt) / 1e3;
  }

  /**
   * Writes weights, optimiser state and `state` as one file, atomically. Throws ERR_LCONV_IO, and ERR_LCONV_NONFINITE rather than keep broken weights.
   */
  save(state: RunState): void {
    const tensors = new Map<string, TensorToWrite>();
    for (const [name, t] of this.#model.namedParameters()) {
      const data = t.dataSync();
      if (!data.every(Number.isFinite)) throw nonFinite(`parameter ${quote(name)} is not finite after step ${state.step}`, this.path);
      tensors.set(`model.${name}`, { shape: t.shape, data });
    }
    for (const [name, t] of this.#optimizer.namedState()) tensors.set(`optimizer.${name}`, { shape: t.shape, data: t.dataSync() });
    const { fingerprint, rates } = this.#plan;
    const metadata = {
      format: String(FORMAT),
      state: JSON.stringify(state),
      fingerprint: JSON.stringify(fingerprint),
      rates: crc32Of(rates.subarray(0, state.step)),
    };
    writeCheckpoint(this.path, tensors, metadata, this.#kept);
    this.#kept = "last";
    this.#savedAt = performance.now();
  }

  /**
   * Puts the weights and optimiser state of the newest whole checkpoint in place and says where the run is; undefined when there is none.
   * Throws ERR_LCONV_CHECKPOINT when it is of another run, which is no reason to take the one before it, ERR_LCONV_FORMAT, ERR_LCONV_IO.
   */
  load(): LoadedCheckpoint | undefined {
    const found = findCheckpoint(this.path);
    if (!found) return undefined;
    const { file, ...where } = found;
    const wrong = errorOf(where.path);
    const state = readState(file.metadata, this.#plan, wrong);
    const slots = readSlots(file.tensors, this.#optimizer, wrong);
    this.#model.load(weightsIn(file.tensors));
    for (const { t, data } of slots) t.set(data);
    this.#kept = where.damage ? "previous" : "last";
    return { state, ...where };
  }
}

/** The error of a run whose loss is not finite; names the checkpoint that is left. */
export function nonFinite(what: string, checkpoint: string | undefined): LconvError {
  const good = checkpoint && wholeCheckpoint(checkpoint);
  const left = good ? `the last good checkpoint is ${good}` : `there is no checkpoint${checkpoint ? " yet" : ", as none was asked for"}`;
  return new LconvError(
    "ERR_LCONV_NONFINITE",
    `training broke down: ${what}; ${left}. Try a lower learning rate, or clip gradients (clipNorm)`,
  );
}

/** The epochs that the newest whole checkpoint at `path` holds; none when there is no checkpoint. Throws ERR_LCONV_CHECKPOINT, ERR_LCONV_FORMAT, ERR_LCONV_IO. */
export function checkpointHistory(path: string): EpochEvent[] {
  const found = findCheckpoint(path);
  if (!found) return [];
  const wrong = errorOf(found.path);
  return parseState(parse(found.file.metadata["state"], wrong), wrong).history;
}

const errorOf =
  (path: string): Wrong =>
  (why) =>
    new LconvError("ERR_LCONV_CHECKPOINT", `${path}: ${why}`);

/** Where the run of a checkpoint is, which must fit `plan`. */
function readState(metadata: Readonly<Record<string, string>>, plan: Plan, wrong: Wrong): RunState {
  if (metadata["format"] !== String(FORMAT))
    throw wrong(`is no training checkpoint of format ${FORMAT} (got ${quote(metadata["format"])})`);
  checkFingerprint(parse(metadata["fingerprint"], wrong), plan.fingerprint, wrong);
  const state = parseState(parse(metadata["state"], wrong), wrong);
  checkPlace(state, plan, wrong);
  checkRates(metadata["rates"], plan.rates.subarray(0, state.step), wrong);
  return state;
}

type Tensors = SafetensorsFile["tensors"];

function weightsIn(tensors: Tensors): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape, data }] of tensors) {
    if (name.startsWith("model.") && data instanceof Float32Array) weights.set(name.slice(6), { shape, data });
  }
  return weights;
}

/** The state of `optimizer` in a checkpoint, each tensor with its values. */
function readSlots(tensors: Tensors, optimizer: Optimizer, wrong: Wrong): { t: Tensor; data: Float32Array | Int32Array }[] {
  return [...optimizer.namedState()].map(([name, t]) => {
    const saved = tensors.get(`optimizer.${name}`);
    if (!saved) throw wrong(`optimiser state ${quote(name)} is missing; was another optimiser used?`);
    const fits =
      sameShape(saved.shape, t.shape) && (t.dtype === "float32" ? saved.data instanceof Float32Array : saved.data instanceof Int32Array);
    if (!fits)
      throw wrong(
        `optimiser state ${quote(name)} is ${saved.dtype} ${clip(showShape(saved.shape))}, expected ${t.dtype} ${showShape(t.shape)}`,
      );
    return { t, data: saved.data as Float32Array | Int32Array };
  });
}

function parse(text: string | undefined, wrong: Wrong): unknown {
  try {
    return parseShallow(text ?? "");
  } catch {
    throw wrong("its metadata are damaged");
  }
}

function parseState(value: unknown, wrong: Wrong): RunState {
  const state = value as RunState;
  const numbers = [state?.step, state?.lossSum, state?.correctSum, state?.seconds];
  if (!numbers.every(Number.isFinite) || !Number.isInteger(state.step) || state.step < 0 || !Array.isArray(state.history))
    throw wrong("its run state is damaged");
  const damaged = state.history.findIndex((event, i) => !isEpoch(event, i + 1));
  if (damaged >= 0) throw wrong(`its run state is damaged: epoch ${damaged + 1} of its history is ${quote(state.history[damaged])}`);
  return state;
}

function isEpoch(value: unknown, epoch: number): value is EpochEvent {
  const event = (value ?? {}) as EpochEvent;
  const measured = [event.epochs, event.loss, event.accuracy, event.seconds, event.learningRate];
  const validated = [event.valLoss, event.valAccuracy].filter((metric) => metric !== null);
  return (
    event.type === "epoch" && typeof event.model === "string" && event.epoch === epoch && [...measured, ...validated].every(Number.isFinite)
  );
}

/** The step lies in the epoch after those of the history, or at its end, where only the validation is missing; and the run is to have that epoch. */
function checkPlace({ step, history }: RunState, { epochs, stepsPerEpoch }: Plan, wrong: Wrong): void {
  const done = history.length;
  if (step < done * stepsPerEpoch || step > (done + 1) * stepsPerEpoch)
    throw wrong(`its run state is damaged: step ${step} after ${done} epochs of ${stepsPerEpoch} steps`);
  const begun = Math.ceil(step / stepsPerEpoch);
  if (begun > epochs) throw wrong(`holds ${begun} epochs, ${epochs} were asked for; ask for ${begun} or more`);
}

/** A checkpoint of an older version has no sum. */
function checkRates(saved: string | undefined, rates: Float32Array, wrong: Wrong): void {
  if (saved === undefined || saved === crc32Of(rates)) return;
  const advice = "take the same schedule and, where it depends on their number, as many epochs";
  throw wrong(`belongs to another run: the learning rates of its ${rates.length} steps were others; ${advice}`);
}

/** Not known of samples that were given on the device, nor by an older version. */
const SOMETIMES_KNOWN = ["data"];

function checkFingerprint(saved: unknown, now: Fingerprint, wrong: Wrong): void {
  const before = (saved ?? {}) as Record<string, unknown>;
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[key] ?? null, JSON.parse(JSON.stringify(now[key] ?? null)) as unknown];
    if (isDeepStrictEqual(was, is) || (SOMETIMES_KNOWN.includes(key) && (was === null || is === null))) continue;
    throw wrong(`belongs to another run: ${clip(key)} was ${quote(was)}, now it is ${quote(is)}`);
  }
}
