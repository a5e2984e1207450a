// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { mul } from "../../src/ops/arithmetic.js";
import { conv2d } from "../../src/ops/conv.js";
import type { Fn } from "../../src/ops/elementwise.js";
import { denseGenerators } from "../../src/ops/generators.js";
import { generatorApply, lconv, weightContract } from "../../src/ops/lconv.js";
import type { Order } from "../../src/ops/order.js";
import { sum } from "../../src/ops/reduce.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { sparseOf } from "../support/csr.js";
import { everyDevice } from "../support/everyDevice.js";
import { assertNear, checkDirections, checkOp, differences, onDevice, toArray64 } from "../support/gradcheck.js";
import {
  type Array64,
  generatorApply as apply64,
  array64,
  weightContract as contract64,
  generators as generators64,
  lconv as lconv64,
  map,
  pointwise,
  randn,
} from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/lconv");

const orders: Order[] = ["VWU", "VUW"];

/** h, U, V, W, b for B samples, m to o channels, d positions, n_L generators of rank d_h. */
function layer(B: number, m: number, o: number, d: number, n_L: number, d_h: number): Array64[] {
  return [
    randn([B, m, d], 1),
    randn([n_L, d, d_h], 2, d_h ** -0.5),
    randn([n_L, d_h, d], 3, d ** -0.5),
    randn([n_L + 1, m, o], 4, (m * (n_L + 1)) ** -0.5),
    randn([o], 5),
  ];
}
const sizes: [number, number, number, number, number, number][] = [
  [1, 1, 1, 1, 1, 1],
  [2, 1, 3, 7, 2, 1],
  [2, 3, 2, 6, 3, 5],
  [3, 2, 1, 5, 1, 3],
  [1, 13, 4, 4, 2, 3],
  [2, 2, 11, 3, 4, 7],
];

for (const order of orders) {
  for (const backwardOrder of orders) {
    everyDevice(test, `low rank, ${order} forward and ${backwardOrder} backward: value and gradient`, (device) => {
      for (const size of sizes) {
        checkOp({
          op: (h, U, V, W, b) => lconv(h, { form: "lowRank", U, V }, W, b, { order, backwardOrder }),
          reference: (h, U, V, W, b) => lconv64(h, generators64(U, V), W, b),
          inputs: layer(...size),
          device,
        });
      }
    });
  }
}

for (const fn of [
  undefined,
  { name: "linear" },
  { name: "relu" },
  { name: "leakyRelu", parameter: 0.01 },
  { name: "tanh" },
  { name: "sigmoid" },
] as (Fn | undefined)[]) {
  everyDevice(test, `activation ${fn?.name ?? "none"}, with and without bias, in every order`, (device) => {
    const [h, U, V, W, b] = layer(2, 2, 3, 5, 2, 3);
    const f = pointwise[fn?.name ?? "linear"];
    for (const order of [...orders, "auto"] as const) {
      checkOp({
        op: (h, U, V, W, b) => lconv(h, { form: "lowRank", U, V }, W, b, { order, fn }),
        reference: (h, U, V, W, b) => lconv64(h, generators64(U, V), W, b, f),
        inputs: [h, U, V, W, b],
        device,
      });
      checkOp({
        op: (h, U, V, W) => lconv(h, { form: "lowRank", U, V }, W, undefined, { order, fn }),
        reference: (h, U, V, W) => lconv64(h, generators64(U, V), W, undefined, f),
        inputs: [h, U, V, W],
        device,
      });
    }
  });
}

/** Gradients for the inputs whose bit is set in `bits`; undefined for the others. */
function trainedSubset(inputs: Array64[], bits: number, layerOf: (...xs: Tensor[]) => Tensor, c: Array64): (Array64 | undefined)[] {
  return scope(() => {
    const xs = inputs.map((x, i) => onDevice(x, undefined, (bits & (1 << i)) !== 0));
    const leaves = xs.filter((x) => x.requiresGrad);
    const y = layerOf(...xs);
    const grads = gradients(sum(mul(y, onDevice({ shape: [...y.shape], data: c.data }))), leaves).map(toArray64);
    return xs.map((x) => (x.requiresGrad ? grads[leaves.indexOf(x)] : undefined));
  });
}

test("every combination of trained and frozen parts in every pair of orders", () => {
  const inputs = layer(2, 3, 2, 5, 2, 3);
  const reference = (...[h, U, V, W, b]: Array64[]) => lconv64(h, generators64(U, V), W, b, Math.tanh);
  const c = randn([2, 2, 5], 9);
  const want = differences(reference, inputs, c);
  for (let bits = 1; bits < 32; bits++) {
    for (const order of orders) {
      for (const backwardOrder of orders) {
        const got = trainedSubset(
          inputs,
          bits,
          (h, U, V, W, b) => lconv(h, { form: "lowRank", U, V }, W, b, { order, backwardOrder, fn: { name: "tanh" } }),
          c,
        );
        got.forEach((grad, i) => {
          if (grad) assertNear(`${order}/${backwardOrder}, trained ${bits.toString(2)}, input ${i}`, grad, want[i], 1e-4);
        });
      }
    }
  }
});

