import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attach } from "../../src/autograd/autograd.js";
import * as commands from "../../src/engine/commands.js";
import { tanh } from "../../src/ops/elementwise.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { checkDirections, checkOp, type Op, type Op64 } from "./gradcheck.js";
import { array64, erf, map, randn, relError } from "./reference.js";

const test = suite("support/gradcheck");

/** 3 x with the gradient of `factor` x. */
const tripled =
  (factor: number): Op =>
  (x) => {
    const times = (t: Tensor, by: number) => {
      const y = Tensor.empty(t.device, t.shape);
      commands.unary(t.device, { name: "scale", parameter: by }, t.size, t, y);
      return y;
    };
    return attach("tripled", [x], times(x, 3), (dy) => [times(dy, factor)]);
  };
const reference: Op64 = (x) => map(x, (value) => 3 * value);
const inputs = [randn([4, 5], 1)];

/** uvu's assert.throws lets assertion errors through, and these are what a check throws. */
function fails(check: () => void, text: RegExp): void {
  let message = "";
  try {
    check();
  } catch (error) {
    message = (error as Error).message;
  }
  assert.match(message, text);
}

test("passes a right gradient", () => {
  checkOp({ op: tripled(3), reference, inputs });
  checkDirections(tripled(3), inputs);
  checkDirections(tanh, inputs);
});

test("catches a gradient that is wrong by 1 %", () => {
  fails(() => checkOp({ op: tripled(3.03), reference, inputs }), /gradient of input 0/);
});

test("catches a gradient that is wrong by 5 % without a reference", () => {
  fails(() => checkDirections(tripled(3.15), inputs), /difference quotient/);
});

test("catches a gradient with the wrong sign, and a missing one", () => {
  fails(() => checkDirections(tripled(-3), inputs), /difference quotient/);
  fails(() => checkOp({ op: tripled(0), reference, inputs }), /gradient of input 0/);
});

test("catches a wrong value", () => {
  fails(() => checkOp({ op: tripled(3), reference: (x) => map(x, (value) => 3.001 * value), inputs }), /value/);
});

test("relError is a norm, and infinite for other lengths", () => {
  assert.ok(Math.abs(relError([3, 4.5], [3, 4]) - 0.1) < 1e-12);
  assert.is(relError([1], [1, 2]), Number.POSITIVE_INFINITY);
  assert.is(relError([0.5], [0]), 0.5);
});

test("erf has the known values", () => {
  const known = [
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2.9, 0.9999589021219005],
    [3.5, 0.9999992569016276],
  ];
  for (const [x, want] of known) assert.ok(Math.abs(erf(x) - want) < 1e-12 && Math.abs(erf(-x) + want) < 1e-12);
  assert.is(array64([2], [1, 2]).data.length, 2);
});

test.run();
