import { Matrix } from "ml-matrix";
import { defined } from "../../defined.js";
import { breathing, type Pieces } from "../../engine/breathe.js";
import type { Device } from "../../engine/device.js";
import { Philox, streams } from "../../engine/random.js";
import { check, checkInteger, checkOptions, oneOf } from "../../errors.js";
import { log } from "../../lie/functions/logarithm.js";
import { denseBasis } from "../../lie/generators/basis.js";
import { cosines } from "../../lie/generators/canonical.js";
import { toDense } from "../../lie/generators/generator.js";
import { WeightSource } from "../../nn/init.js";
import { Linear } from "../../nn/layers.js";
import { broadcastTo, mul } from "../../ops/arithmetic.js";
import { tanh } from "../../ops/elementwise.js";
import { gather } from "../../ops/gather.js";
import { lconv } from "../../ops/lconv.js";
import { mse } from "../../ops/loss.js";
import { matmul } from "../../ops/matmul.js";
import { concat, reshape } from "../../ops/shape.js";
import { keep, type Tensor, tensor } from "../../tensor/tensor.js";
import { minimize } from "../../train/minimize.js";
import { closedForm, rotateEach, rotationMatrix, trueGenerator } from "./rotation.js";

// The two experiments in which the paper's authors discover so(2) from random images and their rotations.

export const authorsExperiments = ["fixed-rot", "random-rot"] as const;
export type AuthorsExperiment = (typeof authorsExperiments)[number];

/** Side of the images. */
export const SIZE = 7;

export interface AuthorsOptions {
  /** Side of the images. Default 7. */
  size?: number;
  /** fixed-rot: the angle; random-rot: angles are uniform in 0..angle. Radians. Default pi / 10, and pi / 8. */
  angle?: number;
  samples?: number; // default 50,000
  epochs?: number; // default 20
  seed?: number;
  device: Device;
  signal?: AbortSignal;
  onEpoch?: (epoch: number, epochs: number, loss: number) => void;
}

export interface AuthorsResult {
  experiment: AuthorsExperiment;
  size: number;
  angle: number;
  samples: number;
  epochs: number;
  seed: number;
  /** Mean squared error of the last epoch: summed over the pixels of an image, or of the angle. */
  loss: number;
  /** corr(A, B) = tr(A^T B) / (|A| |B|) of what was learned with each target. */
  correlations: Readonly<Record<string, number>>;
  /** The same of the closed form (R - I) / angle, which is what fixed-rot can learn at best. */
  closedForm?: Readonly<Record<string, number>>;
  notes: readonly string[];
  /** The learned generator [d, d], by which layers move an image. */
  L: Matrix;
}

const correlation = (A: Matrix, B: Matrix): number => cosines(denseBasis([A]), denseBasis([B])).get(0, 0);
const antisymmetric = (A: Matrix): Matrix => Matrix.sub(A, A.transpose()).mul(0.5);

/** Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION, ERR_LCONV_NONFINITE, and the reason of `signal`. */
export async function runAuthors(experiment: AuthorsExperiment, options: AuthorsOptions): Promise<AuthorsResult> {
  oneOf("discover", "experiment", experiment, authorsExperiments);
  checkOptions(`discover ${experiment}`, options, { size: 1, angle: 1, samples: 1, epochs: 1, seed: 1, device: 1, signal: 1, onEpoch: 1 });
  const { size = SIZE, angle = experiment === "fixed-rot" ? Math.PI / 10 : Math.PI / 8, samples = 50_000, epochs = 20, seed = 0 } = options;
  checkInteger("discover", "size", size, 3, 32);
  checkInteger("discover", "samples", samples, 64);
  check(angle > 0 && angle <= Math.PI, "ERR_LCONV_ARGUMENT", () => `discover: angle must lie above 0 and at most pi, got ${angle}`);
  const settled = { ...options, size, angle, samples, epochs, seed };
  return experiment === "fixed-rot" ? fixedRotation(settled) : randomRotation(settled);
}

