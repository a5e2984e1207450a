import { noGrad } from "../autograd/autograd.js";
import { defined } from "../defined.js";
import type { Device } from "../engine/device.js";
import { WeightSource } from "../nn/init.js";
import { Flatten, Linear } from "../nn/layers.js";
import { Module, Sequential } from "../nn/module.js";
import { mul } from "../ops/arithmetic.js";
import { sigmoid } from "../ops/elementwise.js";
import { gather } from "../ops/gather.js";
import { crossEntropy, mse } from "../ops/loss.js";
import { cosine } from "../optim/schedule.js";
import { scope } from "../tensor/scope.js";
import { keep, type Tensor, tensor } from "../tensor/tensor.js";
import { minimize } from "../train/minimize.js";

export interface NetworkOptions {
  x: Float32Array; // [samples, inputs]
  y: Float32Array | Int32Array; // [samples, outputs], or class numbers [samples]
  samples: number;
  inputs: number;
  outputs: number;
  seed: number;
  device: Device;
  epochs: number;
  batch: number;
  /** Samples that are not trained on: the parameters of the epoch that fits them best are kept. */
  validation?: { x: Float32Array; y: Float32Array | Int32Array; samples: number };
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
}

/** x sigmoid(x): smooth, as functions with symmetries are, and in half the time of gelu. */
class Silu extends Module {
  override forward(x: Tensor): Tensor {
    return mul(x, sigmoid(x));
  }
}

/** Three narrow layers learn products and what is singular at a point in half the steps of two wide ones. */
const HIDDEN = [64, 64, 64];
const LEARNING_RATE = 5e-3;

/**
 * A plain smooth network (three hidden layers, SiLU) fitted with Adam to y by least squares, or to classes by cross-entropy: it knows nothing of
 * symmetries, so what is found in it comes from the data. Throws as `minimize` does.
 */
export async function fitNetwork(options: NetworkOptions): Promise<Sequential> {
  const { samples, inputs, outputs, seed, device, epochs, batch, validation, signal, onEpoch } = options;
  const source = new WeightSource(device, seed);
  const sizes = [inputs, ...HIDDEN];
  const network = new Sequential(
    new Flatten(),
    ...HIDDEN.flatMap((width, k) => [new Linear(source, sizes[k], width), new Silu()]),
    new Linear(source, sizes[HIDDEN.length], outputs),
  );
  const classes = options.y instanceof Int32Array;
  const held = ({ x, y, samples: N }: NonNullable<NetworkOptions["validation"]>): [Tensor, Tensor] => [
    keep(tensor(x, { shape: [N, inputs], device })),
    keep(tensor(y, { shape: classes ? [N] : [N, outputs], device })),
  ];
  const [x, y] = held(options);
  const seen = validation && held(validation);
  const loss = classes ? crossEntropy : mse;
  const best = seen && new BestEpoch(network, () => loss(network.forward(seen[0]), seen[1]), epochs);
  try {
    await minimize({
      parameters: network.parameters(),
      loss: (index) => loss(network.forward(gather(x, index)), gather(y, index)),
      ...{ samples, epochs, batch, seed, device, optimizer: "adam" as const, lr: LEARNING_RATE, schedule: cosine() },
      ...defined({ signal }),
      onEpoch: (epoch, value) => {
        best?.after(epoch);
        onEpoch?.(epoch, epochs, value);
      },
    });
    best?.restore();
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  } finally {
    for (const t of [x, y, ...(seen ?? [])]) t.dispose();
  }
}

/** How often in a training the validation loss is looked at. */
const LOOKS = 40;

/** Keeps the parameters with the least loss among epochs at equal distances. */
class BestEpoch {
  #least = Number.POSITIVE_INFINITY;
  #values: Float32Array[] = [];
  readonly #every: number;

  constructor(
    readonly network: Sequential,
    readonly loss: () => Tensor,
    readonly epochs: number,
  ) {
    this.#every = Math.max(1, Math.floor(epochs / LOOKS));
  }

  after(epoch: number): void {
    if (epoch % this.#every !== 0 && epoch !== this.epochs) return;
    const loss = scope(() => noGrad(this.loss).item());
    if (!(loss < this.#least)) return;
    this.#least = loss;
    this.#values = this.network.parameters().map((t) => t.dataSync() as Float32Array);
  }

  restore(): void {
    this.network.parameters().forEach((t, k) => {
      if (this.#values[k]) t.set(this.#values[k]);
    });
  }
}
