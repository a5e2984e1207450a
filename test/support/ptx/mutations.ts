// Faults planted in PTX, one at a time: what the emulated device must catch if it is to vouch for what nvcc makes. They are written for
// compute_90, and must be brought up to date when a kernel changes so much that one no longer applies.
import type { Ptx } from "./build.js";

export interface Mutation {
  name: string;
  source: string;
  /** A part of the kernel's mangled name. */
  kernel: string;
  /** What is changed, in its first appearance in the kernel or in number `which`; the whole kernel where it is left out. */
  change?: [from: RegExp, to: string, which?: number];
  /** What shows it: rows of the parity program, or else the small training. */
  rows?: string;
  /** What the emulated device must say of it; wrong values where this is left out. */
  says?: RegExp;
}

const barrier = /bar\.sync\s+0;/g;
const shuffle = /(shfl\.sync\.bfly\.b32\s+\S+ %r\d+), (%r\d+), (%r\d+), (%r\d+);/g;
const branch = /@(%p\d+) bra/g;
const wholeBranch = /@%p\d+ bra\s+\S+;/g;

const [activationGrad, conv, elementwise, loss, matmul, mix, optimizer, reduce] = [
  "lower_activation_grad.cu",
  "lower_conv.cu",
  "lower_elementwise.cu",
  "lower_loss.cu",
  "lower_matmul.cu",
  "lower_mix.cu",
  "lower_optimizer.cu",
  "lower_reduce.cu",
];

