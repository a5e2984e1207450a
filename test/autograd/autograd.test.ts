// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { backward, gradients, noGrad } from "../../src/autograd/autograd.js";
import { device } from "../../src/engine/device.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { tanh } from "../../src/ops/elementwise.js";
import { crossEntropy } from "../../src/ops/loss.js";
import { matmul } from "../../src/ops/matmul.js";
import { sum } from "../../src/ops/reduce.js";
import { reshape } from "../../src/ops/shape.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { checkOp } from "../support/gradcheck.js";
import { binary, map, matmul as matmul64, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("autograd/autograd");

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const list = (t: Tensor | undefined) => (t ? [...t.dataSync()] : undefined);

test("a tensor that is used on several ways gets the sum of its gradients", () => {
  checkOp({
    op: (x, y) => add(matmul(x, tanh(matmul(x, y))), mul(x, x)),
    reference: (x, y) =>
      binary(
        matmul64(x, map(matmul64(x, y), Math.tanh)),
        map(x, (value) => value ** 2),
        (a, b) => a + b,
      ),
    inputs: [randn([3, 3], 1, 0.5), randn([3, 3], 2, 0.5)],
  });
});

test("gradients: in the order asked for, also of results on the way, and zeros where nothing depends", () => {
  scope(() => {
    const [x, y, z] = [leaf(2), leaf(3), leaf(5)];
    const product = mul(x, y);
    const loss = sum(mul(product, product));
    assert.equal(gradients(loss, [y, product, z, x, loss]).map(list), [[24], [12], [0], [36], [1]]);
    assert.equal(gradients(loss, []), []);
  });
});

test("a part of the loss that a scope has freed is an error that names the operation, whether its values are needed or not", () => {
  scope(() => {
    const x = leaf(2);
    const needed = sum(scope(() => mul(mul(x, x), x)));
    throwsCode(() => gradients(needed, [x]), "ERR_LCONV_DISPOSED", "mul", "scope()");
    const cut = sum(scope(() => add(add(x, x), x)));
    throwsCode(() => gradients(cut, [x]), "ERR_LCONV_DISPOSED", "add", "[1]", "scope()");
    const logits = tensor([1, 2], { shape: [1, 2], requiresGrad: true });
    const entropy = scope(() => crossEntropy(logits, tensor(Int32Array.of(1))));
    throwsCode(() => gradients(entropy, [logits]), "ERR_LCONV_DISPOSED", "crossEntropy", "scope()");
    const whole = scope(() => gradients(sum(mul(mul(x, x), x)), [x]));
    assert.equal(whole.map(list), [[12]]);
  });
});

test("gradients never share memory: each can be changed or disposed of alone", () => {
  scope(() => {
    const [a, b, c] = [leaf(1, 2), leaf(3, 4), leaf(5, 6)];
    const [da, db, dc, again] = gradients(sum(add(add(a, b), reshape(c, [2]))), [a, b, c, a]);
    da.set([7, 7]);
    db.dispose();
    assert.equal(
      [list(dc), list(again)],
      [
        [1, 1],
        [1, 1],
      ],
    );
  });
});

test("a loss that keeps its gradient lends it once at a time: each caller gets a tensor of its own, scaled or not", () => {
  scope(() => {
    const logits = tensor([1, 2, 3, 1, 0, -1], { shape: [2, 3], requiresGrad: true });
    const shifted = add(logits, tensor([0, 0, 0, 0, 0, 0], { shape: [2, 3], requiresGrad: true }));
    const loss = crossEntropy(shifted, tensor(Int32Array.of(2, 1)));
    const [first, between] = gradients(loss, [logits, shifted]);
    const want = list(first) as number[];
    first.set([9, 9, 9, 9, 9, 9]);
    assert.equal(list(between), want);
    between.dispose();
    const [second] = gradients(loss, [logits]);
    assert.equal(list(second), want);
    const [half] = gradients(mul(loss, 0.5), [logits]);
    assert.equal(
      list(half),
      want.map((g) => Math.fround(g * 0.5)),
    );
    const [one, same] = gradients(loss, [loss, logits]);
    assert.equal([list(one), list(same)], [[1], want]);
  });
});

test("backward adds to .grad, for leaves that share a gradient too", () => {
  scope(() => {
    const [a, b] = [leaf(1, 2), leaf(3, 4)];
    for (let i = 1; i <= 3; i++) {
      backward(sum(add(a, b)));
      assert.equal(
        [list(a.grad), list(b.grad)],
        [
          [i, i],
          [i, i],
        ],
      );
    }
    backward(sum(mul(a, a)));
    assert.equal(
      [list(a.grad), list(b.grad)],
      [
        [5, 7],
        [3, 3],
      ],
    );
    a.grad?.dispose();
    a.grad = undefined;
    backward(sum(sub(a, b)));
    assert.equal(
      [list(a.grad), list(b.grad)],
      [
        [1, 1],
        [2, 2],
      ],
    );
  });
});

test("no gradient flows to what is not tracked, through noGrad, detach or integers", () => {
  scope(() => {
    const [x, frozen] = [leaf(2), tensor([3])];
    const loss = sum(mul(mul(x, frozen), x.detach()));
    backward(loss);
    assert.equal([list(x.grad), list(frozen.grad)], [[6], undefined]);
    const cut = noGrad(() => sum(mul(x, x)));
    assert.not.ok(cut.tracked);
    throwsCode(() => backward(cut), "ERR_LCONV_ARGUMENT", "noGrad");
    assert.throws(
      () =>
        noGrad(() => {
          throw new RangeError("on purpose");
        }),
      (error: Error) => error instanceof RangeError,
    );
    assert.ok(sum(x).tracked, "an error inside noGrad leaves it");
  });
});

test("a graph of thousands of operations needs no deep stack", () => {
  const operations = device().asynchronous ? 2000 : 20_000; // the emulated GPU gives each tensor guard pages of its own
  scope(() => {
    const x = leaf(1);
    let y: Tensor = x;
    for (let i = 0; i < operations; i++) y = add(y, x);
    assert.equal(list(gradients(y, [x])[0]), [operations + 1]);
  });
});

test("misuse: a loss of several elements, of none, or without a graph", () => {
  scope(() => {
    const x = leaf(1, 2);
    throwsCode(() => gradients(mul(x, x), [x]), "ERR_LCONV_SHAPE", "[2]", "mean or sum");
    throwsCode(() => backward(mul(x, x)), "ERR_LCONV_SHAPE", "[2]");
    throwsCode(() => gradients(sum(zeros([2])), [x]), "ERR_LCONV_ARGUMENT", "requiresGrad");
    const loss = sum(mul(x, x));
    x.dispose();
    throwsCode(() => gradients(loss, [x]), "ERR_LCONV_DISPOSED");
  });
});

test.run();