type Settled = AuthorsOptions & Required<Pick<AuthorsOptions, "size" | "angle" | "samples" | "epochs" | "seed">>;

const PIECE = 1 << 20; // pixels drawn in one go

/** Pixels uniform in -.5...5 */
function* randomImages(count: number, d: number, seed: number): Pieces<Float32Array> {
  const random = new Philox(seed, streams.data);
  const x = new Float32Array(count * d);
  for (let at = 0; at < x.length; at += PIECE) {
    const part = x.subarray(at, at + PIECE);
    part.set(random.uniform(part.length).map((u) => u - 0.5));
    yield;
  }
  return x;
}

/** Learning rate times .7 after every epoch. */
const decay =
  (epochs: number) =>
  (step: number, steps: number): number =>
    0.7 ** Math.floor((step * epochs) / steps);

/** L-conv with W^0 = I, and one generator: F(x) = x + L x W, x [B, m, d], L [1, d, d], W [m, m]; He's normal initialisation. */
class Residual {
  readonly L: Tensor;
  readonly W: Tensor;
  readonly #identity: Tensor; // [1, m, m]

  constructor(m: number, d: number, seed: number, device: Device) {
    const random = new Philox(seed, streams.init);
    const draw = (shape: number[], fanIn: number): Tensor => {
      const values = random.normal(shape.reduce((n, size) => n * size, 1));
      return keep(tensor(Float32Array.from(values, (z) => z * Math.sqrt(2 / fanIn)), { shape, device, requiresGrad: true })); // biome-ignore format: one tensor
    };
    this.L = draw([1, d, d], d * d);
    this.W = draw([1, m, m], m * m);
    this.#identity = keep(tensor(Float32Array.from({ length: m * m }, (_, k) => (k % (m + 1) === 0 ? 1 : 0)), { shape: [1, m, m], device })); // biome-ignore format: one tensor
  }
  forward(x: Tensor): Tensor {
    return lconv(x, { form: "dense", L: this.L }, concat([this.#identity, this.W]));
  }
  /** scale L */
  generator(scale: number): Matrix {
    const [, d] = this.L.shape;
    return Matrix.from1DArray(
      d,
      d,
      [...this.L.dataSync()].map((value) => value * scale),
    );
  }
  dispose(): void {
    for (const t of [this.L, this.W, this.#identity]) t.dispose();
  }
}

/** Pairs (x, R x) of one rotation: one layer F(x) = x + L x w learns L w = R - I. */
async function fixedRotation({ size, angle, samples, epochs, seed, device, signal, onEpoch }: Settled): Promise<AuthorsResult> {
  const d = size * size;
  const pixels = await breathing(randomImages(samples, d, seed), signal);
  const moved = await breathing(rotateEach(pixels, size, new Float64Array(samples).fill(angle)), signal);
  const [x, y] = [pixels, moved].map((data) => keep(tensor(data, { shape: [samples, 1, d], device })));
  const layer = new Residual(1, d, seed, device);
  try {
    const losses = await minimize({
      parameters: [layer.L, layer.W],
      loss: (index) => mul(mse(layer.forward(gather(x, index)), gather(y, index)), d),
      ...{ samples, epochs, seed, device, optimizer: "adam" as const, lr: 1e-2, batch: 32, schedule: decay(epochs) },
      ...defined({ signal }),
      onEpoch: (epoch, loss) => onEpoch?.(epoch, epochs, loss),
    });
    const learned = layer.generator(layer.W.item() / angle);
    const closed = closedForm(size, angle);
    const { targets, notes } = targetsOf(size, angle);
    const against = (A: Matrix): Record<string, number> =>
      Object.fromEntries(Object.entries(targets).map(([name, B]) => [name, correlation(A, B)]));
    return {
      ...{ experiment: "fixed-rot", size, angle, samples, epochs, seed, loss: losses[losses.length - 1], notes, L: learned },
      correlations: {
        closedForm: correlation(learned, closed),
        ...against(learned),
        antisymmetricPart: correlation(antisymmetric(learned), targets["trueGeneratorMiddle"]),
      },
      closedForm: { ...against(closed), antisymmetricPart: correlation(antisymmetric(closed), targets["trueGeneratorMiddle"]) },
    };
  } finally {
    for (const thing of [x, y, layer]) thing.dispose();
  }
}

/** What a learned generator is held against: the authors' truth, the truth about the middle of the pixels, and log R / angle where that exists. */
function targetsOf(size: number, angle: number): { targets: Record<string, Matrix>; notes: string[] } {
  const targets: Record<string, Matrix> = {
    trueGenerator: trueGenerator(size, "authors"),
    trueGeneratorMiddle: trueGenerator(size, "middle"),
  };
  try {
    targets["logarithm"] = log(toDense(rotationMatrix(size, angle))).mul(1 / angle);
    return { targets, notes: [] };
  } catch {
    return { targets, notes: ["the bilinear rotation by this angle has no real logarithm: a pixel is moved too far for it"] };
  }
}

const [CHANNELS, LAYERS, HIDDEN] = [10, { 7: 5 } as Record<number, number>, 5];
const layersOf = (size: number): number => LAYERS[size] ?? 8;

/**
 * Pairs (x, R(t) x) with t drawn anew for each: copies of x in 10 channels go through one layer several times, f_a = y . F(x)_a, and a small network
 * reads t off f. Nothing tells the layer what a rotation is.
 */
async function randomRotation({ size, angle, samples, epochs, seed, device, signal, onEpoch }: Settled): Promise<AuthorsResult> {
  const d = size * size;
  const pixels = await breathing(randomImages(samples, d, seed), signal);
  const angles = Float32Array.from(new Philox(seed, streams.rotation).uniform(samples), (u) => u * angle);
  const moved = await breathing(rotateEach(pixels, size, angles), signal);
  const upload = (data: Float32Array, shape: number[]): Tensor => keep(tensor(data, { shape, device }));
  const [x, y, t] = [upload(pixels, [samples, 1, d]), upload(moved, [samples, d, 1]), upload(angles, [samples, 1])];
  const layer = new Residual(CHANNELS, d, seed, device);
  const source = new WeightSource(device, seed);
  const readers = [new Linear(source, CHANNELS, HIDDEN, { activation: "tanh" }), new Linear(source, HIDDEN, 1)];
  try {
    const loss = (index: Tensor): Tensor => {
      let h = broadcastTo(gather(x, index), [index.size, CHANNELS, d]);
      for (let depth = 0; depth < layersOf(size); depth++) h = layer.forward(h);
      const f = tanh(reshape(matmul(h, gather(y, index)), [index.size, CHANNELS]));
      return mse(
        readers.reduce((z, reader) => reader.forward(z), f),
        gather(t, index),
      );
    };
    const losses = await minimize({
      parameters: [layer.L, layer.W, ...readers.flatMap((reader) => reader.parameters())],
      loss,
      ...{ samples, epochs, seed, device, optimizer: "adam" as const, lr: 1e-3, batch: 16, schedule: decay(epochs) },
      ...defined({ signal }),
      onEpoch: (epoch, value) => onEpoch?.(epoch, epochs, value),
    });
    const learned = layer.generator(1);
    const truth = trueGenerator(size, "authors");
    const middle = trueGenerator(size, "middle");
    return {
      ...{ experiment: "random-rot", size, angle, samples, epochs, seed, loss: losses[losses.length - 1], L: learned },
      correlations: {
        trueGenerator: correlation(learned, truth),
        trueGeneratorMiddle: correlation(learned, middle),
        antisymmetricPart: correlation(antisymmetric(learned), middle),
      },
      notes: ["L is known up to its sign and scale: W and the reader take up both"],
    };
  } finally {
    for (const thing of [x, y, t, layer, ...readers]) thing.dispose();
  }
}
