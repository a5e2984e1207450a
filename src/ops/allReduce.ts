import { attach } from "../autograd/autograd.js";
import type { Group } from "../distributed/group.js";
import * as commands from "../engine/commands.js";
import { check } from "../errors.js";
import { stridesOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype } from "./check.js";

/**
 * The sum of x over all ranks of a group; every rank gets it, and has to call this in the same order with the same shape. x itself in a group of one, or where it
 * is empty. Its gradient is the sum of the ranks' gradients. Outside a recording it waits for the other ranks, and the event loop with it. Throws
 * ERR_LCONV_BUSY while `fit`, or a program that sums, runs by the group; ERR_LCONV_RANKS where others sum something else; ERR_LCONV_DEVICE on a GPU that is not
 * connected (`group.connect`); ERR_LCONV_COLLECTIVE where another rank does not come; and ERR_LCONV_NCCL.
 */
export function allReduce(x: Tensor, group: Group): Tensor {
  checkDtype("allReduce", "x", x);
  if (group.size === 1 || x.size === 0) return x;
  check(
    !group.training,
    "ERR_LCONV_BUSY",
    () =>
      "allReduce: this group trains a network by fit, whose sums it would come between; await fit first, and have no allReduce in that network",
  );
  checkConnected(x, group);
  const y = Tensor.empty(x.device, x.shape);
  commands.copy(x.device, x.shape, x, stridesOf(x.shape), y, stridesOf(x.shape));
  commands.allReduceStart(x.device, [y], [y.size]);
  commands.allReduceWait(x.device, [y], [y.size]);
  return attach("allReduce", [x], y, (dy) => [allReduce(dy, group)]);
}

function checkConnected({ device }: Tensor, group: Group): void {
  check(
    !device.asynchronous || group.isConnected(device),
    "ERR_LCONV_DEVICE",
    () => `allReduce: the ranks are not connected on ${device.name}; await group.connect(device) first`,
  );
}

/**
 * Adds each tensor up over all ranks, in place and without a gradient, while a program is recorded; nothing in a group of one. The tensors were made in
 * that recording. They travel in buckets, in their order: give first what is computed first.
 */
export function allReduceInPlace(tensors: readonly Tensor[], group: Group): void {
  if (group.size === 1) return;
  for (const t of tensors) checkConnected(t, group);
  const sizes = tensors.map((t) => t.size);
  const buckets = bucketsOf(sizes, tensors[0]?.device.asynchronous).map((places) => places.map((i) => tensors[i]));
  for (const command of [commands.allReduceStart, commands.allReduceWait])
    for (const parts of buckets)
      command(
        parts[0].device,
        parts,
        parts.map((t) => t.size),
      );
}

/**
 * A bucket is closed when it holds so many values, the first one earlier, to be on its way early; a network of at most ONE_BUCKET has one. GPUs exchange
 * larger ones as fast.
 */
const BUCKET = 2 ** 18;
const GPU_BUCKET = 2 ** 20;
const FIRST_BUCKET = 2 ** 16;
const ONE_BUCKET = 2 ** 17;

/** The places of tensors of these sizes in each bucket. They depend on the network alone, and so do the bits of the sums. */
export function bucketsOf(sizes: readonly number[], gpu = false): number[][] {
  const whole = sizes.reduce((sum, size) => sum + size, 0) <= ONE_BUCKET;
  const buckets: number[][] = [[]];
  let filled = 0;
  sizes.forEach((size, i) => {
    const room = whole ? Number.POSITIVE_INFINITY : buckets.length === 1 ? FIRST_BUCKET : gpu ? GPU_BUCKET : BUCKET;
    if (filled >= room) {
      buckets.push([]);
      filled = 0;
    }
    buckets[buckets.length - 1].push(i);
    filled += size;
  });
  return buckets;
}
