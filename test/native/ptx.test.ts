// time limit: 300 s
// What nvcc makes of the kernels that are meant to move 16 bytes a thread; needs no GPU. That a register is spilled is an error of
// the build with LCONV_WERROR, which CI makes.
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { haveNvcc, nvcc } from "../support/nvcc.js";
import { skip } from "../support/skip.js";

const test = suite("native/ptx");
const cuda = fileURLToPath(new URL("../../native/cuda/", import.meta.url));

/** Kernels of a source by their mangled names. */
async function kernelsOf(source: string): Promise<Map<string, string>> {
  const ptx = await nvcc(`${cuda}${source}`, "compute_75");
  const parts = ptx.split(/^\.(?:visible )?entry /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("(")), part]));
}

const wanted: [string, string, RegExp, RegExp[]][] = [
  ["bias and activation", "lower_matmul.cu", /ShiftQuads/, [/ld\.global\.v4\.f32/, /st\.global\.v4\.f32/]],
  ["their gradient", "lower_activation_grad.cu", /grad_rows/, [/ld\.global\.v4\.f32/, /st\.global\.v4\.f32/]],
  ["updates", "lower_optimizer.cu", /each_of_many.*RmsProp/, [/ld\.global\.v4\.f32/, /st\.global\.v4\.f32/]],
  ["copies", "lower_elementwise.cu", /CopyQuads/, [/ld\.global\.v4\.u32/, /st\.global\.v4\.u32/]],
  ["gather", "lower_mix.cu", /GatherRowsI5uint4/, [/ld\.global\.v4\.u32/, /st\.global\.v4\.u32/]],
];
for (const [name, source, kernel, instructions] of wanted) {
  test(`${name}: loads and stores of 16 bytes`, async () => {
    if (!haveNvcc) return skip("nvcc is not installed");
    const found = [...(await kernelsOf(source))].filter(([mangled]) => kernel.test(mangled));
    assert.is(found.length, 1, `kernels of ${source} like ${kernel}`);
    for (const instruction of instructions) assert.match(found[0][1], instruction);
  });
}

test.run();
