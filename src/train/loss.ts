import { check, showShape } from "../errors.js";
import type { Module } from "../nn/module.js";
import { gather } from "../ops/gather.js";
import { classificationLoss } from "../ops/loss.js";
import type { Tensor } from "../tensor/tensor.js";
import type { DeviceData } from "./samples.js";

/**
 * Mean cross-entropy and number of correct answers of `model` on the samples `index`, int32 [n], after `move`.
 * Throws ERR_LCONV_DATA where a label of the data is none of the model's outputs.
 */
export function lossOf(model: Module, data: DeviceData, index: Tensor, move?: (x: Tensor) => Tensor): { loss: Tensor; correct: Tensor } {
  const x = gather(data.x, index);
  const logits = model.forward(move ? move(x) : x);
  const { leastClasses = 0 } = data;
  check(
    logits.rank !== 2 || leastClasses <= logits.shape[1],
    "ERR_LCONV_DATA",
    () =>
      `a sample has label ${leastClasses - 1}, but the model has outputs ${showShape(logits.shape)}, for labels 0 to ${logits.shape[1] - 1}`,
  );
  return classificationLoss(logits, gather(data.labels, index));
}
