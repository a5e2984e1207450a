import { Matrix } from "ml-matrix";
import { LconvError } from "../../errors.js";
import { apply } from "../../lie/generators/generator.js";
import { shifts } from "../../lie/generators/grids.js";
import { cnnAsLConv } from "../../models/asLConv.js";
import { WeightSource } from "../../nn/init.js";
import { Conv2d } from "../../nn/layers.js";
import { add } from "../../ops/arithmetic.js";
import { conv2d } from "../../ops/conv.js";
import { concat, reshape, slice } from "../../ops/shape.js";
import { randn } from "../../tensor/random.js";
import { scope } from "../../tensor/scope.js";
import type { Tensor } from "../../tensor/tensor.js";
import { train } from "./prop3.js";
import { atMost, type Check, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

const [B, M_IN, M_OUT] = [2, 2, 3];
const grids = [
  { shape: [13], kernel: [3] },
  { shape: [7, 6], kernel: [3, 3] },
  { shape: [5, 4, 6], kernel: [3, 3, 3] },
];

/** Convolutions and L-conv layers whose generators are shifts: values in 1, 2 and 3 dimensions, a training run; fractional shifts; strides. */
export function prop4(setting: Setting): Verdict {
  return verdict("prop4", "A convolution is an L-conv layer whose generators are shift operators.", [
    ...grids.flatMap((grid) => (["valid", "circular"] as const).map((padding) => values(setting, grid, padding))),
    trainingRun(setting),
    fractional(),
    strides(setting),
  ]);
}

function values({ device }: Setting, { shape, kernel }: (typeof grids)[number], padding: "valid" | "circular"): Check {
  return scope(() => {
    const model = cnnAsLConv(new WeightSource(device, 1), { shape, kernel, padding, m_in: M_IN, m_out: M_OUT });
    const x = randn([B, M_IN, ...shape], { seed: 1, device });
    const K = randn([M_OUT, M_IN, ...kernel], { seed: 2, device });
    model.setKernel(K.dataSync());
    const padded = padding === "circular" ? shape.reduce((t, _, axis) => wrapped(t, axis + 2, (kernel[axis] - 1) / 2), x) : x;
    const y = model.forward(reshape(x, [B, M_IN, -1]));
    const error = relativeError(y.dataSync(), convolution(padded, K).dataSync());
    model.dispose();
    return atMost(`relative error of a ${padding} convolution, ${shape.join(" x ")}`, error, 1e-5);
  });
}

/** x with `width` more entries on both sides of an axis, as they follow around the edge. */
function wrapped(x: Tensor, axis: number, width: number): Tensor {
  const part = (from: number): Tensor => {
    const starts = x.shape.map((_, k) => (k === axis ? from : 0));
    return slice(x, starts, x.shape.map((n, k) => (k === axis ? width : n))); // biome-ignore format: one call
  };
  return concat([part(x.shape[axis] - width), x, part(0)], axis);
}

/** The valid convolution in 1, 2 or 3 dimensions by conv2d: one dimension as an image of one row, three as a sum over the planes of the kernel. */
function convolution(x: Tensor, K: Tensor): Tensor {
  const [b, m, ...shape] = x.shape;
  const [o, , ...kernel] = K.shape;
  if (shape.length === 1) return conv2d(reshape(x, [b, m, 1, ...shape]), reshape(K, [o, m, 1, ...kernel]), { padding: "valid" });
  if (shape.length === 2) return conv2d(x, K, { padding: "valid" });
  const planes = Array.from({ length: shape[0] - kernel[0] + 1 }, (_, at) =>
    Array.from({ length: kernel[0] }, (_, k) =>
      conv2d(
        reshape(slice(x, [0, 0, at + k, 0, 0], [b, m, 1, shape[1], shape[2]]), [b, m, shape[1], shape[2]]),
        reshape(slice(K, [0, 0, k, 0, 0], [o, m, 1, kernel[1], kernel[2]]), [o, m, kernel[1], kernel[2]]),
        { padding: "valid" },
      ),
    ).reduce((sum, part) => add(sum, part)),
  );
  return concat(planes.map((plane) => reshape(plane, [b, o, 1, plane.shape[2], plane.shape[3]])), 2); // biome-ignore format: one call
}

function trainingRun({ device }: Setting): Check {
  return scope(() => {
    const [p, q, steps] = [7, 6, 25];
    const conv = new Conv2d(new WeightSource(device, 1), M_IN, M_OUT, { activation: "tanh" });
    const shifted = cnnAsLConv(new WeightSource(device, 1), { shape: [p, q], m_in: M_IN, m_out: M_OUT, activation: "tanh" });
    shifted.setKernel(conv.W.dataSync());
    const [x, target] = [randn([16, M_IN, p, q], { seed: 3, device }), randn([16, M_OUT, p - 2, q - 2], { seed: 4, device })];
    const one = train(conv, x, target, steps);
    const other = train(shifted, reshape(x, [16, M_IN, p * q]), reshape(target, [16, M_OUT, (p - 2) * (q - 2)]), steps);
    for (const module of [conv, shifted]) module.dispose();
    return atMost(`relative error of the losses of ${steps} steps, 7 x 6`, relativeError(other.losses, one.losses), 1e-4);
  });
}

/** (I + alpha L) / (1 + alpha) moves the centre of mass by alpha / (1 + alpha): a shift by a part of a position. */
function fractional(): Check {
  const d = 41;
  const bump = Matrix.columnVector(Array.from({ length: d }, (_, x) => Math.exp(-((x - 20) ** 2) / 18)));
  const [L] = shifts([d], [[1]]).generators;
  const center = (h: Matrix): number => h.to1DArray().reduce((sum, value, x) => sum + value * x, 0) / h.sum();
  const errors = [0.25, 1, 4].map((alpha) => {
    const moved = Matrix.add(bump, Matrix.mul(apply(L, bump), alpha)).mul(1 / (1 + alpha));
    return Math.abs(center(moved) - center(bump) - alpha / (1 + alpha));
  });
  return atMost("error of a shift by alpha / (1 + alpha), in positions", Math.max(...errors), 1e-6);
}

/** A stride is no L-conv, and says so: 1 where it was refused with its reason. */
function strides({ device }: Setting): Check {
  try {
    cnnAsLConv(new WeightSource(device, 1), { shape: [8, 8], m_in: 1, m_out: 1, stride: 2 }).dispose();
  } catch (error) {
    if (error instanceof LconvError && /multiples/.test(error.message)) return atMost("strides accepted", 0, 0);
    throw error;
  }
  return atMost("strides accepted", 1, 0);
}
