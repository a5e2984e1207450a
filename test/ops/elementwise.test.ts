// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { native } from "../../src/engine/native.js";
import { applyFunction } from "../../src/ops/apply.js";
import { exp, functionNames, gelu, leakyRelu, log, neg, relu, scale, sigmoid, sqrt, tanh } from "../../src/ops/elementwise.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { type Array64, map, pointwise, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/elementwise");

interface Row {
  /** The function of the native engine, where the row's name is another. */
  fn?: string;
  op: (x: Tensor) => Tensor;
  f: (x: number) => number;
  positive?: boolean;
}
const rows: Record<string, Row> = {
  linear: { op: (x) => applyFunction({ name: "linear" }, x), f: (x) => x },
  relu: { op: relu, f: pointwise.relu },
  leakyRelu: { op: leakyRelu, f: pointwise.leakyRelu },
  "leakyRelu of slope 0.3": { fn: "leakyRelu", op: (x) => leakyRelu(x, 0.3), f: (x) => (x > 0 ? x : 0.3 * x) },
  "leakyRelu of slope -0.5": { fn: "leakyRelu", op: (x) => leakyRelu(x, -0.5), f: (x) => (x > 0 ? x : -0.5 * x) },
  tanh: { op: tanh, f: pointwise.tanh },
  sigmoid: { op: sigmoid, f: pointwise.sigmoid },
  gelu: { op: gelu, f: pointwise.gelu },
  exp: { op: exp, f: pointwise.exp },
  log: { op: log, f: pointwise.log, positive: true },
  sqrt: { op: sqrt, f: pointwise.sqrt, positive: true },
  "scale by -2.5": { fn: "scale", op: (x) => scale(x, -2.5), f: (x) => -2.5 * x },
  neg: { fn: "scale", op: neg, f: (x) => -x },
};
const shapes = [[], [1], [17], [3, 5, 7], [0, 4], [401]];

test("every function of the native engine has its name here, and a row", () => {
  const engine = Object.keys(native().functions).sort();
  assert.equal([...functionNames].sort(), engine);
  assert.equal([...new Set(Object.entries(rows).map(([name, { fn }]) => fn ?? name))].sort(), engine);
});

for (const [name, { op, f, positive }] of Object.entries(rows)) {
  everyDevice(test, `${name}: value and gradient`, (device) => {
    shapes.forEach((shape, i) => {
      const x = randn(shape, i + 1, 2);
      const input: Array64 = positive ? map(x, (value) => Math.fround(0.3 + Math.abs(value))) : x;
      checkOp({ op, reference: (a) => map(a, f), inputs: [input], device });
    });
  });
  everyDevice(test, `${name}: differences of the float32 forward pass`, (device) => {
    const x = map(randn([6, 8], 21), (value) => Math.fround(positive ? 1 + Math.abs(value) : value + 0.1 * Math.sign(value)));
    checkDirections(op, [x], { device, step: 4e-3, tolerance: 2e-2 });
  });
  everyDevice(test, `${name}: large inputs, which are shared between threads, as small ones`, (device) => {
    scope(() => {
      const n = 70_001;
      const host = Float32Array.from({ length: n }, (_, i) => (positive ? 0.1 + (i % 997) / 100 : (i % 997) / 100 - 5));
      const all = op(tensor(host, { device })).dataSync();
      const last = op(tensor(host.slice(-5), { device })).dataSync();
      for (let i = 0; i < 5; i++)
        assert.ok(Math.abs(all[n - 5 + i] - last[i]) <= 2e-6 * Math.abs(last[i]), `${all[n - 5 + i]} against ${last[i]}`);
    });
  });
}

test("the ends of the number range", () => {
  const values = (op: (x: Tensor) => Tensor, x: number[]) => scope(() => [...op(tensor(x)).dataSync()]);
  const { POSITIVE_INFINITY: inf, NaN: nan } = Number;
  assert.equal(values(relu, [-inf, inf, -0]), [0, inf, 0]);
  assert.equal(values(tanh, [-inf, inf, 100]), [-1, 1, 1]);
  assert.equal(values(sigmoid, [-inf, inf, -200, 200]), [0, 1, 0, 1]);
  assert.equal(values(exp, [-inf, inf]), [0, inf]);
  assert.equal(values(log, [0, inf]), [-inf, inf]);
  assert.ok(values(log, [-1]).every(Number.isNaN) && values(sqrt, [-1]).every(Number.isNaN));
  for (const { op } of Object.values(rows)) assert.ok(values(op, [nan]).every(Number.isNaN), "NaN stays NaN");
});

test("misuse", () => {
  scope(() => {
    for (const { op } of Object.values(rows)) throwsCode(() => op(zeros([2, 3], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32", "[2, 3]");
  });
});

test.run();
