import { type Device, device as deviceOf } from "../engine/device.js";
import type { Program } from "../engine/program.js";
import { check } from "../errors.js";
import { scope } from "./scope.js";
import { Tensor } from "./tensor.js";

/**
 * Records the commands of `trace` instead of running them, as a Program that replays them natively. Tensors made before
 * keep their values and may be read and written by the program; those made in `trace` share one arena and have no values
 * afterwards, except the ones it returns, which pass to the scope around. Values cannot be read or set while recording (ERR_LCONV_RECORDING).
 * Throws ERR_LCONV_ARGUMENT when `trace` returns anything but a tensor, a list of tensors or nothing.
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