everyDevice(test, "dense generators: value and gradient, with every part trained or frozen", (device) => {
  const reference = (...[h, L, W, b]: Array64[]) => lconv64(h, L, W, b);
  for (const [B, m, o, d, n_L] of sizes) {
    const inputs = [randn([B, m, d], 1), randn([n_L, d, d], 2), randn([n_L + 1, m, o], 3), randn([o], 4)];
    checkOp({ op: (h, L, W, b) => lconv(h, { form: "dense", L }, W, b), reference, inputs, device });
  }
  const inputs = [randn([2, 3, 4], 1), randn([2, 4, 4], 2), randn([3, 3, 2], 3), randn([2], 4)];
  const c = randn([2, 2, 4], 5);
  const want = differences(reference, inputs, c);
  for (let bits = 1; bits < 16; bits++) {
    trainedSubset(inputs, bits, (h, L, W, b) => lconv(h, { form: "dense", L }, W, b), c).forEach((grad, i) => {
      if (grad) assertNear(`trained ${bits.toString(2)}, input ${i}`, grad, want[i], 1e-4);
    });
  }
});

everyDevice(test, "low rank equals dense with L = U V, at the sizes of a network layer", (device) => {
  scope(() => {
    const [h, U, V, W, b] = layer(3, 8, 16, 64, 5, 7).map((x) => onDevice(x, device, true));
    const fn = { name: "relu" } as const;
    const L = denseGenerators({ form: "lowRank", U, V });
    assertNear("U V", toArray64(L), generators64(toArray64(U), toArray64(V)), 1e-6);
    const dense = lconv(h, { form: "dense", L: tensor(L.dataSync() as Float32Array, { shape: L.shape, device }) }, W, b, { fn });
    const want = gradients(sum(mul(dense, dense)), [h, W, b]).map(toArray64);
    for (const order of orders) {
      const y = lconv(h, { form: "lowRank", U, V }, W, b, { fn, order });
      assertNear(order, toArray64(y), toArray64(dense), 1e-5);
      gradients(sum(mul(y, y)), [h, W, b]).forEach((grad, i) => {
        assertNear(`${order}, gradient ${i}`, toArray64(grad), want[i], 1e-4);
      });
    }
  });
});

/** Three zeros to every value, and one whole row and column of zeros. */
const thinned = (L: Array64): Array64 =>
  map(L, (value, i) => (i % 4 === 0 && i % L.shape[1] !== 1 && Math.floor(i / L.shape[1]) % L.shape[1] !== 2 ? value : 0));

everyDevice(test, "sparse generators equal dense ones: value and gradient", (device) => {
  for (const [B, m, o, d, n_L] of sizes) {
    const L = thinned(randn([n_L, d, d], 2));
    checkOp({
      op: (h, W, b) => lconv(h, sparseOf(L, device), W, b, { fn: { name: "tanh" } }),
      reference: (h, W, b) => lconv64(h, L, W, b, Math.tanh),
      inputs: [randn([B, m, d], 1), randn([n_L + 1, m, o], 3), randn([o], 4)],
      device,
    });
    scope(() => assert.equal([...denseGenerators(sparseOf(L, device)).dataSync()], [...L.data]));
  }
});

/** L_i moves an image of p x q by (u, v): (L h)[r, c] = h[r + u, c + v], zero outside. */
function shifts(p: number, q: number, moves: [number, number][]): Array64 {
  const d = p * q;
  const L = array64([moves.length, d, d], () => 0);
  moves.forEach(([u, v], i) => {
    for (let mu = 0; mu < d; mu++) {
      const [row, col] = [Math.floor(mu / q) + u, (mu % q) + v];
      if (row >= 0 && row < p && col >= 0 && col < q) L.data[(i * d + mu) * d + row * q + col] = 1;
    }
  });
  return L;
}

