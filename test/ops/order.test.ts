import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { device as openDevice } from "../../src/engine/device.js";
import { lconv } from "../../src/ops/lconv.js";
import { backwardCost, chooseOrder, forwardCost, type Order } from "../../src/ops/order.js";
import { sum } from "../../src/ops/reduce.js";
import { scope } from "../../src/tensor/scope.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { zeros } from "../../src/tensor/tensor.js";
import { countMultiplyAdds } from "../support/countMultiplyAdds.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/order");
const device = openDevice();

interface LayerSizes {
  B: number;
  m: number;
  m_out: number;
  d: number;
  n_L: number;
  d_h: number;
}
const layers: LayerSizes[] = [
  { B: 1, m: 1, m_out: 1, d: 1, n_L: 1, d_h: 1 },
  { B: 2, m: 3, m_out: 5, d: 7, n_L: 2, d_h: 3 },
  { B: 3, m: 1, m_out: 32, d: 49, n_L: 9, d_h: 4 },
  { B: 2, m: 16, m_out: 3, d: 11, n_L: 4, d_h: 5 },
  { B: 1, m: 8, m_out: 8, d: 5, n_L: 3, d_h: 5 },
];
const orders: Order[] = ["VWU", "VUW"];
const names = ["h", "U", "V", "W"] as const;
const trainedSets = Array.from(
  { length: 15 },
  (_, bits) => Object.fromEntries(names.map((name, i) => [name, ((bits + 1) & (1 << i)) !== 0])) as Record<(typeof names)[number], boolean>,
);

function makeLayer({ B, m, m_out, d, n_L, d_h }: LayerSizes, trained: Record<string, boolean>): Record<(typeof names)[number], Tensor> {
  const make = (name: string, ...shape: number[]) => zeros(shape, { requiresGrad: trained[name] });
  return { h: make("h", B, m, d), U: make("U", n_L, d, d_h), V: make("V", n_L, d_h, d), W: make("W", n_L + 1, m, m_out) };
}

function counted(
  s: LayerSizes,
  trained: Record<string, boolean>,
  order: Order,
  backwardOrder: Order,
): { forward: number; backward: number } {
  return scope(() => {
    const { h, U, V, W } = makeLayer(s, trained);
    let y: Tensor | undefined;
    const forward = countMultiplyAdds(device, () => {
      y = lconv(h, { form: "lowRank", U, V }, W, undefined, { order, backwardOrder });
    });
    const leaves = [h, U, V, W].filter((t) => t.requiresGrad);
    const backward = leaves.length === 0 ? 0 : countMultiplyAdds(device, () => gradients(sum(y as Tensor), leaves));
    return { forward: forward / s.B, backward: backward / s.B };
  });
}

test("the forward cost is what the commands multiply, without L_0 and the shared product with V", () => {
  for (const s of layers) {
    for (const order of orders) {
      const shared = s.m * s.m_out * s.d + s.n_L * s.d_h * s.d * s.m;
      assert.is(counted(s, {}, order, order).forward - shared, forwardCost(s)[order], `${order} of ${JSON.stringify(s)}`);
    }
  }
});

test("the backward cost is what the commands multiply, for everything that may be trained, after either forward order", () => {
  for (const s of layers) {
    for (const trained of trainedSets) {
      for (const forward of orders) {
        for (const backward of orders) {
          const { m, m_out, d } = s;
          const encode = s.n_L * s.d_h * d * m;
          const shared = (trained.V ? encode : 0) + (trained.h ? encode + m * m_out * d : 0) + (trained.W ? m * m_out * d : 0);
          const cost = backwardCost(s, trained, forward)[backward];
          assert.is(
            counted(s, trained, forward, backward).backward - shared,
            cost,
            `${forward} then ${backward}, trained ${JSON.stringify(trained)}, ${JSON.stringify(s)}`,
          );
        }
      }
    }
  }
});

test("auto takes the cheaper order, for forward and for backward", () => {
  for (const s of layers) {
    for (const trained of trainedSets) {
      scope(() => {
        const { h, U, V, W } = makeLayer(s, trained);
        const chosen = chooseOrder({ form: "lowRank", U, V }, s, s.m_out, trained, { order: "auto" });
        const [forward, backward] = [forwardCost(s), backwardCost(s, trained, chosen.forward)];
        assert.is(forward[chosen.forward], Math.min(forward.VWU, forward.VUW));
        assert.is(backward[chosen.backward], Math.min(backward.VWU, backward.VUW));
        const work = countMultiplyAdds(device, () => lconv(h, { form: "lowRank", U, V }, W));
        assert.is(work / s.B, counted(s, {}, chosen.forward, chosen.backward).forward);
      });
    }
  }
});

test("the two examples of the design: neither order always wins", () => {
  const mnist = forwardCost({ n_L: 9, d_h: 16, d: 784, m: 1, m_out: 32 });
  const cifar = forwardCost({ n_L: 9, d_h: 8, d: 1024, m: 32, m_out: 32 });
  assert.ok(mnist.VUW < mnist.VWU && cifar.VWU < cifar.VUW);
});

test("a forced order is taken; the backward pass follows it unless forced itself", () => {
  scope(() => {
    const s = layers[1];
    const { U, V } = makeLayer(s, {});
    const trained = trainedSets[14];
    for (const order of orders) {
      assert.equal(chooseOrder({ form: "lowRank", U, V }, s, s.m_out, trained, { order }), { forward: order, backward: order });
      for (const backwardOrder of orders)
        assert.equal(chooseOrder({ form: "lowRank", U, V }, s, s.m_out, trained, { order, backwardOrder }), {
          forward: order,
          backward: backwardOrder,
        });
    }
  });
});

test("misuse: unknown orders, orders that these generators cannot take", () => {
  scope(() => {
    const [h, L, W] = [zeros([1, 1, 3]), zeros([2, 3, 3]), zeros([3, 1, 1])];
    const { U, V } = makeLayer(layers[1], {});
    throwsCode(() => lconv(h, { form: "dense", L }, W, undefined, { order: "VWU" }), "ERR_LCONV_ARGUMENT", "VWU", "dense");
    throwsCode(() => lconv(h, { form: "dense", L }, W, undefined, { backwardOrder: "VWU" }), "ERR_LCONV_ARGUMENT", "VWU", "dense");
    throwsCode(
      () => lconv(zeros([1, 3, 7]), { form: "lowRank", U, V }, zeros([3, 3, 5]), undefined, { order: "UVW" as Order }),
      "ERR_LCONV_ARGUMENT",
      "UVW",
    );
  });
});

test.run();
