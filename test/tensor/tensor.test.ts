// also on a GPU
import { inspect } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { add } from "../../src/ops/arithmetic.js";
import { scope } from "../../src/tensor/scope.js";
import { full, ones, Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("tensor/tensor");

everyDevice(test, "values are shown, and come out as nested arrays", (device) => {
  scope(() => {
    const x = tensor(
      [
        [1, 2.34567, -3e-7],
        [Number.NaN, Infinity, 4],
      ],
      { device, requiresGrad: true },
    );
    assert.is(inspect(x), `Tensor(float32, [2, 3], ${device.name}, requiresGrad)\n[[1, 2.346, -3e-7],\n [NaN, Infinity, 4]]`);
    assert.is(inspect({ x }), `{\n  x: ${inspect(x).replaceAll("\n", "\n  ")}\n}`);
    assert.equal(
      tensor(
        [
          [[1], [2]],
          [[3], [4]],
        ],
        { device },
      ).toArray(),
      [
        [[1], [2]],
        [[3], [4]],
      ],
    );
    assert.is(tensor(7, { device }).toArray(), 7);
    assert.equal(zeros([2, 0], { device }).toArray(), [[], []]);
    assert.equal(zeros([0, 2], { device }).toArray(), []);
    const long = tensor(
      Int32Array.from({ length: 4000 }, (_, i) => i),
      { shape: [8, 500], device },
    );
    assert.is(
      inspect(long).split("\n").slice(0, 5).join("\n"),
      `Tensor(int32, [8, 500], ${device.name})\n[[0, 1, 2, ..., 497, 498, 499],\n [500, 501, 502, ..., 997, 998, 999],\n [1000, 1001, 1002, ..., 1497, 1498, 1499],\n ...,`,
    );
    const large = zeros([2000, 2000], { device });
    assert.is(inspect(large).split("\n").slice(1).join().match(/\b0\b/g)?.length, 36, "of 4,000,000 values the corners alone are shown");
    x.dispose();
    assert.is(inspect(x), `Tensor(float32, [2, 3], ${device.name}, requiresGrad, disposed)`);
  });
});

test("print writes what console.log shows", () => {
  const { log } = console;
  const lines: unknown[] = [];
  console.log = (line) => void lines.push(line);
  try {
    scope(() => tensor([1]).print());
  } finally {
    console.log = log;
  }
  assert.is(lines.length, 1);
  assert.ok(lines[0] instanceof Tensor);
});

test("a clone, which would have no values, is refused", () => {
  scope(() => assert.throws(() => structuredClone(tensor([1, 2])), /lives on its device; send await tensor\.data\(\)/));
});

everyDevice(test, "values in, values out", async (device) => {
  await scope(async () => {
    const x = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { device },
    );
    assert.equal(x.shape, [2, 3]);
    assert.equal([x.rank, x.size, x.dtype, x.device], [2, 6, "float32", device]);
    assert.equal([...x.dataSync()], [1, 2, 3, 4, 5, 6]);
    assert.equal([...(await x.data())], [1, 2, 3, 4, 5, 6]);
    assert.equal([...x.slice(2, 3)], [3, 4, 5]);
    assert.equal([...x.set([6, 5, 4, 3, 2, 1]).dataSync()], [6, 5, 4, 3, 2, 1]);
    assert.is(String(x), `Tensor(float32, [2, 3], ${device.name})`);
  });
});

everyDevice(
  test,
  "data() reads what was there when it was called, also when the tensor is changed or disposed of meanwhile",
  async (device) => {
    const values = Float32Array.from({ length: 5000 }, (_, i) => i);
    const [x, y] = [tensor(values, { device }), tensor(values, { device })];
    const reads = [x.data(), y.data(), add(x, 1).data()];
    x.set(new Float32Array(5000));
    y.dispose();
    const [a, b, c] = await Promise.all(reads);
    assert.equal(b, values);
    assert.equal(
      c,
      values.map((value) => value + 1),
    );
    assert.ok([0, 4999].includes(a[4999]), "x was set while it was read: before or after, as on any queue");
    await rejectsCode(y.data(), "ERR_LCONV_DISPOSED");
  },
);

