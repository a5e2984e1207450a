// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { backward } from "../../src/autograd/autograd.js";
import { device } from "../../src/engine/device.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { scope } from "../../src/tensor/scope.js";
import { keep, type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";

const test = suite("tensor/scope");

const live = () => device().memory().tensors;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

test("a scope frees what was made in it, except what it returns, at any depth of arrays, maps and plain objects", () => {
  const before = live();
  const result = scope(() => {
    const [a, b, c, d] = [1, 2, 3, 4].map((value) => tensor([value]));
    zeros([5]);
    return { list: [a, { b }], map: new Map([["c", c]]), number: 7, nothing: null, d: mul(d, 2) };
  });
  assert.is(live() - before, 4);
  assert.equal(
    [result.list[0], result.map.get("c"), result.d].map((t) => (t as Tensor).item()),
    [1, 3, 8],
  );
  for (const t of [...(result.list as Tensor[]).map((x) => ("b" in x ? (x.b as Tensor) : x)), result.map.get("c"), result.d]) t?.dispose();
  assert.is(live(), before);
});

test("what an inner scope returns belongs to the outer one", () => {
  const before = live();
  scope(() => {
    const inner = scope(() => add(tensor([1]), 1));
    assert.is(inner.item(), 2);
    assert.is(live() - before, 1);
  });
  assert.is(live(), before);
});

test("an error frees everything, in a sync and in an async scope", async () => {
  const before = live();
  assert.throws(
    () =>
      scope(() => {
        zeros([3]);
        throw new RangeError("on purpose");
      }),
    (error: Error) => error instanceof RangeError,
  );
  const failed = await scope(async () => {
    zeros([3]);
    await pause(1);
    zeros([4]);
    throw new RangeError("on purpose");
  }).catch((error: Error) => error);
  assert.instance(failed, RangeError);
  assert.is(live(), before);
});

test("async scopes interleave: each frees its own", async () => {
  const before = live();
  const worker = (id: number) =>
    scope(async () => {
      const mine = tensor([id]);
      for (let i = 0; i < 5; i++) {
        await pause(id % 3);
        scope(() => add(mine, i));
        add(mine, 1);
      }
      return add(mine, 100);
    });
  const results = await Promise.all([1, 2, 3, 4].map(worker));
  assert.equal(
    results.map((t) => t.item()),
    [101, 102, 103, 104],
  );
  assert.is(live() - before, 4);
  for (const t of results) t.dispose();
});

test("keep() outlives its scope, also when it is called in an inner one", () => {
  const before = live();
  const kept = scope(() => {
    const [x, y] = [tensor([1]), tensor([2])];
    keep(x);
    scope(() => keep(y));
    return { read: () => [x.item(), y.item()], x, y: () => y };
  });
  assert.equal(kept.read(), [1, 2]);
  assert.is(live() - before, 2);
  kept.x.dispose();
  kept.y().dispose();
  assert.is(live(), before);
});

test("gradients of backward() outlive the scope and go with their parameter", () => {
  const before = live();
  const w = tensor([3], { requiresGrad: true });
  scope(() => backward(sum(mul(w, w))));
  assert.is(w.grad?.item(), 6);
  assert.is(live() - before, 2);
  w.dispose();
  assert.is(live(), before);
});

test("10,000 scoped steps leave nothing behind", () => {
  const w = tensor([1, 2], { requiresGrad: true });
  const before = live();
  for (let i = 0; i < 10_000; i++) scope(() => void add(mul(w, w), 1));
  assert.is(live(), before);
  w.dispose();
});

test("without a scope the garbage collector frees dropped tensors some time", async () => {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const before = live();
  for (let i = 0; i < 100; i++) zeros([10]);
  for (let i = 0; i < 50 && live() > before + 5; i++) {
    collect();
    await pause(10);
  }
  assert.ok(live() <= before + 5, `${live() - before} tensors are left`);
});

test.run();
