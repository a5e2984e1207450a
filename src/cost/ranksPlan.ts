import { check, checkInteger, clip } from "../errors.js";
import { bucketsOf } from "../ops/allReduce.js";

/** What a message between two ranks costs: latency + bytes / bandwidth. */
export interface Link {
  name: string;
  bytesPerSecond: number;
  latencySeconds: number;
}

/** Seconds to begin and end a sum over TCP by MPI, as the minima of Open MPI on one machine and on two linked ones are (docs/distributed.md). */
const TCP_LATENCY = 60e-6;
/** Of NCCL between the GPUs of one machine; figures of others, not measured here. */
const NVLINK: Link = { name: "nvlink", bytesPerSecond: 300e9, latencySeconds: 12e-6 };

/** The names of networks. */
export const linkPattern = /^(nvlink|(\d+(?:\.\d+)?)Gb\/s(?::(\d+(?:\.\d+)?)us)?)$/;

/**
 * A network by its name: "nvlink", or bandwidth as "10Gb/s", with a latency as "10Gb/s:30us". Throws ERR_LCONV_ARGUMENT.
 */
export function linkOf(text: string): Link {
  if (text === NVLINK.name) return NVLINK;
  const [, , gigabits, micros] = linkPattern.exec(text) ?? [];
  check(
    Number(gigabits) > 0,
    "ERR_LCONV_ARGUMENT",
    () => `a network is nvlink, or a bandwidth such as 10Gb/s, or with a latency 10Gb/s:30us; got ${clip(text)}`,
  );
  return {
    name: text,
    bytesPerSecond: (Number(gigabits) * 1e9) / 8,
    latencySeconds: micros === undefined ? TCP_LATENCY : Number(micros) * 1e-6,
  };
}

/**
 * Seconds in which `ranks` add up `bytes`: the faster of recursive doubling, log2(N) messages of all bytes, and of a ring, 2 (N - 1) of an Nth each
 * (R. Thakur, R. Rabenseifner, W. Gropp, Optimization of collective communication operations in MPICH, 2005). Additions are not counted.
 */
export function allReduceSeconds(bytes: number, ranks: number, { bytesPerSecond, latencySeconds }: Link): number {
  if (ranks === 1) return 0;
  const message = (size: number): number => latencySeconds + size / bytesPerSecond;
  return Math.min(Math.ceil(Math.log2(ranks)) * message(bytes), 2 * (ranks - 1) * message(bytes / ranks));
}

/** One step of one process, by layers: what they compute in it, and the tensors that they train. */
export interface StepParts {
  /** Milliseconds of a step with all samples of the batch. */
  ms: number;
  /** Milliseconds of a step with a rank's part of them. */
  partMs: number;
  /** Of each layer: its share of the step, and the sizes of its trained tensors, in their order. */
  layers: readonly { share: number; sizes: readonly number[] }[];
}

/** What training by several ranks comes to. */
export interface RanksPlan {
  ranks: number;
  network: string;
  /** Bytes of each message of gradients, in their order. */
  bucketBytes: readonly number[];
  /** Milliseconds of each. */
  bucketMs: readonly number[];
  /** Milliseconds of them that the backward pass does not hide. */
  exposedMs: number;
  /** Milliseconds of a step. */
  stepMs: number;
  /** How many times as fast as one process a step is; as many runs at once come to `ranks`. */
  speedup: number;
}

export const MOST_RANKS = 1024;

/** The backward pass of a step; the forward pass has the first third, as each product has two gradients. */
const BACKWARD = 2 / 3;

/**
 * A step of `ranks` processes that share a batch: each computes its part, gradients begin to travel when the backward pass has made all of a bucket,
 * from the last layer to the first, one bucket after the other, and the update waits for all. Throws ERR_LCONV_ARGUMENT for less than two ranks.
 */
export function planRanks({ ms, partMs, layers }: StepParts, ranks: number, link: Link): RanksPlan {
  checkInteger("planRanks", "ranks", ranks, 2, MOST_RANKS);
  const backward = layers.toReversed();
  const tensors = backward.flatMap(({ sizes }, at) => sizes.toReversed().map((size) => ({ size, at })));
  const ready = readyTimes(partMs, backward);
  const buckets = bucketsOf(tensors.map(({ size }) => size));
  const bucketBytes = buckets.map((places) => 4 * places.reduce((sum, i) => sum + tensors[i].size, 0));
  const bucketMs = bucketBytes.map((bytes) => 1e3 * allReduceSeconds(bytes, ranks, link));
  let free = 0;
  buckets.forEach((places, k) => {
    const made = Math.max(...places.map((i) => ready[tensors[i].at]));
    free = Math.max(free, made) + bucketMs[k];
  });
  const exposedMs = Math.max(0, free - partMs);
  const stepMs = partMs + exposedMs;
  return { ranks, network: link.name, bucketBytes, bucketMs, exposedMs, stepMs, speedup: ms / stepMs };
}

/** When the gradients of each layer of the backward pass are there, in milliseconds from the beginning of the step. */
function readyTimes(partMs: number, backward: readonly { share: number }[]): number[] {
  const all = backward.reduce((sum, { share }) => sum + share, 0) || 1;
  let done = 0;
  return backward.map(({ share }) => {
    done += share / all;
    return partMs * (1 - BACKWARD + BACKWARD * done);
  });
}
