// also on a GPU
import { suite } from "uvu";
import { biasActivation } from "../../src/ops/bias.js";
import type { Fn } from "../../src/ops/elementwise.js";
import { scope } from "../../src/tensor/scope.js";
import { zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { at, build, map, pointwise, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/bias");

for (const fn of [undefined, { name: "relu" }, { name: "leakyRelu", parameter: 0.01 }, { name: "tanh" }, { name: "sigmoid" }] as (
  | Fn
  | undefined
)[]) {
  everyDevice(test, `biasActivation with ${fn?.name ?? "nothing"}: value and gradient`, (device) => {
    const f = pointwise[fn?.name ?? "linear"];
    for (const shape of [
      [2, 3],
      [2, 3, 5],
      [3, 2, 4, 5],
      [2, 3, 1],
    ]) {
      checkOp({
        op: (x, b) => biasActivation(x, b, fn),
        reference: (x, b) =>
          map(
            build(x.shape, (i) => at(x, i) + b.data[i[1]]),
            f,
          ),
        inputs: [randn(shape, 1), randn([shape[1]], 2)],
        device,
      });
    }
  });
}

test("differences of the float32 forward pass", () => {
  checkDirections((x, b) => biasActivation(x, b, { name: "tanh" }), [randn([2, 3, 4], 1), randn([3], 2)]);
});

test("misuse: code and both shapes", () => {
  scope(() => {
    const z = (...shape: number[]) => zeros(shape);
    throwsCode(() => biasActivation(z(2, 3, 4), z(4)), "ERR_LCONV_SHAPE", "[2, 3, 4]", "[4]");
    throwsCode(() => biasActivation(z(2, 3, 4), zeros([3], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => biasActivation(z(2, 3, 4), z(3), { name: "exp" }), "ERR_LCONV_ARGUMENT", "exp");
  });
});

test.run();
