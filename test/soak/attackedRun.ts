import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runFiles } from "../../src/train/runFolder.js";
import { type Child, type Ended, start } from "../cli/command.js";
import type { Random } from "./random.js";
import type { RunKind } from "./runKinds.js";

const signals = ["SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const;
/** How a process may end that was sent a signal: by it, or with its exit code after a checkpoint. */
const exitCodes = { SIGKILL: 137, SIGTERM: 143, SIGINT: 130, SIGHUP: 129 } as const;
type Signal = keyof typeof exitCodes;

/** Sessions that are attacked, even where the time is over, and at most: what comes then is left alone, so that each run ends. */
const [LEAST_ATTACKS, MOST_ATTACKS] = [2, 10];
/** A lock that nobody holds may be in the way for 10 s. */
const LOCKED_ALONE_MS = 20_000;
const HANGS_MS = 900_000;

/** Processes of runs; they end with this one. */
const alive = new Set<Child>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

export interface Counts {
  sessions: number;
  kills: Record<Signal, number>;
  resumes: number;
  locked: number;
  flips: number;
  flipsRefused: number;
  reads: number;
  evaluations: number;
}

/** A process of the run, and what was done to it. */
interface Session {
  args: readonly string[];
  child: Child;
  sent?: Signal;
}

/** A run that is begun, killed, gone on with, fought for and damaged until it has finished. */
export class AttackedRun {
  readonly folder: string;
  readonly #cwd: string;
  readonly kind: RunKind;
  readonly #random: Random;
  readonly #counts: Counts;
  readonly #flips: boolean;
  readonly #over: () => boolean;
  #lockedSince: number | undefined;
  #damage: { path: string; intact: Buffer; damaged: Buffer } | undefined; // of a checkpoint

  /** `over` says that the time for attacks has passed. */
  constructor(cwd: string, name: string, kind: RunKind, random: Random, counts: Counts, flips: boolean, over: () => boolean) {
    [this.#cwd, this.kind, this.#random, this.#counts, this.#flips, this.#over] = [cwd, kind, random, counts, flips, over];
    this.folder = join(cwd, name);
  }

  /** The checkpoint of which a bit was flipped here, as long as it may be there. */
  get damaged(): string | undefined {
    return this.#damage?.path;
  }

  /** Throws what the first process said that ended otherwise than it may. */
  async finish(): Promise<void> {
    for (let attacks = 0; ; attacks++) {
      const calm = attacks >= (this.#over() ? LEAST_ATTACKS : MOST_ATTACKS);
      const rivals = !calm && this.#random.chance(0.35) ? 2 : 1;
      const sessions: Promise<{ session: Session; ended: Ended }>[] = [];
      for (let i = 0; i < rivals; i++) {
        if (i > 0) await sleep(this.#random.below(600));
        sessions.push(this.#session(calm || (attacks > 0 && this.#random.chance(0.15))));
      }
      const all = await Promise.all(sessions);
      const outcomes = all.map(({ session, ended }) => this.#judge(session, ended, rivals > 1));
      if (outcomes.includes("finished")) return;
      this.#checkLock(rivals === 1 && outcomes[0] === "locked");
      this.#repair(outcomes.includes("refused"));
      if (!calm) this.#flip();
    }
  }

  /** One process from its start to its end; killed in its first seconds, or some time after it told of a first step, unless `spared`. */
  async #session(spared: boolean): Promise<{ session: Session; ended: Ended }> {
    const begun = existsSync(join(this.folder, runFiles.config));
    const args = begun ? this.kind.resume : this.kind.begin;
    let underWay = (): void => {};
    const steps = new Promise<void>((done) => (underWay = done));
    const child = start(this.#cwd, [...args, "--json", "--progress", "jsonl"], {}, (line) => line.includes('"step"') && underWay());
    const session: Session = { args, child };
    alive.add(child);
    this.#counts.sessions++;
    if (begun) this.#counts.resumes++;
    const signal = this.#random.pick(signals);
    const [early, after] = [this.#random.chance(0.3), this.#random.below(2000)];
    const attack = async (): Promise<void> => {
      if (!early) await Promise.race([steps, child.ended]);
      await sleep(after);
      if (child.exitCode !== null || child.signalCode !== null || !child.kill(signal)) return;
      session.sent = signal;
      this.#counts.kills[signal]++;
    };
    const hangs = setTimeout(() => child.kill("SIGABRT"), HANGS_MS);
    const [ended] = await Promise.all([child.ended, spared ? undefined : attack()]);
    clearTimeout(hangs);
    alive.delete(child);
    return { session, ended };
  }

  #judge({ args, child, sent }: Session, ended: Ended, rivals: boolean): "finished" | "stopped" | "locked" | "refused" {
    if (ended.code === 0) return "finished";
    if (sent !== undefined && (child.signalCode === sent || ended.code === exitCodes[sent])) return "stopped";
    const { code, message } = (ended.lines.find(({ event }) => event === "error") ?? {}) as { code?: string; message?: string };
    if (code === "ERR_LCONV_LOCKED") {
      this.#counts.locked++;
      return "locked";
    }
    // Two began at the same time, or one of two removed what had come to nothing.
    if (rivals && code === "ERR_LCONV_ARGUMENT" && message?.includes("go on with it by")) return "stopped";
    if (rivals && code === "ERR_LCONV_CHECKPOINT" && message?.includes("holds no run to resume")) return "stopped";
    const damage = code === "ERR_LCONV_IO" || code === "ERR_LCONV_FORMAT";
    if (this.#damage && damage && message?.includes(runFiles.checkpoint)) return "refused";
    throw new Error(
      `lconv ${args.join(" ")}: code ${ended.code}, signal ${child.signalCode}, was sent ${sent ?? "nothing"}\n${ended.stderr.slice(-3000)}`,
    );
  }

  /** Where nobody else wants the folder, a lock may be in the way for a while only. */
  #checkLock(alone: boolean): void {
    this.#lockedSince = alone ? (this.#lockedSince ?? Date.now()) : undefined;
    if (Date.now() - (this.#lockedSince ?? Date.now()) > LOCKED_ALONE_MS) throw new Error(`${this.folder}: locked, and nobody is there`);
  }

  /** Nobody writes now: one bit of a checkpoint turns over. */
  #flip(): void {
    const path = join(this.folder, this.#random.pick(this.kind.parts), runFiles.checkpoint);
    if (!this.#flips || this.#damage || !existsSync(path) || !this.#random.chance(0.25)) return;
    const intact = readFileSync(path);
    const damaged = Buffer.from(intact);
    damaged[this.#random.below(damaged.length)] ^= 1 << this.#random.below(8);
    writeFileSync(path, damaged);
    this.#damage = { path, intact, damaged };
    this.#counts.flips++;
  }

  /** Brings the checkpoint back, as its user would, where lconv refused it and had no older one to go on from. */
  #repair(refused: boolean): void {
    if (!this.#damage) return;
    const { path, intact, damaged } = this.#damage;
    const replaced = !existsSync(path) || !readFileSync(path).equals(damaged);
    if (!replaced && !refused) return;
    if (!replaced) {
      writeFileSync(path, intact);
      this.#counts.flipsRefused++;
    }
    this.#damage = undefined;
  }
}