everyDevice(test, "shift generators make L-conv a convolution (zero padding: everywhere; valid: in the interior)", (device) => {
  scope(() => {
    const [B, m, o, p, q] = [2, 3, 4, 6, 5];
    const moves = [-1, 0, 1].flatMap((u) => [-1, 0, 1].map((v): [number, number] => [u, v])).filter(([u, v]) => u !== 0 || v !== 0);
    const x = onDevice(randn([B, m, p, q], 1), device);
    const K = randn([o, m, 3, 3], 2);
    const W = array64([9, m, o], (n) => {
      const [i, c, a] = [Math.floor(n / (m * o)), Math.floor(n / o) % m, n % o];
      const [u, v] = i === 0 ? [0, 0] : moves[i - 1];
      return K.data[((a * m + c) * 3 + u + 1) * 3 + v + 1];
    });
    const L = shifts(p, q, moves);
    const same = toArray64(conv2d(x, onDevice(K, device), { padding: "same" }));
    const valid = toArray64(conv2d(x, onDevice(K, device)));
    for (const g of [sparseOf(L, device), { form: "dense" as const, L: onDevice(L, device) }]) {
      const y = toArray64(lconv(onDevice({ shape: [B, m, p * q], data: Float64Array.from(x.dataSync()) }, device), g, onDevice(W, device)));
      assertNear("same", y, same, 1e-6);
      const interior = array64(valid.shape, (n) => {
        const [plane, i, j] = [Math.floor(n / ((p - 2) * (q - 2))), Math.floor(n / (q - 2)) % (p - 2), n % (q - 2)];
        return y.data[plane * p * q + (i + 1) * q + j + 1];
      });
      assertNear("valid", interior, valid, 1e-6);
    }
  });
});

everyDevice(test, "generatorApply and weightContract: value and gradient, and together the layer", (device) => {
  for (const size of sizes) {
    const [h, U, V, W] = layer(...size);
    const L = generators64(U, V);
    checkOp({
      op: (h, U, V) => generatorApply(h, { form: "lowRank", U, V }),
      reference: (h, U, V) => apply64(h, generators64(U, V)),
      inputs: [h, U, V],
      device,
    });
    checkOp({ op: (h, L) => generatorApply(h, { form: "dense", L }), reference: apply64, inputs: [h, map(L, Math.fround)], device });
    const S = thinned(L);
    const rounded = map(S, Math.fround);
    checkOp({ op: (h) => generatorApply(h, sparseOf(rounded, device)), reference: (h) => apply64(h, rounded), inputs: [h], device });
    checkOp({ op: weightContract, reference: contract64, inputs: [map(apply64(h, L), Math.fround), W], device });
  }
});

test("differences of the float32 forward pass", () => {
  for (const order of orders)
    checkDirections((h, U, V, W, b) => lconv(h, { form: "lowRank", U, V }, W, b, { order, fn: { name: "tanh" } }), layer(2, 2, 3, 6, 2, 3));
});

test("misuse: code and both shapes", () => {
  scope(() => {
    const z = (...shape: number[]) => zeros(shape);
    const g = { form: "lowRank", U: z(2, 5, 3), V: z(2, 3, 5) } as const;
    throwsCode(() => lconv(z(1, 2, 6), g, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[1, 2, 6]", "d = 6", "d = 5");
    throwsCode(() => lconv(z(2, 5), g, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[2, 5]");
    throwsCode(() => lconv(z(1, 2, 5), { ...g, V: z(2, 5, 3) }, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[2, 5, 3]", "[2, 3, 5]");
    throwsCode(() => lconv(z(1, 2, 5), g, z(2, 2, 4)), "ERR_LCONV_SHAPE", "[2, 2, 4]", "[3, 2, 4]", "[1, 2, 5]");
    throwsCode(() => lconv(z(1, 3, 5), g, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[3, 2, 4]", "[1, 3, 5]");
    throwsCode(() => lconv(z(1, 2, 5), g, z(3, 2, 4), z(3)), "ERR_LCONV_SHAPE", "b must be [4]", "[3]");
    throwsCode(() => lconv(z(1, 2, 5), { form: "dense", L: z(2, 5, 4) }, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[2, 5, 4]", "[2, 5, 5]");
    throwsCode(() => lconv(z(1, 2, 5), { form: "lowRank", U: z(2, 5, 0), V: z(2, 0, 5) }, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[2, 5, 0]");
    throwsCode(() => lconv(z(1, 0, 5), g, z(3, 0, 4)), "ERR_LCONV_SHAPE", "[1, 0, 5]");
    throwsCode(() => lconv(z(0, 2, 5), g, z(3, 2, 4)), "ERR_LCONV_SHAPE", "[0, 2, 5]", "sample");
    throwsCode(() => lconv(z(1, 2, 5), g, z(3, 2, 4), undefined, { fn: { name: "gelu" } }), "ERR_LCONV_ARGUMENT", "gelu");
    throwsCode(() => lconv(zeros([1, 2, 5], { dtype: "int32" }), g, z(3, 2, 4)), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => weightContract(z(1, 3, 2, 5), z(3, 4, 2)), "ERR_LCONV_SHAPE", "[1, 3, 2, 5]", "[3, 4, 2]");
    throwsCode(() => weightContract(z(3, 2, 5), z(3, 2, 2)), "ERR_LCONV_SHAPE", "[3, 2, 5]");
    throwsCode(() => generatorApply(z(1, 2, 6), g), "ERR_LCONV_SHAPE", "[1, 2, 6]");
  });
});

test.run();
