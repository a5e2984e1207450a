import { isDeepStrictEqual } from "node:util";
import { LconvError, showShape } from "../errors.js";
import { readSafetensors, type TensorToWrite, writeSafetensors } from "../io/safetensors.js";
import type { Module } from "../nn/module.js";
import type { Optimizer } from "../optim/optimizer.js";
import { sameShape } from "../tensor/shape.js";
import type { EpochEvent } from "./events.js";

/** Where a run is; with the weights and the optimiser's state, all that is needed to go on exactly. */
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

const FORMAT = 1;

/** Writes weights, optimiser state and run state as one file, atomically. Throws ERR_LCONV_NONFINITE rather than keep broken weights. */
export function saveCheckpoint(path: string, model: Module, optimizer: Optimizer, state: RunState, fingerprint: Fingerprint): void {
  const tensors = new Map<string, TensorToWrite>();
  for (const [name, t] of model.namedParameters()) {
    const data = t.dataSync();
    if (!data.every(Number.isFinite)) throw nonFinite(`parameter "${name}" is not finite after step ${state.step}`, path);
    tensors.set(`model.${name}`, { shape: t.shape, data });
  }
  for (const [name, t] of optimizer.namedState()) tensors.set(`optimizer.${name}`, { shape: t.shape, data: t.dataSync() });
  writeSafetensors(path, tensors, { format: String(FORMAT), state: JSON.stringify(state), fingerprint: JSON.stringify(fingerprint) });
}

/** The error for a run that broke down; says what is left of it. */
export function nonFinite(what: string, checkpoint: string | undefined): LconvError {
  const left = checkpoint ? `the last good checkpoint is ${checkpoint}` : "no checkpoint was asked for";
  return new LconvError(
    "ERR_LCONV_NONFINITE",
    `training broke down: ${what}; ${left}. Try a lower learning rate, or clip gradients (clipNorm)`,
  );
}

/** The epochs that a checkpoint file holds. Throws ERR_LCONV_CHECKPOINT, ERR_LCONV_FORMAT, ERR_LCONV_IO. */
export function checkpointHistory(path: string): EpochEvent[] {
  const wrong = (why: string): LconvError => new LconvError("ERR_LCONV_CHECKPOINT", `${path}: ${why}`);
  return parseState(parse(readSafetensors(path).metadata["state"], wrong), wrong).history;
}

/** Puts a checkpoint's weights and optimiser state in place and returns the run state. Throws ERR_LCONV_CHECKPOINT, ERR_LCONV_FORMAT, ERR_LCONV_IO. */
export function loadCheckpoint(path: string, model: Module, optimizer: Optimizer, fingerprint: Fingerprint): RunState {
  const { tensors, metadata } = readSafetensors(path);
  const wrong = (why: string): LconvError => new LconvError("ERR_LCONV_CHECKPOINT", `${path}: ${why}`);
  if (metadata["format"] !== String(FORMAT))
    throw wrong(`is no training checkpoint of format ${FORMAT} (got ${metadata["format"] ?? "none"})`);
  checkFingerprint(parse(metadata["fingerprint"], wrong), fingerprint, wrong);
  const state = parseState(parse(metadata["state"], wrong), wrong);

  const weights = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape, data }] of tensors) {
    if (name.startsWith("model.") && data instanceof Float32Array) weights.set(name.slice(6), { shape, data });
  }
  const slots = [...optimizer.namedState()].map(([name, t]) => {
    const saved = tensors.get(`optimizer.${name}`);
    if (!saved) throw wrong(`optimiser state "${name}" is missing; was another optimiser used?`);
    const fits =
      sameShape(saved.shape, t.shape) && (t.dtype === "float32" ? saved.data instanceof Float32Array : saved.data instanceof Int32Array);
    if (!fits)
      throw wrong(`optimiser state "${name}" is ${saved.dtype} ${showShape(saved.shape)}, expected ${t.dtype} ${showShape(t.shape)}`);
    return { t, data: saved.data as Float32Array | Int32Array };
  });
  model.load(weights);
  for (const { t, data } of slots) t.set(data);
  return state;
}

function parse(text: string | undefined, wrong: (why: string) => LconvError): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    throw wrong("its metadata are damaged");
  }
}

function parseState(value: unknown, wrong: (why: string) => LconvError): RunState {
  const state = value as RunState;
  const numbers = [state?.step, state?.lossSum, state?.correctSum, state?.seconds];
  if (!numbers.every(Number.isFinite) || !Number.isInteger(state.step) || state.step < 0 || !Array.isArray(state.history))
    throw wrong("its run state is damaged");
  return state;
}

function checkFingerprint(saved: unknown, now: Fingerprint, wrong: (why: string) => LconvError): void {
  const before = (saved ?? {}) as Record<string, unknown>;
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (
      isDeepStrictEqual(before[key], JSON.parse(JSON.stringify(now[key] ?? null)) ?? undefined) ||
      (before[key] ?? null) === (now[key] ?? null)
    )
      continue;
    throw wrong(`belongs to another run: ${key} was ${JSON.stringify(before[key] ?? null)}, now it is ${JSON.stringify(now[key] ?? null)}`);
  }
}
