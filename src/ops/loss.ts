import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { mul, sub } from "./arithmetic.js";
import { checkDtype, checkRank, sameDevice } from "./check.js";
import { mean } from "./reduce.js";

/**
 * Mean over the batch of -log softmax(logits)[label], and how many rows have their largest logit at the label; both have the shape [1].
 * logits [B, classes] float32, labels [B] int32. A label out of range makes the loss NaN. Throws ERR_LCONV_SHAPE.
 */
export function classificationLoss(logits: Tensor, labels: Tensor): { loss: Tensor; correct: Tensor } {
  checkRank("crossEntropy", "logits", logits, 2, "[B, classes]");
  checkDtype("crossEntropy", "labels", labels, "int32");
  const [rows, cols] = logits.shape;
  check(
    labels.rank === 1 && labels.size === rows,
    "ERR_LCONV_SHAPE",
    () => `crossEntropy: labels must be [${rows}] for logits ${showShape(logits.shape)}, got ${showShape(labels.shape)}`,
  );
  check(
    rows > 0 && cols > 0,
    "ERR_LCONV_SHAPE",
    () => `crossEntropy: needs at least one row and one class, got ${showShape(logits.shape)}`,
  );
  const device = sameDevice("crossEntropy", logits, labels);
  const loss = Tensor.empty(device, [1]);
  const correct = Tensor.empty(device, [1]);
  const dlogits = Tensor.empty(device, logits.shape);
  const scratch = Tensor.empty(device, [2 * rows]);
  commands.crossEntropy(device, rows, cols, { logits, labels, loss, dlogits, correct, scratch });
  attach(
    "crossEntropy",
    [logits],
    loss,
    (dloss) => [mul(dlogits, dloss)],
    () => [dlogits],
  );
  return { loss, correct };
}

/** The loss of `classificationLoss` alone. */
export const crossEntropy = (logits: Tensor, labels: Tensor): Tensor => classificationLoss(logits, labels).loss;

/** mean((prediction - target)^2) over all elements. Throws ERR_LCONV_SHAPE when the shapes differ. */
export function mse(prediction: Tensor, target: Tensor): Tensor {
  check(
    sameShape(prediction.shape, target.shape),
    "ERR_LCONV_SHAPE",
    () => `mse: prediction ${showShape(prediction.shape)} and target ${showShape(target.shape)} must have the same shape`,
  );
  const difference = sub(prediction, target);
  return mean(mul(difference, difference));
}
