import { gradients } from "../autograd/autograd.js";
import { defined } from "../defined.js";
import { type Device, device as deviceOf } from "../engine/device.js";
import { Philox, streams } from "../engine/random.js";
import { check, checkInteger, checkOptions, LconvError, type OptionNames } from "../errors.js";
import { stepSlice, stepWrite } from "../ops/step.js";
import { makeOptimizer, type OptimizerName } from "../optim/optimizer.js";
import { constant, ratesOf, type Schedule } from "../optim/schedule.js";
import { record } from "../tensor/record.js";
import { keep, type Tensor, tensor, zeros } from "../tensor/tensor.js";

export interface MinimizeOptions {
  /** What is trained. */
  parameters: readonly Tensor[];
  /** The scalar loss of the samples whose numbers are in `index`, int32 [batch]; it is recorded, so it may hold nothing but operations. */
  loss: (index: Tensor) => Tensor;
  /** How many samples there are to draw from. */
  samples: number;
  batch?: number; // default 32
  epochs?: number; // default 10
  optimizer?: OptimizerName; // default "adam"
  lr?: number;
  schedule?: Schedule;
  /** Decides the order of the samples. */
  seed?: number;
  device?: Device;
  signal?: AbortSignal;
  /** Called after every epoch with its mean loss. */
  onEpoch?: (epoch: number, loss: number) => void;
}
const optionNames: OptionNames<MinimizeOptions> = {
  ...{ parameters: 1, loss: 1, samples: 1, batch: 1, epochs: 1, optimizer: 1 },
  ...{ lr: 1, schedule: 1, seed: 1, device: 1, signal: 1, onEpoch: 1 },
};

/**
 * Trains by any loss, where `fit` is for classifiers: each epoch takes the samples in a new random order, in whole batches. Returns the mean
 * loss of every epoch. Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION, ERR_LCONV_NONFINITE, and the reason of `signal`.
 */
export async function minimize(options: MinimizeOptions): Promise<number[]> {
  checkOptions("minimize", options, optionNames);
  const {
    parameters,
    loss,
    samples,
    batch = 32,
    epochs = 10,
    optimizer = "adam",
    lr,
    schedule = constant,
    seed = 0,
    signal,
    onEpoch,
  } = options;
  const { device = deviceOf() } = options;
  checkInteger("minimize", "epochs", epochs, 1);
  checkInteger("minimize", "batch", batch, 1);
  checkInteger("minimize", "samples", samples, 1);
  check(batch <= samples, "ERR_LCONV_ARGUMENT", () => `minimize: batch is ${batch}, but there are only ${samples} samples`);
  const steps = Math.floor(samples / batch);
  const rule = makeOptimizer(optimizer, parameters, defined({ lr }));
  const order = keep(zeros([steps * batch], { dtype: "int32", device }));
  const losses = keep(zeros([steps], { device }));
  const rates = keep(tensor(ratesOf(schedule, rule.learningRate, epochs * steps), { device }));
  const program = record(() => {
    const value = loss(stepSlice(order, rule.steps, batch));
    stepWrite(losses, rule.steps, value);
    rule.step(gradients(value, parameters), stepSlice(rates, rule.steps, 1));
  }, device);
  const history: number[] = [];
  try {
    for (let epoch = 0; epoch < epochs; epoch++) {
      order.set(new Philox(seed, streams.order, epoch * samples).permutation(samples).subarray(0, steps * batch));
      await program.run({ steps, ...defined({ signal }) });
      const mean = (losses.dataSync() as Float32Array).reduce((sum, value) => sum + value, 0) / steps;
      if (!Number.isFinite(mean))
        throw new LconvError("ERR_LCONV_NONFINITE", `minimize: the loss is ${mean} in epoch ${epoch + 1}; take a smaller learning rate`);
      history.push(mean);
      onEpoch?.(epoch + 1, mean);
    }
    return history;
  } finally {
    for (const thing of [program, rule, order, losses, rates]) thing.dispose();
  }
}
