// also on a GPU
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { native } from "../../src/engine/native.js";
import { add, broadcastTo, div, mul, type Operand, sub } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkOp } from "../support/gradcheck.js";
import { type Array64, at, binary, build, map, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/arithmetic");

const operations: Record<string, { op: (a: Operand, b: Operand) => Tensor; f: (a: number, b: number) => number }> = {
  add: { op: add, f: (a, b) => a + b },
  sub: { op: sub, f: (a, b) => a - b },
  mul: { op: mul, f: (a, b) => a * b },
  div: { op: div, f: (a, b) => a / b },
};
test("every function of two numbers in the native engine has a row", () => {
  assert.equal(Object.keys(operations).sort(), Object.keys(native().binaryFunctions).sort());
});

/** Away from 0, so that a quotient and its derivative are well conditioned. */
const awayFromZero = (a: Array64): Array64 => map(a, (value) => Math.fround(Math.sign(value || 1) * (0.5 + Math.abs(value))));

function checkBinary(name: string, a: Array64, b: Array64, device?: Parameters<typeof checkOp>[0]["device"]): void {
  const { op, f } = operations[name];
  checkOp({ op, reference: (x, y) => binary(x, y, f), inputs: [a, name === "div" ? awayFromZero(b) : b], device });
}

const pairs: [number[], number[]][] = [
  [[], []],
  [[], [3]],
  [[7], [7]],
  [
    [3, 4],
    [3, 4],
  ],
  [[3, 4], [4]],
  [[4], [3, 4]],
  [
    [3, 1],
    [1, 4],
  ],
  [[3, 1], [4]],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 4],
    [1, 3, 1],
  ],
  [
    [1, 1, 1],
    [2, 3, 4],
  ],
  [[2, 3, 4], [1]],
  [
    [5, 1, 2, 1],
    [1, 3, 1, 4],
  ],
  [
    [2, 1, 2, 1, 2, 1],
    [1, 2, 1, 2, 1, 2],
  ],
  [
    [7, 9],
    [7, 9],
  ],
  [
    [0, 3],
    [1, 3],
  ],
  [
    [2, 0],
    [2, 1],
  ],
];
for (const name of Object.keys(operations)) {
  everyDevice(test, `${name}: value and gradient over ${pairs.length} pairs of shapes`, (device) => {
    pairs.forEach(([a, b], i) => {
      checkBinary(name, randn(a, i), randn(b, 100 + i), device);
    });
  });
}

test("any pair of shapes that broadcast gives the reference (fast-check)", () => {
  const operand = (full: number[]) =>
    fc
      .record({
        drop: fc.integer({ min: 0, max: full.length }),
        ones: fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
      })
      .map(({ drop, ones }) => full.map((size, i) => (ones[i] ? 1 : size)).slice(drop));
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 }).chain((full) => fc.tuple(operand(full), operand(full)));
  fc.assert(
    fc.property(shapes, fc.constantFrom(...Object.keys(operations)), fc.nat(1000), ([a, b], name, seed) =>
      checkBinary(name, randn(a, seed), randn(b, seed + 1)),
    ),
    { numRuns: 150, seed: 3 },
  );
});

test("a number stands for one element, also while recording", () => {
  scope(() => {
    const x = tensor([1, 2, 3]);
    assert.equal([...add(x, 2).dataSync()], [3, 4, 5]);
    assert.equal([...div(6, x).dataSync()], [6, 3, 2]);
    assert.equal([...sub(1, 3).dataSync()], [-2]);
  });
});

test("a number can be an operand of a recorded program", async () => {
  const x = tensor([1, 2, 3]);
  let y: Tensor | undefined;
  const program = record(() => (y = add(mul(x, 2), 1)));
  await program.run();
  assert.equal([...(y as Tensor).dataSync()], [3, 5, 7]);
  program.dispose();
  x.dispose();
  y?.dispose();
});

test("the same tensor on both sides gets both gradients", () => {
  scope(() => {
    const x = tensor([3, -2], { requiresGrad: true });
    assert.equal([...gradients(sum(mul(x, x)), [x])[0].dataSync()], [6, -4]);
    assert.equal([...gradients(sum(add(x, x)), [x])[0].dataSync()], [2, 2]);
  });
});

test("div: the gradient survives a small denominator whose square underflows", () => {
  scope(() => {
    const b = tensor([1e-25], { requiresGrad: true });
    const [db] = gradients(sum(div(tensor([1e-30]), b)), [b]);
    assert.ok(Math.abs(db.item() / -1e20 - 1) < 1e-5);
  });
});

everyDevice(test, "broadcastTo: value and gradient", (device) => {
  const cases: [number[], number[]][] = [
    [
      [3, 1],
      [3, 4],
    ],
    [[1], [2, 3]],
    [[], [4]],
    [
      [2, 1, 3],
      [5, 2, 4, 3],
    ],
    [[3], [3]],
  ];
  for (const [from, to] of cases)
    checkOp({ op: (x) => broadcastTo(x, to), reference: (x) => build(to, (index) => at(x, index)), inputs: [randn(from, 5)], device });
});

test("misuse: both shapes are in the message", () => {
  scope(() => {
    for (const { op } of Object.values(operations))
      throwsCode(() => op(zeros([2, 3]), zeros([4, 3])), "ERR_LCONV_SHAPE", "[2, 3]", "[4, 3]", "axis 0");
    throwsCode(() => broadcastTo(zeros([2, 3]), [2, 4]), "ERR_LCONV_SHAPE", "[2, 3]", "[2, 4]");
    throwsCode(() => broadcastTo(zeros([2, 3]), [3]), "ERR_LCONV_SHAPE", "[2, 3]", "[3]");
    throwsCode(() => add(zeros([2], { dtype: "int32" }), zeros([2])), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => mul(zeros([2]), zeros([2], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => add(zeros([1, 2, 1, 2, 1, 2, 1]), zeros([2, 1, 2, 1, 2, 1, 2])), "ERR_LCONV_SHAPE", "at most 6");
  });
});

test.run();
