import { gradients } from "../../src/autograd/autograd.js";
import { allReduceStart, allReduceWait } from "../../src/engine/commands.js";
import { device as openDevice } from "../../src/engine/device.js";
import { native } from "../../src/engine/native.js";
import { add, div } from "../../src/ops/arithmetic.js";
import { biasActivation } from "../../src/ops/bias.js";
import { conv2d, maxPool2d } from "../../src/ops/conv.js";
import { gelu, tanh } from "../../src/ops/elementwise.js";
import { gather } from "../../src/ops/gather.js";
import { generatorApply, lconv, weightContract } from "../../src/ops/lconv.js";
import { crossEntropy } from "../../src/ops/loss.js";
import { linear, matmul } from "../../src/ops/matmul.js";
import { pixels } from "../../src/ops/pixels.js";
import { max, mean, sum, sumSquares } from "../../src/ops/reduce.js";
import { concat, permute, slice } from "../../src/ops/shape.js";
import { logSoftmax, softmax } from "../../src/ops/softmax.js";
import { stepAdvance, stepSlice, stepWrite } from "../../src/ops/step.js";
import { adam, rmsprop, sgd } from "../../src/optim/optimizer.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { sparseOf } from "./csr.js";
import { randn } from "./reference.js";

/** A command of the native engine; in place of buffers `operands` has the numbers of the buffers that come with it. */
export interface Command {
  op: number;
  operands: number[];
  attributes: number[];
}

/** Every kind of command, as the operations give them, with operands 0, 1, 2, … in place of buffers and the sizes they need. */
export function validCommands(): { commands: Command[]; elements: number[]; dtypes: (0 | 1)[] } {
  const device = openDevice("cpu");
  const watched = device as Partial<typeof device>; // with functions of its own, which are taken away again
  const commands: Command[] = [];
  const [elements, dtypes]: [number[], (0 | 1)[]] = [[], []];
  const place = new Map<number, number>();
  const original = device.execute.bind(device);
  const alloc = device.alloc.bind(device);
  const own = (buffer: number, size: number, dtype: 0 | 1) => {
    place.set(buffer, elements.length);
    elements.push(size);
    dtypes.push(dtype);
    return buffer;
  };
  device.alloc = (size, dtype) => own(alloc(size, dtype), size, dtype === "float32" ? 0 : 1);
  device.execute = (op, attributes, operands) => {
    original(op, attributes, operands);
    commands.push({
      op: native().ops[op],
      attributes,
      operands: operands.flatMap(({ buffer, offset }) => [place.get(buffer) as number, offset]),
    });
  };
  const leaf = (...shape: number[]) => tensor(Float32Array.from(randn(shape, shape.length).data), { shape, requiresGrad: true });
  const int32 = (...values: number[]) => tensor(Int32Array.from(values));
  const [h, U, V, W, b] = [leaf(2, 3, 6), leaf(2, 6, 3), leaf(2, 3, 6), leaf(3, 3, 4), leaf(4)];
  const [x, K, L] = [leaf(2, 3, 5, 5), leaf(4, 3, 3, 3), leaf(2, 6, 6)];
  const results = [
    lconv(h, { form: "lowRank", U, V }, W, b, { order: "VWU", fn: { name: "relu" } }),
    lconv(h, { form: "lowRank", U, V }, W, b, { order: "VUW", fn: { name: "tanh" } }),
    weightContract(generatorApply(h, { form: "dense", L }), W),
    lconv(h, sparseOf(randn([2, 6, 6], 1)), W),
    maxPool2d(biasActivation(conv2d(x, K, { padding: 1 }), b, { name: "sigmoid" })),
    linear(leaf(3, 4), leaf(4, 2), leaf(2), { name: "leakyRelu", parameter: 0.1 }),
    matmul(leaf(2, 3, 4), leaf(5, 4), { transB: true }),
    div(add(leaf(2, 1, 3), leaf(4, 1)), leaf(3)),
    gelu(tanh(leaf(7))),
    concat([permute(leaf(2, 3, 2), [2, 0, 1]), slice(leaf(4, 2, 3), [1, 0, 0], [2, 2, 3])], 0),
    softmax(leaf(3, 4), 0),
    logSoftmax(leaf(3, 4)),
    gather(leaf(4, 3), int32(0, 3, 3)),
    max(leaf(3, 4, 2), 1),
    mean(leaf(3, 4, 2), [0, 2]),
  ];
  const loss = results.map((y) => sum(y)).reduce((total, y) => add(total, y));
  gradients(add(loss, crossEntropy(leaf(3, 4), int32(0, 3, 1))), [h, U, V, W, b, x, K, L]);
  sumSquares([leaf(5000), leaf(3)]);
  pixels(int32(1, 2), [2, 3], 255);
  pixels(leaf(5), [5]);
  const step = int32(0);
  stepWrite(zeros([3]), step, stepSlice(leaf(5), step, 1));
  stepAdvance(step);
  const sum3 = leaf(3); // of this process alone
  allReduceStart(sum3.device, [sum3], [3]);
  allReduceWait(sum3.device, [sum3], [3]);
  for (const optimizer of [sgd([W], { momentum: 0.9, nesterov: true, clipNorm: 1 }), sgd([W]), adam([W]), rmsprop([W])]) {
    optimizer.step([leaf(3, 3, 4)]);
    optimizer.dispose();
  }
  delete watched.alloc;
  delete watched.execute;
  return { commands, elements, dtypes };
}
