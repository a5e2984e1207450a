import type { GroupTraffic } from "../engine/addon.js";
import { type Device, shareGpus } from "../engine/device.js";
import { native } from "../engine/native.js";
import { shareProcessors } from "../engine/threads.js";
import { check, checkInteger, checkOptions, oneOf, shown } from "../errors.js";
import { type Agreement, agreements, Calls } from "./calls.js";
import { type Connection, connect } from "./connect.js";
import { launcherOf } from "./launcher.js";

/** Options of init. */
export interface InitOptions {
  /** "mpi" requires a launcher of MPI, "none" looks for none. Default "any": MPI where a launcher started this process, else alone. */
  backend?: "any" | "mpi" | "none";
}

/**
 * The processes that train one network together, as `init` found them; each is a rank of it. What a group does is done by all ranks, in the same
 * order: a rank that does not come makes the others wait, and fail after LCONV_COLLECTIVE_TIMEOUT seconds (default 300). Then, and where a rank has
 * ended, methods reject with ERR_LCONV_COLLECTIVE, and the group is of no more use.
 */
export class Group {
  /** The number of this process, from 0 on. */
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
  /** The number of this process among those of its host. */
  readonly localRank: number;
  /** How many processes there are on its host. */
  readonly localSize: number;
  /** What they reach each other by; "none" for a process alone. */
  readonly backend: "mpi" | "none";

  #training = false;
  readonly #connecting = new Map<Device, Promise<Connection>>();
  readonly #connected = new Set<Device>();
  #lastCall: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(place: { rank: number; size: number; localRank: number; localSize: number }, backend: "mpi" | "none") {
    this.rank = place.rank;
    this.size = place.size;
    this.localRank = place.localRank;
    this.localSize = place.localSize;
    this.backend = backend;
  }

  /** @internal Whether `fit` trains by it. */
  get training(): boolean {
    return this.#training;
  }

  /**
   * @internal Takes the group for a training run, and returns what gives it back: the sums of two runs at once would come in another order on each rank. Throws
   * ERR_LCONV_BUSY.
   */
  take(): () => void {
    if (this.size === 1) return () => {};
    check(!this.#training, "ERR_LCONV_BUSY", () => "fit: this group trains another network already; await that first");
    this.#training = true;
    return () => {
      this.#training = false;
    };
  }

  /**
   * Has tensors on `device` be summed up over the ranks, each on its own device: GPUs by NCCL, or through memory of the host and MPI where a rank
   * has no NCCL; CPUs by MPI. `fit` does it by itself; `ops.allReduce` on a GPU requires it. Every call for a device returns the same. Rejects with ERR_LCONV_RANKS where
   * some ranks compute on CPUs, or have other versions of NCCL, and with ERR_LCONV_NCCL where NCCL fails.
   */
  connect(device: Device): Promise<Connection> {
    if (this.size === 1) return Promise.resolve({ way: "none" });
    let connection = this.#connecting.get(device);
    if (!connection) {
      connection = this.#inTurn((calls) => connect(calls, device)).then(
        (found) => {
          this.#connected.add(device);
          return found;
        },
        (error: unknown) => {
          this.#connecting.delete(device);
          throw error;
        },
      );
      this.#connecting.set(device, connection);
    }
    return connection;
  }

  /** @internal Whether connect(device) is done. */
  isConnected(device: Device): boolean {
    return this.size === 1 || this.#connected.has(device);
  }

  /** What the sums of this process have come to since it began: how many there were, their bytes, and how long its programs waited for them. */
  get traffic(): GroupTraffic {
    return native().groupTraffic();
  }

  /**
   * Makes one list of those of all ranks, value by value, in float64. Every rank gets it. Throws ERR_LCONV_ARGUMENT for another `how`, and ERR_LCONV_RANKS where
   * ranks do not call the same with lists of one length.
   */
  async agree(values: ArrayLike<number>, how: Agreement): Promise<Float64Array> {
    oneOf("agree", "way", how, agreements);
    const own = Float64Array.from(values);
    return this.size === 1 ? own : this.#inTurn((calls) => calls.agree(own, how));
  }

  /** The bytes of rank `root` (default 0), on every rank; all give as many. Throws ERR_LCONV_ARGUMENT for a rank that there is not, ERR_LCONV_RANKS as `agree`. */
  async broadcast(bytes: Uint8Array, root = 0): Promise<Uint8Array> {
    checkInteger("broadcast", "root", root, 0, this.size - 1);
    if (this.size === 1) return bytes;
    const own = bytes.slice(); // as it is now
    return this.#inTurn((calls) => calls.broadcast(own, root));
  }

  /** What one call exchanges in several steps stays together: calls are made one after the other, in their order. */
  #inTurn<T>(task: (calls: Calls) => Promise<T>): Promise<T> {
    const result = this.#lastCall.then(() => task(new Calls(this.rank, this.size)));
    this.#lastCall = result.catch(() => {});
    return result;
  }

  /** Comes back when all ranks have called it. */
  async barrier(): Promise<void> {
    await this.agree([0], "max");
  }

  /**
   * Has rank 0 do something, and gives what it returned, a value of JSON, to every rank; an LconvError that it throws is thrown by every rank. The task must not
   * use the group.
   */
  async first<T>(task: () => T | Promise<T>): Promise<T> {
    return this.size === 1 ? await task() : this.#inTurn((calls) => calls.first(task));
  }

  /** A text of rank `root` (default 0), on every rank. */
  text(own: string, root = 0): Promise<string> {
    return this.#inTurn((calls) => calls.text(own, root));
  }

  /**
   * Ends MPI, which waits until all ranks do so, for 10 s at most. A process that ends with exit code 0 does so by itself; another has to, or its launcher
   * takes it for one that broke down.
   */
  async close(): Promise<void> {
    if (this.backend === "mpi") await native().closeGroup(CLOSE_SECONDS);
  }
}

