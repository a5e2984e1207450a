import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { type Device, device as deviceOf } from "../../src/engine/device.js";
import { mul } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { type Array64, randn, relError } from "./reference.js";

export type Op = (...xs: Tensor[]) => Tensor;
export type Op64 = (...xs: Array64[]) => Array64;

/** Float32 against a float64 reference, relative in norm. */
const VALUE_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 1e-4;

export const onDevice = (a: Array64, device: Device = deviceOf(), requiresGrad = false): Tensor =>
  tensor(Float32Array.from(a.data), { shape: a.shape, device, requiresGrad });

/** d(sum(op(xs) c)) / dx for every x, through autograd; the value of op(xs) too. */
export function autogradOf(op: Op, xs: readonly Array64[], c: Array64, device?: Device): { value: Array64; grads: Array64[] } {
  return scope(() => {
    const inputs = xs.map((x) => onDevice(x, device, true));
    const y = op(...inputs);
    const grads = gradients(sum(mul(y, onDevice({ shape: [...y.shape], data: c.data }, device))), inputs);
    return { value: toArray64(y), grads: grads.map(toArray64) };
  });
}

export const toArray64 = (t: Tensor): Array64 => ({ shape: [...t.shape], data: Float64Array.from(t.dataSync()) });

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((sum, x, i) => sum + x * b[i], 0);
const moved = (x: Array64, i: number, by: number): Array64 => ({
  shape: x.shape,
  data: x.data.map((value, k) => (k === i ? value + by : value)),
});

/** The same gradients by central differences of a float64 function. */
export function differences(f: Op64, xs: readonly Array64[], c: Array64, step = 1e-5): Array64[] {
  const loss = (which: number, x: Array64) => dot(f(...xs.map((other, k) => (k === which ? x : other))).data, c.data);
  return xs.map((x, which) => ({
    shape: x.shape,
    data: x.data.map((_, i) => (loss(which, moved(x, i, step)) - loss(which, moved(x, i, -step))) / (2 * step)),
  }));
}

export interface OpCheck {
  op: Op;
  reference: Op64;
  inputs: readonly Array64[];
  device?: Device | undefined;
  valueTolerance?: number;
  gradientTolerance?: number;
}

/** The value and all gradients of an op against its float64 reference. Throws an assertion error that says which differs. */
export function checkOp({
  op,
  reference,
  inputs,
  device,
  valueTolerance = VALUE_TOLERANCE,
  gradientTolerance = GRADIENT_TOLERANCE,
}: OpCheck): void {
  const want = reference(...inputs);
  const c = randn(want.shape, 4711);
  const { value, grads } = autogradOf(op, inputs, c, device);
  assert.equal(value.shape, want.shape, "shape of the value");
  assertNear("value", value, want, valueTolerance);
  differences(reference, inputs, c).forEach((wanted, i) => {
    assert.equal(grads[i].shape, inputs[i].shape, `shape of gradient ${i}`);
    assertNear(`gradient of input ${i}`, grads[i], wanted, gradientTolerance);
  });
}

export function assertNear(
  what: string,
  got: Pick<Array64, "data"> | { data: ArrayLike<number> },
  want: { data: ArrayLike<number> },
  tolerance: number,
): void {
  const error = relError(got.data, want.data);
  assert.ok(error <= tolerance, `${what}: relative error ${error} is above ${tolerance}`);
}

/**
 * For closures without a reference: the derivative of the float32 forward pass along random directions, accumulated in float64,
 * against the gradient that autograd gives. The step balances rounding (~ 1e-7 / step) against curvature (~ step^2).
 */
export function checkDirections(
  op: Op,
  inputs: readonly Array64[],
  { step = 1e-2, tolerance = 1e-2, directions = 4, device = deviceOf() } = {},
): void {
  const forward = (xs: readonly Array64[]): Array64 => scope(() => toArray64(op(...xs.map((x) => onDevice(x, device)))));
  const c = randn(forward(inputs).shape, 99);
  const { grads } = autogradOf(op, inputs, c, device);
  inputs.forEach((x, which) => {
    for (let k = 0; k < directions; k++) {
      const direction = randn(x.shape, 1000 * which + k);
      const along = (by: number): number => {
        const there = { shape: x.shape, data: x.data.map((value, i) => Math.fround(value + by * direction.data[i])) };
        return dot(forward(inputs.map((other, i) => (i === which ? there : other))).data, c.data);
      };
      const numeric = (along(step) - along(-step)) / (2 * step);
      const analytic = dot(grads[which].data, direction.data);
      const size = Math.sqrt(dot(grads[which].data, grads[which].data) * dot(direction.data, direction.data));
      const near = Math.abs(numeric - analytic) <= tolerance * Math.max(Math.abs(analytic), size / Math.sqrt(x.data.length), 1e-3);
      assert.ok(near, `input ${which}, direction ${k}: the difference quotient is ${numeric}, the gradient gives ${analytic}`);
    }
  });
}
