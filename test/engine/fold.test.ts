// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as commands from "../../src/engine/commands.js";
import type { Program } from "../../src/engine/program.js";
import { gather } from "../../src/ops/gather.js";
import { slice } from "../../src/ops/shape.js";
import { stepAdvance, stepSlice } from "../../src/ops/step.js";
import { record } from "../../src/tensor/record.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";

// Gathers whose index is a step's part of a list take it from the list themselves (native/runtime/fold.cpp).

const test = suite("engine/fold");

const table = () => tensor([0, 10, 20, 30, 40, 50, 60], { shape: [7, 1] });
const list = () => tensor(Int32Array.of(3, 1, 4, 6, 5, 2, 0));
const values = (t: Tensor) => [...t.dataSync()];

/** Runs a step at a time, and returns what `read` gives after each. */
async function stepped<T>(program: Program, steps: number, read: () => T): Promise<T[]> {
  const seen: T[] = [];
  for (let i = 0; i < steps; i++) {
    await program.run({ steps: 1 });
    seen.push(read());
  }
  return seen;
}

test("samples and labels of a step, round and round", async () => {
  const [x, labels, order, step] = [table(), tensor(Int32Array.of(7, 8, 9, 10, 11, 12, 13)), list(), tensor(Int32Array.of(0))];
  const { y, z, program } = recorded(() => {
    const index = stepSlice(order, step, 3);
    const results = { y: gather(x, index), z: gather(labels, index) };
    stepAdvance(step);
    return results;
  });
  const seen = await stepped(program, 3, () => [values(y), values(z)]);
  assert.equal(seen, [
    [
      [30, 10, 40],
      [10, 8, 11],
    ],
    [
      [60, 50, 20],
      [13, 12, 9],
    ],
    [
      [0, 30, 10],
      [7, 10, 8],
    ],
  ]);
});

test("an index that is kept, or read by others, is there as before", async () => {
  const [x, order, step] = [table(), list(), tensor(Int32Array.of(1))];
  const { y, index, program } = recorded(() => {
    const index = stepSlice(order, step, 2);
    return { y: gather(x, index), index };
  });
  await program.run({ steps: 1 });
  assert.equal(
    [values(y), values(index)],
    [
      [40, 60],
      [4, 6],
    ],
  );
});

test("a list, a counter or an index that changes in between is not looked up later", async () => {
  const [x, order, step] = [table(), list(), tensor(Int32Array.of(0))];
  const { before, after, program } = recorded(() => {
    const index = stepSlice(order, step, 2);
    const before = gather(x, index);
    stepAdvance(step);
    return { before, after: gather(x, index) };
  });
  assert.equal(await stepped(program, 2, () => [values(before), values(after)]), [
    [
      [30, 10],
      [30, 10],
    ],
    [
      [40, 60],
      [40, 60],
    ],
  ]);
});

test("an index that is also the table is there", async () => {
  const [order, step] = [tensor(Int32Array.of(2, 0, 1, 1)), tensor(Int32Array.of(0))];
  const { y, program } = recorded(() => {
    const index = stepSlice(order, step, 3);
    return { y: gather(index, index) };
  });
  await program.run({ steps: 1 });
  assert.equal(values(y), [1, 2, 0]);
});

test("a gather that changes the list or the counter takes its index from before", async () => {
  const [x, order, step] = [tensor(Int32Array.of(7, 8, 9)), tensor(Int32Array.of(2, 0, 1)), tensor(Int32Array.of(1))];
  const { index, program } = recorded(() => {
    const index = stepSlice(order, step, 2);
    commands.gather(x.device, 3, 1, 2, x, index, order);
    return { index };
  });
  await program.run({ steps: 1 });
  assert.equal(
    [values(index), values(order)],
    [
      [1, 2],
      [8, 9, 1],
    ],
  );
});

test("a part of an index is left alone", async () => {
  const [x, order, step] = [table(), list(), tensor(Int32Array.of(1))];
  const { y, program } = recorded(() => ({ y: gather(x, slice(stepSlice(order, step, 3), [1], [2])) }));
  await program.run({ steps: 1 });
  assert.equal(values(y), [50, 20]);
});

/** What `build` returns, and the program that makes it. */
function recorded<T extends Record<string, Tensor>>(build: () => T): T & { program: Program } {
  let results!: T;
  const program = record(() => {
    results = build();
    return Object.values(results);
  });
  return { ...results, program };
}

test.run();
