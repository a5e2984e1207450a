import { type Device, device as deviceOf } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { check } from "../errors.js";
import { scope } from "./scope.js";
import { Tensor } from "./tensor.js";

/**
 * Records the commands of `trace` instead of running them, as a program that replays them natively on `device` (default `device()`).
 * Tensors made before keep their values, and the program may read and write them. Those made in `trace` share one arena and have no values
 * afterwards, except the ones it returns, which pass to the scope around. Values cannot be read or set while recording.
 *
 * Throws ERR_LCONV_RECORDING for a trace that is async, holds no command, or reads or sets values, and inside another recording;
 * ERR_LCONV_ARGUMENT if it returns anything but a tensor, a list of tensors or nothing; ERR_LCONV_OOM.
 *
 * @example
 * ```ts
 * import { gradients, ops, optim, record, tensor } from "lconv";
 *
 * const w = tensor([4], { requiresGrad: true });
 * const optimizer = optim.sgd([w], { lr: 0.1 });
 * const step = record(() => {
 *   const loss = ops.mul(w, w);
 *   optimizer.step(gradients(loss, [w]));
 * });
 * await step.run({ steps: 100 });
 * const left = w.item(); // 4 * 0.8^100
 * ```
 */
export function record(trace: () => Tensor | readonly Tensor[] | void, device: Device = deviceOf()): Program {
  // The scope is outermost: when the recording fails, what the trace made goes with it.
  return scope(() => {
    let kept: readonly Tensor[] = [];
    const program = device.record(() => {
      const result = trace();
      check(
        !(result instanceof Promise),
        "ERR_LCONV_RECORDING",
        () => "record: the trace is async; a recording must be made in one go, so await before it or after it",
      );
      kept = returned(result);
      return kept.map((t) => t.buffer);
    });
    return { program, kept };
  }).program;
}

/** What a trace returned, as a list: nothing, one tensor or several. */
function returned(result: unknown): readonly Tensor[] {
  const list: readonly unknown[] = result === undefined ? [] : Array.isArray(result) ? result : [result];
  for (const thing of list)
    check(
      thing instanceof Tensor,
      "ERR_LCONV_ARGUMENT",
      () =>
        `record: the trace must return the tensors to keep, one or an array of them, or nothing; got ${list === result ? "an array with " : ""}${nameOf(thing)}`,
    );
  return list as readonly Tensor[];
}

const nameOf = (thing: unknown): string =>
  typeof thing === "object" && thing !== null ? `an object with the keys ${Object.keys(thing).slice(0, 8).join(", ")}` : String(thing);