export const mutations: readonly Mutation[] = [
  { name: "no barrier before a tile is multiplied", source: matmul, kernel: "11ExpandTiles", change: [barrier, ""], rows: " expand(" },
  { name: "no barrier after it", source: conv, kernel: "9ConvTiles", change: [barrier, "", 1], rows: " conv2d(" },
  { name: "no barrier before warps are added up", source: reduce, kernel: "9sum_lines", change: [barrier, ""], rows: " sum(" },
  {
    name: "a barrier that some threads do not reach",
    source: reduce,
    kernel: "9sum_lines",
    change: [barrier, "@%p17 bar.sync 0;"],
    rows: " sum(",
    says: /__syncthreads/,
  },
  {
    name: "a comparison that lets one index too many in",
    source: elementwise,
    kernel: "5Unary4Body",
    change: [/setp\.ge\.s64/g, "setp.gt.s64"],
    rows: " unary(",
    says: /outside|past the end/,
  },
  { name: "an inverted predicate", source: reduce, kernel: "3Sum4Body", change: [branch, "@!$1 bra", 1], rows: " sum(" },
  { name: "a branch without its predicate", source: elementwise, kernel: "9CopyWords", change: [branch, "bra"], rows: " copy(" },
  {
    name: "a branch left out",
    source: elementwise,
    kernel: "10BinaryRowsINS0_3Add",
    change: [wholeBranch, "", 1],
    rows: " binary(",
    says: /outside|past the end/,
  },
  {
    name: "an offset of one element too many",
    source: reduce,
    kernel: "9sum_lines",
    change: [/\+1024\]/g, "+1028]"],
    rows: " sum(",
  },
  {
    name: "a shared store one place further",
    source: mix,
    kernel: "12MixGradTiles",
    change: [/st\.shared\.f32\s+\[(%r\d+)\]/g, "st.shared.f32 [$1+4]", 3],
    rows: " mixChannelsGrad(",
  },
  {
    name: "a vector at an address that is no multiple of 16",
    source: activationGrad,
    kernel: "9grad_rows",
    change: [/(ld\.global\.v4\.f32\s+\{[^}]*\}, \[%rd\d+)\]/g, "$1+4]"],
    rows: " biasActivationGrad(",
    says: /not aligned to 16/,
  },
  {
    name: "the operands of a difference swapped",
    source: loss,
    kernel: "12softmax_rows",
    change: [/sub\.f32\s+(%f\d+), (%f\d+), (%f\d+);/g, "sub.f32 $1, $3, $2;"],
    rows: " softmax(",
  },
  {
    name: "the choices of selp swapped",
    source: conv,
    kernel: "8PoolRows",
    change: [/selp\.b64\s+(%rd\d+), (%rd\d+), (%rd\d+)/g, "selp.b64 $1, $3, $2"],
    rows: " maxPool(",
  },
  {
    name: "a shuffle whose mask lacks lanes",
    source: loss,
    kernel: "12softmax_rows",
    change: [shuffle, "$1, $2, $3, 65535;"],
    rows: " softmax(",
    says: /a shuffle with mask 0000ffff/,
  },
  {
    name: "a shuffle over another distance",
    source: loss,
    kernel: "17softmax_grad_rows",
    change: [shuffle, "$1, 3, $3, $4;"],
    rows: " softmaxGrad(",
  },
  {
    name: "another addend of fma",
    source: mix,
    kernel: "10SparseRows",
    change: [/fma\.rn\.f32\s+(%f\d+), (%f\d+), (%f\d+), %f\d+;/g, "fma.rn.f32 $1, $2, $3, $3;"],
    rows: " sparseApply(",
  },
  {
    name: "a remainder for a quotient",
    source: conv,
    kernel: "14ConvInputTiles",
    change: [/div\.u32/g, "rem.u32"],
    rows: " conv2dInputGrad(",
  },
  {
    name: "a register that is not set",
    source: reduce,
    kernel: "9sum_lines",
    change: [/mov\.f32\s+%f\d+, 0f00000000;/g, ""],
    rows: " sum(",
  },
  {
    name: "the step of Adam's correction, one too far",
    source: optimizer,
    kernel: "10Correction",
    change: [/(add\.f64\s+%fd\d+, %fd\d+, )0d3FF0000000000000;/g, "$10d4000000000000000;", 1],
    rows: " adam(",
  },
  {
    name: "joined updates that begin where the one before began",
    source: optimizer,
    kernel: "4Adam4Body",
    change: [/(ld\.param\.u64\s+%rd\d+, \[%rd\d+)\];/g, "$1+8];", 1],
  },
  {
    name: "launch bounds below the block",
    source: elementwise,
    kernel: "4Fill4Body",
    change: [/\.maxntid 256, 1, 1/g, ".maxntid 128, 1, 1"],
    rows: " fill(",
    says: /a block of \d+ threads, its launch bounds allow 128/,
  },
  {
    name: "a kernel that is not there",
    source: mix,
    kernel: "14GatherGradRows",
    rows: " gatherGrad(",
    says: /LCONV_EMU_PTX has no such kernel/,
  },
];

/** The modules with the fault; an error where it cannot be planted. */
export function mutated(ptx: Ptx, { name, source, kernel, change }: Mutation): Ptx {
  const text = ptx.get(source);
  if (text === undefined) throw new Error(`${name}: nvcc made nothing of ${source}`);
  const parts = text.split(/^(?=(?:\.visible )?\.entry |\.func )/m);
  const found = parts.flatMap((part, i) => (/^(?:\.visible )?\.entry (\S+)\(/.exec(part)?.[1]?.includes(kernel) ? [i] : []));
  if (found.length !== 1) throw new Error(`${name}: ${found.length} kernels of ${source} are called ${kernel}`);
  const at = found[0]!;
  parts[at] = change ? changed(parts[at]!, name, ...change) : "";
  return new Map([...ptx, [source, parts.join("")]]);
}

function changed(text: string, name: string, from: RegExp, to: string, which = 0): string {
  const match = [...text.matchAll(from)][which];
  if (!match) throw new Error(`${name}: there is no number ${which} of ${from}`);
  return text.slice(0, match.index) + match[0].replace(new RegExp(from.source), to) + text.slice(match.index + match[0].length);
}
