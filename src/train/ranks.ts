import { type Group, StoppedTogether } from "../distributed/group.js";
import { native } from "../engine/native.js";
import { LconvError } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import { quote } from "../io/files.js";
import type { Module } from "../nn/module.js";
import type { Optimizer } from "../optim/optimizer.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Checkpoints, RunState } from "./checkpoint.js";

/** What comes next in a run: a checkpoint, the end, or `steps` steps. */
export interface Next {
  steps: number;
  save: boolean;
  stop: boolean;
}

/** A checkpoint that was loaded. */
export interface Loaded {
  state: RunState;
  path: string;
  /** Why the newest one was not taken. */
  damage?: string;
}

/**
 * What the ranks of a group have to do alike, whose clocks, signals and disks are their own: rank 0 decides, reads and writes. For a process alone each
 * is what it would do anyway.
 */
export class Ranks {
  readonly #group: Group | undefined;
  readonly #model: Module;
  readonly #optimizer: Optimizer;

  constructor(group: Group | undefined, model: Module, optimizer: Optimizer) {
    this.#group = group && group.size > 1 ? group : undefined;
    this.#model = model;
    this.#optimizer = optimizer;
  }

  /**
   * Throws ERR_LCONV_RANKS, with the first difference, unless every rank is about to do what rank 0 does: the same settings, samples, weights and
   * version. MPI would add up what does not belong together without a word.
   */
  async checkAlike(facts: Readonly<Record<string, unknown>>): Promise<void> {
    const group = this.#group;
    if (!group) return;
    const { version, abi } = native().info();
    const own = JSON.parse(JSON.stringify({ version, abi, ...facts, weights: this.#checksum() })) as Record<string, unknown>;
    const first = JSON.parse(await group.text(JSON.stringify(own))) as Record<string, unknown>;
    const key = Object.keys({ ...own, ...first }).find((name) => JSON.stringify(first[name]) !== JSON.stringify(own[name]));
    const [different] = await group.agree([key === undefined ? group.size : group.rank], "min");
    if (different === group.size) return;
    const text = `${String(key)} is ${quote(own[key ?? ""])} on rank ${group.rank}, and ${quote(first[key ?? ""])} on rank 0`;
    const told = await group.text(text, different);
    throw new LconvError(
      "ERR_LCONV_RANKS",
      `fit: the ranks do not do the same: ${told}; start all with the same version, options and data`,
    );
  }

  /** Rank 0's steps and whether it wants a checkpoint; a stop of any rank is one of all. */
  async decide(own: Next): Promise<Next> {
    if (!this.#group) return own;
    const first = this.#group.rank === 0;
    const wishes = [first ? own.steps : 0, Number(first && own.save), Number(own.stop)];
    const [steps, save, stop] = await this.#group.agree(wishes, "max");
    return { steps, save: save > 0, stop: stop > 0 };
  }

  /** Throws the reason of the signal that stopped this rank, or else StoppedTogether. */
  stop(signal: AbortSignal | undefined): never {
    signal?.throwIfAborted();
    throw new StoppedTogether();
  }

  /** Has rank 0 write a checkpoint. Throws what it throws on every rank, and ERR_LCONV_DIVERGED where ranks have come to have different weights. */
  async save(checkpoints: Checkpoints, state: RunState): Promise<void> {
    if (!this.#group) return checkpoints.save(state);
    await this.#checkWeights(this.#group, state.step);
    await this.#group.first(() => checkpoints.save(state));
  }

  /** The checkpoint that rank 0 finds, with its weights and optimiser state on every rank; undefined where there is none. */
  async load(checkpoints: Checkpoints): Promise<Loaded | undefined> {
    const load = (): Loaded | null => {
      const loaded = checkpoints.load();
      if (!loaded) return null;
      const { state, path, damage } = loaded;
      return { state, path, ...(damage && { damage: damage.message }) };
    };
    if (!this.#group) return load() ?? undefined;
    const loaded = await this.#group.first(load);
    if (!loaded) return undefined;
    for (const t of this.#tensors()) await broadcast(this.#group, t);
    return loaded;
  }

  async #checkWeights(group: Group, step: number): Promise<void> {
    const own = Number.parseInt(this.#checksum(), 16);
    const [greatest, least] = await group.agree([own, -own], "max");
    if (greatest === -least) return;
    const processors: string[] = [];
    for (let rank = 0; rank < group.size; rank++) processors.push(`${await group.text(native().info().isa, rank)} on rank ${rank}`);
    throw new LconvError(
      "ERR_LCONV_DIVERGED",
      `fit: the ranks have different weights after step ${step}; their processors make different bits of the same update (${processors.join(", ")}): set LCONV_ISA to what all have, and go on from the last checkpoint`,
    );
  }

  #tensors(): Tensor[] {
    return [...this.#model.namedParameters().values(), ...this.#optimizer.namedState().values()];
  }

  #checksum(): string {
    return crc32Of(...[...this.#model.namedParameters().values()].map((t) => t.dataSync()));
  }
}

/** The values of rank 0 into `t`. */
async function broadcast(group: Group, t: Tensor): Promise<void> {
  const own = t.dataSync();
  const bytes = await group.broadcast(new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
  if (group.rank === 0) return;
  t.set(t.dtype === "int32" ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer));
}
