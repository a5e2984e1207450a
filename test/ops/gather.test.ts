// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gather } from "../../src/ops/gather.js";
import { stepAdvance, stepSlice, stepWrite } from "../../src/ops/step.js";
import { scope } from "../../src/tensor/scope.js";
import { tensor, zeros } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { checkDirections, checkOp } from "../support/gradcheck.js";
import { at, build, randn } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("ops/gather");

const int32 = (...values: number[]) => tensor(Int32Array.from(values));

everyDevice(test, "rows by number, also repeated ones: value and gradient", (device) => {
  for (const shape of [[4], [4, 3], [4, 2, 3], [4, 1, 1, 5]]) {
    for (const index of [[0], [3, 0, 3, 3, 1], [2, 2, 2, 2], []]) {
      checkOp({
        op: (table) => gather(table, tensor(Int32Array.from(index), { device })),
        reference: (table) => build([index.length, ...shape.slice(1)], ([j, ...rest]) => at(table, [index[j], ...rest])),
        inputs: [randn(shape, 5)],
        device,
      });
    }
  }
  checkDirections((table) => gather(table, tensor(Int32Array.of(1, 1, 0), { device })), [randn([3, 4], 1)], { device });
});

test("an index out of range gives NaN and gets no gradient", () => {
  scope(() => {
    const table = tensor([
      [1, 2],
      [3, 4],
    ]);
    const [a, b, c, d, e, f] = gather(table, int32(-1, 1, 2)).dataSync();
    assert.equal([c, d], [3, 4]);
    assert.ok([a, b, e, f].every(Number.isNaN));
    assert.equal([...gather(int32(7, 8), int32(1, 5)).dataSync()], [8, 0x7fc00000]);
    assert.ok([...gather(zeros([0, 2]), int32(0)).dataSync()].every(Number.isNaN));
  });
});

test("step ops: a list is walked round and round, and written at the counter", () => {
  scope(() => {
    const [list, step, sink] = [int32(10, 11, 12, 13, 14), int32(0), zeros([3])];
    const seen: number[][] = [];
    for (let i = 0; i < 4; i++) {
      seen.push([...stepSlice(list, step, 2).dataSync()]);
      stepWrite(sink, step, tensor([i + 1]));
      stepAdvance(step);
    }
    assert.equal(seen, [
      [10, 11],
      [12, 13],
      [14, 10],
      [11, 12],
    ]);
    assert.equal([...sink.dataSync()], [4, 2, 3]);
    assert.is(step.item(), 4);
    step.set(Int32Array.of(-1));
    assert.equal([...stepSlice(list, step, 2).dataSync()], [13, 14]);
    step.set(Int32Array.of(2 ** 31 - 1));
    stepAdvance(step);
    assert.is(step.item(), -(2 ** 31));
  });
});

test("misuse", () => {
  scope(() => {
    throwsCode(() => gather(zeros([4, 2]), zeros([3])), "ERR_LCONV_DTYPE", "index must be int32");
    throwsCode(() => gather(zeros([]), int32(0)), "ERR_LCONV_SHAPE", "[]", "[1]");
    throwsCode(() => gather(zeros([4, 2]), tensor(Int32Array.of(1, 2), { shape: [1, 2] })), "ERR_LCONV_SHAPE", "[4, 2]", "[1, 2]");
    throwsCode(() => stepSlice(zeros([2, 2]), int32(0), 1), "ERR_LCONV_SHAPE", "[2, 2]", "[1]");
    throwsCode(() => stepSlice(zeros([2]), zeros([1]), 1), "ERR_LCONV_DTYPE");
    throwsCode(() => stepWrite(zeros([2]), int32(0), zeros([2])), "ERR_LCONV_SHAPE", "[2]");
    throwsCode(() => stepAdvance(zeros([1])), "ERR_LCONV_DTYPE");
  });
});

test.run();
