import { gradients } from "../../src/autograd/autograd.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { relu, sigmoid, tanh } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/matmul.js";
import { max, mean, sum } from "../../src/ops/reduce.js";
import { concat, reshape, slice, transpose } from "../../src/ops/shape.js";
import { softmax } from "../../src/ops/softmax.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { uniform } from "./reference.js";

/** Keeps values in the range where float32 is comfortable: programs are deep. */
const ops: ((pick: () => Tensor, next: () => number) => Tensor)[] = [
  (pick) => tanh(pick()),
  (pick) => sigmoid(pick()),
  (pick) => relu(pick()),
  (pick) => softmax(pick(), 0),
  (pick) => transpose(pick()),
  (pick) => reshape(pick(), [-1]),
  (pick) => tanh(add(pick(), mean(pick()))),
  (pick) => sub(pick(), sum(pick())),
  (pick) => mul(sigmoid(pick()), max(pick())),
  (pick) => {
    const x = pick();
    return matmul(x, tanh(x), { transB: true });
  },
  (pick) => {
    const x = pick();
    return concat([x, tanh(x), x], 1);
  },
  (pick, next) => {
    const x = pick();
    const rows = 1 + Math.floor(next() * x.shape[0]);
    return slice(x, [x.shape[0] - rows, 0], [rows, x.shape[1]]);
  },
  (pick) => mul(pick(), 0.5),
];

/**
 * A random directed graph of operations over `inputs` (matrices), the same for the same seed; some of its results are returned,
 * with gradients of the inputs among them now and then.
 */
export function randomProgram(seed: number, inputs: readonly Tensor[], length = 25): Tensor[] {
  const next = uniform(seed);
  const pool: Tensor[] = [...inputs];
  const pick = () => pool[Math.floor(next() ** 0.7 * pool.length)];
  for (let i = 0; i < length; i++) {
    const y = ops[Math.floor(next() * ops.length)](pick, next);
    // Back to matrices of bounded size, so that any can meet any.
    const flat = y.rank === 2 ? y : reshape(y, [1, -1]);
    pool.push(flat.size > 600 ? slice(flat, [0, 0], [Math.min(flat.shape[0], 5), Math.min(flat.shape[1], 7)]) : flat);
  }
  const results = pool.slice(inputs.length).filter(() => next() < 0.25);
  const last = pool[pool.length - 1];
  results.push(last);
  if (next() < 0.5) results.push(...gradients(add(sum(last), sum(pick())), inputs));
  return [...new Set(results)];
}
