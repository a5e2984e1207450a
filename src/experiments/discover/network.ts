import type { Device } from "../../engine/device.js";
import { WeightSource } from "../../nn/init.js";
import { Flatten, Linear } from "../../nn/layers.js";
import { Sequential } from "../../nn/module.js";
import { gather } from "../../ops/gather.js";
import { crossEntropy, mse } from "../../ops/loss.js";
import { cosine } from "../../optim/schedule.js";
import { keep, tensor } from "../../tensor/tensor.js";
import { minimise } from "../../train/minimise.js";

export interface NetworkOptions {
  x: Float32Array; // [samples, inputs]
  y: Float32Array | Int32Array; // [samples, outputs], or class numbers [samples]
  samples: number;
  inputs: number;
  outputs: number;
  seed: number;
  device: Device;
  /** Width of the two hidden layers. Default 128. */
  width?: number;
  epochs?: number; // default 40
  batch?: number; // default 100
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
}

/**
 * A plain smooth network (two hidden layers, gelu) fitted with Adam to y by least squares, or to classes by cross-entropy: it knows nothing of
 * symmetries, so what is found in it comes from the data. Throws as `minimise` does.
 */
export async function fitNetwork(options: NetworkOptions): Promise<Sequential> {
  const { samples, inputs, outputs, seed, device, width = 128, epochs = 40, batch = 100, signal, onEpoch } = options;
  const source = new WeightSource(device, seed);
  const network = new Sequential(
    new Flatten(),
    new Linear(source, inputs, width, { activation: "gelu" }),
    new Linear(source, width, width, { activation: "gelu" }),
    new Linear(source, width, outputs),
  );
  const classes = options.y instanceof Int32Array;
  const x = keep(tensor(options.x, { shape: [samples, inputs], device }));
  const y = keep(tensor(options.y, { shape: classes ? [samples] : [samples, outputs], device }));
  const loss = classes ? crossEntropy : mse;
  try {
    await minimise({
      parameters: network.parameters(),
      loss: (index) => loss(network.forward(gather(x, index)), gather(y, index)),
      ...{ samples, epochs, batch, seed, device, optimizer: "adam" as const, lr: 2e-3, schedule: cosine() },
      ...(signal && { signal }),
      onEpoch: (epoch, value) => onEpoch?.(epoch, epochs, value),
    });
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  } finally {
    for (const t of [x, y]) t.dispose();
  }
}