test("numbers, nested arrays, typed arrays, filled ones, empty ones", () => {
  scope(() => {
    assert.equal(tensor(5).shape, []);
    assert.is(tensor(5).item(), 5);
    assert.equal(tensor([[[1], [2]]]).shape, [1, 2, 1]);
    assert.equal(tensor(Float32Array.of(1, 2, 3, 4), { shape: [2, 2] }).shape, [2, 2]);
    assert.equal(tensor(Int32Array.of(1, 2)).dtype, "int32");
    assert.equal([...tensor([1.9, -1.9], { dtype: "int32" }).dataSync()], [1, -1]);
    assert.equal([...full([2, 2], 7).dataSync(), ...ones([1]).dataSync(), ...zeros([1]).dataSync()], [7, 7, 7, 7, 1, 0]);
    assert.equal([...full([2], -3, { dtype: "int32" }).dataSync()], [-3, -3]);
    assert.ok(full([1], 1, { requiresGrad: true }).requiresGrad);
    assert.equal(tensor([]).shape, [0]);
    assert.equal([...zeros([2, 0, 3]).dataSync()], []);
    assert.ok(Object.is(tensor([-0]).item(), -0) && Number.isNaN(tensor([Number.NaN]).item()));
  });
});

test("values are copied, on the way in and on the way out", () => {
  scope(() => {
    const host = Float32Array.of(1, 2);
    const x = tensor(host);
    host[0] = 9;
    x.dataSync()[1] = 9;
    assert.equal([...x.dataSync()], [1, 2]);
  });
});

test("detach and view share memory and carry no gradient", () => {
  scope(() => {
    const x = tensor([1, 2, 3, 4], { requiresGrad: true });
    const y = x.view([2, 2]);
    assert.ok(!y.tracked && !x.detach().tracked && x.tracked);
    x.set([4, 3, 2, 1]);
    assert.equal([...y.dataSync()], [4, 3, 2, 1]);
    throwsCode(() => x.view([3]), "ERR_LCONV_SHAPE", "[4]", "[3]");
  });
});

test("dispose: once, twice, by `using`, and nothing works afterwards", () => {
  const x = tensor([1, 2]);
  const y = x.view([2]);
  x.dispose();
  x.dispose();
  assert.ok(x.disposed && !y.disposed);
  for (const use of [
    () => x.dataSync(),
    () => x.set([1, 2]),
    () => x.item.call(tensor([1]).view([1])) && x.slice(0, 1),
    () => add(x, 1),
    () => x.view([2]),
    () => x.detach(),
    () => x.buffer,
  ]) {
    throwsCode(use, "ERR_LCONV_DISPOSED", "[2]", "keep()");
  }
  assert.equal([...y.dataSync()], [1, 2], "a view keeps the memory");
  y[Symbol.dispose]();
  assert.ok(y.disposed);
});

test("misuse", () => {
  throwsCode(() => tensor([1, 2, 3], { shape: [2, 2] }), "ERR_LCONV_SHAPE", "expected 4 values, got 3");
  throwsCode(() => tensor([[1, 2], [3]]), "ERR_LCONV_SHAPE", "rectangular");
  throwsCode(() => tensor([[1, 2], 3]), "ERR_LCONV_SHAPE", "rectangular");
  throwsCode(() => tensor([1, "2"] as never), "ERR_LCONV_SHAPE", "numbers");
  throwsCode(() => tensor(Float64Array.of(1, 2) as never), "ERR_LCONV_DTYPE", "Float64Array", "Float32Array.from");
  throwsCode(() => tensor(Int32Array.of(1), { dtype: "float32" }), "ERR_LCONV_DTYPE", "Int32Array");
  scope(() => {
    throwsCode(() => zeros([2]).set([1, 2, 3]), "ERR_LCONV_SHAPE", "expected 2 values, got 3");
    throwsCode(() => zeros([2]).set(Int32Array.of(1, 2)), "ERR_LCONV_DTYPE", "Int32Array");
    throwsCode(() => zeros([2]).item(), "ERR_LCONV_SHAPE", "[2]");
    throwsCode(() => zeros([2]).slice(1, 2), "ERR_LCONV_NATIVE", "range");
  });
  assert.ok(Tensor.length >= 0);
});

test.run();
