import { gradients } from "../../autograd/autograd.js";
import { fcAsLConv } from "../../models/asLConv.js";
import { WeightSource } from "../../nn/init.js";
import { Linear } from "../../nn/layers.js";
import type { Module } from "../../nn/module.js";
import { mse } from "../../ops/loss.js";
import { reshape } from "../../ops/shape.js";
import { sgd } from "../../optim/optimizer.js";
import { randn } from "../../tensor/random.js";
import { scope } from "../../tensor/scope.js";
import type { Tensor } from "../../tensor/tensor.js";
import { atMost, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

const [SAMPLES, D, M, STEPS] = [32, 8, 5, 50];

/** A fully connected layer and the L-conv layer with the generators of gl(d) and sum pooling, from the same weights: values, gradients, a training run. */
export function prop3({ device }: Setting): Verdict {
  return scope(() => {
    const linear = new Linear(new WeightSource(device, 1), D, M, { activation: "tanh" });
    const byGl = fcAsLConv(new WeightSource(device, 2), { d: D, m: M, activation: "tanh" });
    byGl.W.set(linear.W.dataSync() as Float32Array);
    const [x, target] = [randn([SAMPLES, D], { seed: 3, device }), randn([SAMPLES, M], { seed: 4, device })];
    const one = train(linear, x, target);
    const other = train(byGl, reshape(x, [SAMPLES, 1, D]), target);
    const compare = (what: keyof Trained): number => relativeError(other[what], one[what]);
    for (const module of [linear, byGl]) module.dispose();
    return verdict("prop3", "A fully connected layer is an L-conv layer with the generators of GL(d), summed over positions.", [
      atMost("relative error of values", compare("values"), 1e-5),
      atMost("relative error of gradients", compare("gradients"), 1e-5),
      atMost(`relative error of the losses of ${STEPS} steps`, compare("losses"), 1e-4),
      atMost(`relative error of the weights after ${STEPS} steps`, compare("weights"), 1e-4),
    ]);
  });
}

interface Trained {
  values: number[];
  gradients: number[];
  losses: number[];
  weights: number[];
}

/** First values and gradients, and what `STEPS` steps of SGD make of the weights. */
export function train(model: Module, x: Tensor, target: Tensor, steps = STEPS): Trained {
  const parameters = model.parameters();
  const flat = (tensors: readonly Tensor[]): number[] => tensors.flatMap((t) => [...t.dataSync()]);
  const first = scope(() => {
    const y = model.forward(x);
    return { values: flat([y]), gradients: flat(gradients(mse(y, target), parameters)) };
  });
  const optimizer = sgd(parameters, { lr: 0.2, momentum: 0.9 });
  const losses = Array.from({ length: steps }, () =>
    scope(() => {
      const loss = mse(model.forward(x), target);
      optimizer.step(gradients(loss, parameters));
      return loss.item();
    }),
  );
  optimizer.dispose();
  return { ...first, losses, weights: flat(parameters) };
}
