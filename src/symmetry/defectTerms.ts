import { noGrad } from "../autograd/autograd.js";
import type { Pieces } from "../engine/breathe.js";
import { check } from "../errors.js";
import { slice } from "../ops/shape.js";
import { scope } from "../tensor/scope.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Action, checkSame, type Derivative, derivativeAlong, type Model, type Output, outputOf } from "./lieDerivative.js";

// What an equivariance defect is summed up from, sample by sample, in two passes over the data: means first.

/** What has to be known of data and outputs before derivatives are taken. */
export interface Survey {
  /** Of the outputs for all samples. */
  shape: Shape;
  meanX: Float64Array;
  meanY: Float64Array;
}

/** Throws ERR_LCONV_DATA for samples that are not finite, ERR_LCONV_ARGUMENT for a model that depends on chance, and as outputOf does. */
export function* surveyOf(model: Model, data: Tensor, batch: number): Pieces<Survey> {
  const [N] = data.shape;
  const x = new Mean();
  const y = new Mean();
  let shape: Shape = [];
  yield* eachBatch(data, batch, (part, first) => {
    const values = part.dataSync() as Float32Array;
    const bad = values.findIndex((value) => !Number.isFinite(value));
    check(bad < 0, "ERR_LCONV_DATA", () => `equivarianceDefect: sample ${first + Math.floor(bad / (data.size / N))} holds ${values[bad]}`);
    const output = outputOf("equivarianceDefect", model, part, first);
    if (first === 0) checkSame("equivarianceDefect", output.values, outputOf("equivarianceDefect", model, part, first).values);
    shape = [N, ...output.y.shape.slice(1)];
    x.add(values, part.shape[0]);
    y.add(output.values, part.shape[0]);
  });
  return { shape, meanX: x.value, meanY: y.value };
}

/** Means over samples, value by value. */
class Mean {
  #sum: Float64Array | undefined;
  #count = 0;

  add(values: Float32Array, count: number): void {
    const size = values.length / count;
    this.#sum ??= new Float64Array(size);
    for (let k = 0; k < values.length; k++) this.#sum[k % size] += values[k];
    this.#count += count;
  }
  get value(): Float64Array {
    return (this.#sum ?? new Float64Array(0)).map((sum) => sum / this.#count);
  }
}

/** A piece for each batch, whose tensors are gone after it. */
function* eachBatch(data: Tensor, batch: number, work: (part: Tensor, first: number) => void): Pieces<void> {
  const [N, ...rest] = data.shape;
  for (let first = 0; first < N; first += batch) {
    noGrad(() =>
      scope(() => {
        work(slice(data, [first, ...rest.map(() => 0)], [Math.min(batch, N - first), ...rest]), first);
      }),
    );
    yield;
  }
}

/** One for each generator: L_out is missing for invariance, the differences L - L' and L_out - L_out' where there is no floor or they are zero. */
export interface OfEach<T> {
  L: T;
  L_out: T | undefined;
  difference: T | undefined;
  differenceOut: T | undefined;
}

/** For each sample: */
export interface Terms {
  /** |x - mean x|^2 */
  x: Float64Array;
  /** |f - mean f|^2 */
  y: Float64Array;
  /** |L x|^2 */
  flow: Float64Array;
  /** |L_out f|^2 */
  acted: Float64Array;
  /** |J_f L x - L_out f|^2 */
  defect: Float64Array;
  /** |numerical error of J_f L x|^2, an estimate from above */
  error: Float64Array;
  /** |J_f (L - L') x - (L_out - L_out') f|^2 */
  floor: Float64Array;
}

/** Samples move by `step` times their root mean square distance from the mean. Throws ERR_LCONV_DATA where that is zero. */
export function* termsOf(
  model: Model,
  data: Tensor,
  { meanX, meanY }: Survey,
  actions: OfEach<Action>,
  { batch, step }: { batch: number; step: number },
): Pieces<Terms> {
  const [N] = data.shape;
  const zero = (): Float64Array => new Float64Array(N);
  const terms: Terms = { x: zero(), y: zero(), flow: zero(), acted: zero(), defect: zero(), error: zero(), floor: zero() };
  const length = step * (yield* spreadOf(data, batch, meanX, terms.x));
  yield* eachBatch(data, batch, (x, first) => {
    const count = x.shape[0];
    const f = (moved: Tensor): Float32Array => outputOf("equivarianceDefect", model, moved, first).values;
    const output = outputOf("equivarianceDefect", model, x, first);
    const put = (list: Float64Array, values: ArrayLike<number>, c?: Float64Array): void => list.set(squares(values, count, c), first);
    put(terms.y, output.values, meanY);
    const along = lieDerivative(f, x, output, length, actions.L, actions.L_out);
    put(terms.flow, along.flow);
    put(terms.acted, along.acted);
    put(terms.defect, along.value);
    put(terms.error, along.difference);
    put(terms.floor, lieDerivative(f, x, output, length, actions.difference, actions.differenceOut).value);
  });
  return terms;
}

/** Root mean square of |x - mean x|, whose squares go into `into`. */
function* spreadOf(data: Tensor, batch: number, meanX: Float64Array, into: Float64Array): Pieces<number> {
  yield* eachBatch(data, batch, (x, first) => into.set(squares(x.dataSync(), x.shape[0], meanX), first));
  const total = into.reduce((sum, value) => sum + value, 0);
  check(
    total > 0,
    "ERR_LCONV_DATA",
    () => `equivarianceDefect: the ${into.length} samples are all equal, so they do not tell how the model changes from one to another`,
  );
  return Math.sqrt(total / into.length);
}

/** J_f L x - L_out f, with L x and L_out f; a generator that is missing is zero. */
function lieDerivative(
  f: (x: Tensor) => Float32Array,
  x: Tensor,
  output: Output,
  length: number,
  L: Action | undefined,
  L_out: Action | undefined,
): Derivative & { flow: ArrayLike<number>; acted: ArrayLike<number> } {
  const v = L?.apply(x);
  const flow = v?.dataSync() ?? [];
  const t = squares(flow, x.shape[0]).map((square) => (square > 0 ? length / Math.sqrt(square) : 1));
  const none = new Float64Array(output.values.length);
  const { value, difference } = v ? derivativeAlong(f, x, v, t) : { value: none, difference: none };
  const acted = L_out?.apply(output.y).dataSync() ?? none;
  return { value: value.map((along, k) => along - acted[k]), difference, flow, acted };
}

/** |x_n|^2 for each of `count` samples, of which `values` holds one after the other; |x_n - c|^2 with c. */
function squares(values: ArrayLike<number>, count: number, c?: Float64Array): Float64Array {
  const size = values.length / count;
  const out = new Float64Array(count);
  for (let n = 0; n < count; n++) for (let k = 0; k < size; k++) out[n] += (values[n * size + k] - (c ? c[k] : 0)) ** 2;
  return out;
}
