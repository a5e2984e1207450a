// time limit: 300 s
// The kernels as nvcc makes them, against the table of test/native/kernels.jsonl: a change that spills registers, halves what a multiprocessor
// holds at once, or makes a kernel much longer has to be meant. Needs nvcc, no GPU.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type KernelFigures, measureKernels, readTable } from "../support/kernelTable.js";
import { haveNvcc, nvccVersion } from "../support/nvcc.js";
import { skip } from "../support/skip.js";

const test = suite("native/kernels");
const update = "to accept what is new: node --import tsx test/support/kernelTable.ts";

/** What is worse than the table allows, in words. */
function worse(got: KernelFigures, want: KernelFigures): string[] {
  const faults: string[] = [];
  const compare = (name: keyof KernelFigures, bad: boolean): void => {
    if (bad) faults.push(`${name} ${got[name]}, in the table ${want[name]}`);
  };
  compare("spilled", got.spilled > want.spilled);
  compare("stack", got.stack > want.stack);
  compare("warps", got.warps <= want.warps * 0.75);
  compare("instructions", got.instructions > want.instructions * 1.25 + 20);
  compare("globalAccesses", got.globalAccesses > want.globalAccesses * 1.25 + 2);
  compare("wideAccesses", got.wideAccesses < want.wideAccesses);
  return faults;
}

test("what is worse is named, what is better is not", () => {
  const figures = { registers: 64, stack: 0, spilled: 0, warps: 32, instructions: 200, globalAccesses: 8, wideAccesses: 2 };
  assert.equal(worse(figures, figures), []);
  assert.equal(worse({ ...figures, warps: 64, instructions: 100 }, figures), []);
  assert.equal(worse({ ...figures, warps: 16 }, figures), ["warps 16, in the table 32"]);
  assert.equal(worse({ ...figures, spilled: 8, stack: 16 }, figures), ["spilled 8, in the table 0", "stack 16, in the table 0"]);
  assert.equal(worse({ ...figures, instructions: 300, wideAccesses: 0 }, figures).length, 2);
});

test("no kernel is worse than in the table", async () => {
  if (!haveNvcc) return skip("nvcc is not installed");
  const table = readTable();
  if (table.nvcc !== nvccVersion()) return skip(`the table is nvcc ${table.nvcc}'s, this is ${nvccVersion()}`);
  const { kernels } = await measureKernels();
  assert.equal(Object.keys(kernels), Object.keys(table.kernels), update);
  const faults = Object.entries(kernels).flatMap(([name, figures]) =>
    worse(figures, table.kernels[name]).map((fault) => `${name}: ${fault}`),
  );
  assert.equal(faults, [], update);
  assert.ok(Object.values(kernels).every(({ registers, warps, instructions }) => registers > 0 && warps > 0 && instructions > 0));
});

test.run();