/** For all ranks to come to their end. */
const CLOSE_SECONDS = 10;
const TIMEOUT_SECONDS = 300;

let joined: Promise<Group> | undefined;

/**
 * The group of this process: all that `mpirun`, `srun --mpi=pmix` or `lconv train --ranks` started along with it, and this process alone where none did.
 * Every call gives the same group. To be called before the first device is opened, which then takes this rank's part of the processors. MPI is opened at
 * run time, Open MPI or MPICH; LCONV_MPI names another file. Throws ERR_LCONV_MPI where MPI cannot be opened, or is not that of the launcher,
 * ERR_LCONV_ARGUMENT for another backend and for a LCONV_COLLECTIVE_TIMEOUT that is no number of seconds.
 *
 * @example
 * ```ts
 * import { distributed } from "lconv";
 *
 * const world = await distributed.init();
 * const [most] = await world.agree([world.rank], "max"); // world.size - 1
 * // await fit(model, data, { batch: 256, device: device("cpu"), group: world });
 * ```
 */
export function init(options: InitOptions = {}): Promise<Group> {
  try {
    checkOptions("distributed.init", options, { backend: 1 });
    const backend = oneOf("distributed.init", "backend", options.backend ?? "any", ["any", "mpi", "none"]);
    joined ??= join(backend).catch((error: unknown) => {
      joined = undefined; // what is missing may be there next time
      throw error;
    });
    return joined;
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

async function join(backend: "any" | "mpi" | "none"): Promise<Group> {
  const launcher = backend === "none" ? undefined : launcherOf(process.env);
  check(
    launcher !== undefined || backend !== "mpi",
    "ERR_LCONV_MPI",
    () => "distributed.init: no launcher of MPI started this process; start it by mpirun, srun --mpi=pmix or lconv train --ranks N",
  );
  // MPI takes up to two seconds, and one process of its own needs none.
  if (launcher === undefined || (launcher.size === 1 && backend !== "mpi"))
    return new Group({ rank: 0, size: 1, localRank: 0, localSize: 1 }, "none");
  const { name, size, mpi } = launcher;
  check(
    mpi,
    "ERR_LCONV_MPI",
    () => `this process is one of ${size} that ${name} started, without a way to find the others; start them by srun --mpi=pmix`,
  );
  const place = await native().openGroup(collectiveTimeout());
  check(place.size === size, "ERR_LCONV_MPI", () => {
    const { version, path } = native().mpiLibrary();
    return `this process is one of ${size} that ${name} started, but ${version} (${path}) finds ${place.size}: it belongs to another launcher; use its own mpirun, or name the launcher's library in LCONV_MPI`;
  });
  // Before the engine lets its threads go.
  process.prependOnceListener("exit", (code) => {
    if (code === 0) native().closeGroupNow(collectiveTimeout()); // another rank may have more to do
  });
  shareProcessors(place.localSize);
  shareGpus(place.localRank, place.localSize);
  return new Group(place, "mpi");
}

/** Seconds that ranks wait for each other. Throws ERR_LCONV_ARGUMENT. */
export function collectiveTimeout(): number {
  const setting = process.env["LCONV_COLLECTIVE_TIMEOUT"];
  const seconds = setting ? Number(setting) : TIMEOUT_SECONDS;
  check(
    seconds > 0 && seconds <= 1e9,
    "ERR_LCONV_ARGUMENT",
    () => `LCONV_COLLECTIVE_TIMEOUT must be a positive number of seconds, got ${shown(setting)}`,
  );
  return seconds;
}

/** A rank was asked to stop, and this one stops with it. */
export class StoppedTogether extends Error {
  constructor() {
    super("another rank was asked to stop");
    this.name = "AbortError";
  }
}
