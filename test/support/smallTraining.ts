import { createHash } from "node:crypto";
import { gradients } from "../../src/autograd/autograd.js";
import type { Program } from "../../src/engine/program.js";
import { Philox, streams } from "../../src/engine/random.js";
import { biasActivation } from "../../src/ops/bias.js";
import { conv2d, maxPool2d } from "../../src/ops/conv.js";
import { gather } from "../../src/ops/gather.js";
import { lconv } from "../../src/ops/lconv.js";
import { crossEntropy } from "../../src/ops/loss.js";
import { linear } from "../../src/ops/matmul.js";
import { flatten, reshape } from "../../src/ops/shape.js";
import { stepSlice } from "../../src/ops/step.js";
import { adam, type Optimizer } from "../../src/optim/optimizer.js";
import { record } from "../../src/tensor/record.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";

export interface SmallTraining {
  parameters: Tensor[];
  optimizer: Optimizer;
  step(): void;
  program(): Program;
  /** All weights one after the other, and their SHA-256. */
  weights(): Float32Array;
  digest(): string;
}

/** A network with every large kernel in it (L-conv, convolution, pooling, linear, Adam), on random images: 64 of 512 a step. */
export function smallTraining(seed: number): SmallTraining {
  const random = new Philox(seed, streams.user);
  const normal = (shape: number[], factor: number, requiresGrad = true) =>
    tensor(
      Float32Array.from(random.normal(shape.reduce((n, size) => n * size, 1)), (value) => factor * value),
      { shape, requiresGrad },
    );
  const [N, B, m, p, o, n_L, d_h, classes] = [512, 64, 2, 16, 8, 3, 5, 10];
  const d = p * p;
  const x = normal([N, m, d], 1, false);
  const labels = tensor(Int32Array.from(random.uint32s(N), (bits) => bits % classes));
  const order = tensor(random.permutation(N));
  const [U, V, W, b] = [
    normal([n_L, d, d_h], 0.4),
    normal([n_L, d_h, d], 0.06),
    normal([n_L + 1, m, o], 0.3),
    zeros([o], { requiresGrad: true }),
  ];
  const [K, bK] = [normal([o, o, 3, 3], 0.1), zeros([o], { requiresGrad: true })];
  const [Wc, bc] = [normal([o * 49, classes], 0.05), zeros([classes], { requiresGrad: true })];
  const parameters = [U, V, W, b, K, bK, Wc, bc];
  const optimizer = adam(parameters, { lr: 0.003 });

  const step = () => {
    const index = stepSlice(order, optimizer.steps, B);
    const h = lconv(gather(x, index), { form: "lowRank", U, V }, W, b, { fn: { name: "relu" } });
    const images = maxPool2d(biasActivation(conv2d(reshape(h, [B, o, p, p]), K), bK, { name: "relu" }));
    const loss = crossEntropy(linear(flatten(images), Wc, bc), gather(labels, index));
    optimizer.step(gradients(loss, parameters));
  };
  const weights = () => Float32Array.from(parameters.flatMap((t) => [...t.dataSync()]));
  return {
    parameters,
    optimizer,
    step,
    program: () => record(step),
    weights,
    digest: () => createHash("sha256").update(weights()).digest("hex"),
  };
}
