// The translation of PTX that ptxRun.test.ts rests on: what single instructions do, and what is refused.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { execute } from "../support/nvcc.js";
import { compileAlone } from "../support/ptx/build.js";
import { parse } from "../support/ptx/parser.js";
import { asGcc, translate } from "../support/ptx/translate.js";

const test = suite("native/ptxTranslation");

const registers = ".reg .pred %p<4>; .reg .b16 %rs<4>; .reg .b32 %r<4>; .reg .f32 %f<4>; .reg .b64 %rd<4>; .reg .f64 %fd<4>;";
const kernel = (name: string, body: string): string =>
  `.visible .entry ${name}(.param .align 8 .b8 p[8])\n.maxntid 64, 2, 1\n{\n${registers}\nld.param.u64 %rd0, [p];\n${body}\nret;\n}\n`;
const head = ".version 9.0\n.target sm_90\n.address_size 64\n.extern .shared .align 16 .b8 block_memory[];\n";

const f32 = (value: number): string => `0f${Buffer.from(Float32Array.of(value).buffer).reverse().toString("hex")}`;
const f64 = (value: number): string => `0d${Buffer.from(Float64Array.of(value).buffer).reverse().toString("hex")}`;
const bitsOf = (value: number | bigint | string): bigint =>
  typeof value === "string" ? BigInt(`0x${value.slice(2)}`) : BigInt.asUintN(64, BigInt(value));

/** Instructions, and the register 1 of a kind that they leave, as a number or as the bits of a float. */
const cases: [ptx: string, register: string, value: number | bigint | string][] = [
  ["add.s32 %r1, 2147483647, 1;", "%r1", 0x80000000],
  ["sub.s64 %rd1, 0, 1;", "%rd1", -1],
  ["add.f32 %f1, 0f3F800000, 0f40000000;", "%f1", f32(3)],
  ["mul.lo.s32 %r1, -3, 5;", "%r1", 0xfffffff1],
  ["mul.lo.u16 %rs1, 65535, 65535; cvt.u32.u16 %r1, %rs1;", "%r1", 1],
  ["mul.wide.s32 %rd1, -3, 5;", "%rd1", -15],
  ["mul.wide.u32 %rd1, -3, 5;", "%rd1", 5n * (2n ** 32n - 3n)],
  ["mad.lo.s64 %rd1, -3, 5, 20;", "%rd1", 5],
  [`fma.rn.f32 %f1, ${f32(1 + 2 ** -12)}, ${f32(1 + 2 ** -12)}, ${f32(-1 - 2 ** -11)};`, "%f1", f32(2 ** -24)],
  [`fma.rm.f32 %f1, ${f32(2 ** -30)}, ${f32(-1)}, ${f32(8)};`, "%f1", f32(8 - 2 ** -21)],
  [`fma.rm.f32 %f1, ${f32(2 ** -70)}, ${f32(-1)}, ${f32(8)};`, "%f1", f32(8 - 2 ** -21)],
  [`fma.rm.f32 %f1, ${f32(2 ** -70)}, ${f32(1)}, ${f32(8)};`, "%f1", f32(8)],
  ["div.s32 %r1, -7, 2;", "%r1", 0xfffffffd],
  ["div.u32 %r1, -7, 2;", "%r1", 0x7ffffffc],
  ["rem.s64 %rd1, -7, 2;", "%rd1", -1],
  ["div.s32 %r1, -2147483648, -1;", "%r1", 0x80000000],
  ["neg.s32 %r1, 5;", "%r1", 0xfffffffb],
  [`neg.f32 %f1, ${f32(0)};`, "%f1", f32(-0)],
  [`abs.f64 %fd1, ${f64(-2.5)};`, "%fd1", f64(2.5)],
  ["min.s32 %r1, -1, 1;", "%r1", 0xffffffff],
  ["max.u32 %r1, -1, 1;", "%r1", 0xffffffff],
  [`max.f32 %f1, 0f7FC00000, ${f32(2)};`, "%f1", f32(2)],
  [`copysign.f32 %f1, ${f32(-1)}, ${f32(3)};`, "%f1", f32(-3)],
  [`sqrt.rn.f32 %f1, ${f32(9)};`, "%f1", f32(3)],
  [`rcp.rn.f64 %fd1, ${f64(4)};`, "%fd1", f64(0.25)],
  [`rcp.approx.ftz.f64 %fd1, ${f64(3)};`, "%fd1", 0x3fd5555500000000n],
  [`rcp.approx.ftz.f32 %f1, ${f32(-0.25)};`, "%f1", f32(-4)],
  [`rcp.approx.ftz.f32 %f1, ${f32(1e-40)};`, "%f1", f32(Number.POSITIVE_INFINITY)],
  [`ex2.approx.ftz.f32 %f1, ${f32(-3)};`, "%f1", f32(0.125)],
  [`ex2.approx.ftz.f32 %f1, ${f32(-130)};`, "%f1", f32(0)],
  ["and.b32 %r1, 12, 10;", "%r1", 8],
  ["or.b64 %rd1, 12, 3;", "%rd1", 15],
  ["xor.b32 %r1, -1, 1;", "%r1", 0xfffffffe],
  ["not.b64 %rd1, 0;", "%rd1", -1],
  ["shl.b32 %r1, 1, 31;", "%r1", 0x80000000],
  ["shl.b32 %r1, 1, 32;", "%r1", 0],
  ["shr.s32 %r1, -8, 1;", "%r1", 0xfffffffc],
  ["shr.s32 %r1, -8, 99;", "%r1", 0xffffffff],
  ["shr.u64 %rd1, -8, 60;", "%rd1", 15],
  ["setp.lt.s32 %p1, -1, 1; selp.b32 %r1, 3, 4, %p1;", "%r1", 3],
  ["setp.lt.u32 %p1, -1, 1; selp.b32 %r1, 3, 4, %p1;", "%r1", 4],
  ["setp.ne.f32 %p1, 0f7FC00000, 0f7FC00000; selp.u32 %r1, 1, 0, %p1;", "%r1", 0],
  ["setp.neu.f32 %p1, 0f7FC00000, 0f7FC00000; selp.u32 %r1, 1, 0, %p1;", "%r1", 1],
  ["setp.ltu.f32 %p1, 0f7FC00000, 0f00000000; selp.u32 %r1, 1, 0, %p1;", "%r1", 1],
  ["setp.nan.f32 %p1, 0f7FC00000, 0f00000000; not.pred %p2, %p1; or.pred %p3, %p1, %p2; selp.u32 %r1, 1, 0, %p3;", "%r1", 1],
  ["mov.u32 %r1, 1; mov.pred %p1, 0; @%p1 mov.u32 %r1, 2;", "%r1", 1],
  ["mov.u32 %r1, 1; mov.pred %p1, 0; @!%p1 mov.u32 %r1, 2;", "%r1", 2],
  [`mov.b32 %r1, ${f32(1)};`, "%r1", 0x3f800000],
  ["mov.u32 %r2, 3; mov.u32 %r3, 4; mov.b64 %rd1, {%r2, %r3};", "%rd1", 4n * 2n ** 32n + 3n],
  ["{ .reg .b32 %high; mov.b64 {%r1, %high}, 21474836487; mov.u32 %r1, %high; }", "%r1", 5],
  ["mov.u32 %r1, %ntid.y;", "%r1", 8],
  ["mov.u32 %r1, block_memory;", "%r1", 0],
  ["cvt.s64.s32 %rd1, -2;", "%rd1", -2],
  ["cvt.u64.u32 %rd1, -2;", "%rd1", 0xfffffffe],
  ["mov.u64 %rd2, -2; cvt.u32.u64 %r1, %rd2;", "%r1", 0xfffffffe],
  ["cvt.rn.f32.s32 %f1, 16777217;", "%f1", f32(16777216)],
  [`cvt.rn.f32.f64 %f1, ${f64(1 / 3)};`, "%f1", f32(1 / 3)],
  [`cvt.f64.f32 %fd1, ${f32(0.5)};`, "%fd1", f64(0.5)],
  ["cvt.sat.f32.f32 %f1, 0f7FC00000;", "%f1", f32(0)],
  [`cvt.sat.f32.f32 %f1, ${f32(7)};`, "%f1", f32(1)],
  [`cvt.rzi.f64.f64 %fd1, ${f64(-2.5)};`, "%fd1", f64(-2)],
  ["st.global.u32 [%rd0+8], -2; ld.global.u8 %rs1, [%rd0+8]; cvt.u32.u16 %r1, %rs1;", "%r1", 0xfe],
  ["st.global.u32 [%rd0+8], -2; ld.global.s8 %rs1, [%rd0+8]; cvt.s32.s16 %r1, %rs1;", "%r1", 0xfffffffe],
  ["mov.u32 %r2, 258; st.global.u8 [%rd0+8], %r2; ld.global.s32 %r1, [%rd0+8];", "%r1", 2],
  [`mov.f32 %f2, ${f32(5)}; st.shared.v2.f32 [block_memory+16], {%f1, %f2}; mov.u32 %r2, 20; ld.shared.f32 %f1, [%r2];`, "%f1", f32(5)],
  [".local .align 16 .b8 depot[16]; ld.local.s32 %r1, [depot+4];", "%r1", 0xffffffff],
  ["bra $skip; mov.u32 %r1, 1; $skip: add.s32 %r1, %r1, 1;", "%r1", 0],
  [
    `{ .param .b64 a; st.param.f64 [a+0], ${f64(1.5)}; .param .b64 result; call.uni (result), twice, (a); ld.param.f64 %fd1, [result]; }`,
    "%fd1",
    f64(3),
  ],
  ["shfl.sync.bfly.b32 %r1|%p1, 7, 16, 31, -1;", "%r1", 7 + 16],
  ["ld.global.v4.f32 {%f1, %f1, %f1, %f1}, [%rd0+8];", "%r1", "0xbad0010"],
  ["ld.global.f32 %f1, [%rd0+2];", "%r1", "0xbad0004"],
  ["mov.u32 %r2, 0; div.u32 %r1, 1, %r2;", "%r1", "0xbad0000"],
];

const twice = `.func (.param .b64 result) twice(.param .b64 a) { .reg .f64 %fd<2>; ld.param.f64 %fd0, [a]; add.f64 %fd1, %fd0, %fd0;
st.param.f64 [result], %fd1; ret; }\n`;

/** Calls the kernels in turn and prints eight bytes of each result. */
const main = `
#include <cstdio>
__thread const EmuLane* emu_lane = nullptr;
void emu_syncthreads() {}
std::uint64_t emu_warp_collective(EmuWarpOp, unsigned, std::uint64_t value, int lane, int) { return value + static_cast<unsigned>(lane); }
void emu_misaligned(const void*, std::size_t alignment) { throw 0xbad0000ull + alignment; }
void emu_ptx_fault(const char*) { throw 0xbad0000ull; }
int main() {
  alignas(16) static char memory[64], shared[64];
  const EmuLane lane = {{0, 0, 0}, {0, 0, 0}, dim3(64, 8), dim3(1), shared};
  emu_lane = &lane;
  for (void (*kernel)(const void*) : {KERNELS}) {
    std::memset(memory, 0, sizeof memory);
    const void* parameter = memory;
    unsigned long long result = 0;
    try {
      kernel(&parameter);
      std::memcpy(&result, memory, sizeof result);
    } catch (unsigned long long fault) {
      result = fault;
    }
    std::printf("%llx\\n", result);
  }
}
`;

test("what the instructions do", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lconv-ptx-"));
  try {
    const store = (register: string): string => `st.global.b${/%r\d|%f\d/.test(register) ? 32 : 64} [%rd0], ${register};`;
    const kernels = cases.map(([ptx, register], i) => kernel(`case${i}`, `${ptx}\n${store(register)}`));
    const names = cases.map((_, i) => `ptx::case${i}`);
    const program = await compileAlone(folder, head + twice + kernels.join(""), main.replace("KERNELS", names.join(", ")));
    const lines = (await execute(program, [])).trim().split("\n");
    const results = cases.map(([ptx], i) => `${ptx} 0x${lines[i]}`);
    assert.equal(
      results,
      cases.map(([ptx, , value]) => `${ptx} 0x${bitsOf(value).toString(16)}`),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a kernel's name, parameters and launch bounds", () => {
  const { kernels } = translate(parse("a.ptx", head + kernel("k", "")));
  assert.equal(kernels, [{ name: "k", parameterBytes: 8, mostThreads: 128 }]);
});

test("the anonymous namespace of a source is g++'s", () => {
  const own = "_GLOBAL__N__0123_4_x_cu_45_6789";
  assert.is(asGcc(`_ZN2ab${own.length}${own}1fEv`), "_ZN2ab12_GLOBAL__N_11fEv");
  assert.is(asGcc("_ZN2ab1fEv"), "_ZN2ab1fEv");
});

const refused: [body: string, error: RegExp][] = [
  ["dance.s32 %r1, %r2;", /a\.ptx:10: unknown opcode "dance" in "dance.s32"/],
  ["add.ftz.f32 %f1, %f2, %f3;", /a\.ptx:10: unknown modifier or type "\.ftz" in "add\.ftz\.f32"/],
  ["add.f16x2 %r1, %r2, %r3;", /unknown modifier or type "\.f16x2"/],
  ["add.rn.s32 %r1, %r2, %r3;", /"add\.rn\.s32" is not among the forms of "add" that are translated/],
  ["add.s32 %r1, %r2;", /add\.s32 takes 3 operands, here are 2/],
  ["add.s64 %rd1, %rd2, %r3;", /%r3 has 32 bits, \.s64 has 64/],
  ["add.s32 %r1, %r2, %r9;", /%r9 is declared nowhere/],
  ["add.s32 %r1, %r2, 4294967296;", /4294967296 does not fit in \.s32/],
  ["add.f32 %f1, %f2, 1;", /an integer where \.f32 is expected/],
  ["add.f64 %fd1, %fd2, 0f3F800000;", /a number of 32 bits, \.f64 has 64/],
  ["add.s32 5, %r2, %r3;", /expected a register, found an integer/],
  ["mov.u32 %r1, %laneid;", /%laneid is declared nowhere/],
  ["ld.global.v4.f32 {%f1, %f2}, [%rd0];", /expected 4 registers, found 2/],
  ["ld.global.f32 %f1, %rd0;", /expected an address, found %rd0/],
  ["ld.const.f32 %f1, [%rd0];", /unknown modifier or type "\.const"/],
  ["ld.global.f32 %f1, [%r1];", /%r1 has 32 bits, \.u64 has 64/],
  ["bra $nowhere;", /\$nowhere is no label of k/],
  ["bar.sync 1;", /there is one barrier, 0/],
  ["call.uni other, ();", /call of other, which is no function of this module/],
  [".reg .b128 %q;", /unknown type "\.b128"/],
  [".shared .align 4 .b8 s[16];", /unknown directive "\.shared"/],
  ["add.s32 %r1, %r2, #;", /unknown character "#"/],
  ["add.s32 %r1 %r2;", /expected ",", found "%r2"/],
];
for (const [body, error] of refused) {
  test(`refused: ${body}`, () => {
    const text = `${head}${kernel("k", body)}`;
    assert.throws(
      () => translate(parse("a.ptx", text)),
      (thrown: Error) => error.test(thrown.message) && /^a\.ptx:\d+: /.test(thrown.message),
    );
  });
}

test("refused: what is not a kernel of one parameter", () => {
  const refuses = (text: string, error: RegExp): void =>
    assert.throws(
      () => translate(parse("a.ptx", text)),
      (thrown: Error) => error.test(thrown.message),
    );
  refuses(".visible .entry k(.param .b64 a, .param .b64 b) { ret; }", /kernel k has 2 parameters, not one/);
  refuses(".visible .entry k(.param .b64 a) .reqntid 64 { ret; }", /a\.ptx:1: unknown directive "\.reqntid"/);
  refuses(".visible .entry k(.param .b64 a) { ret;", /the file ends/);
  refuses(".global .align 4 .b8 table[16];", /unknown directive "\.global"/);
  refuses(".address_size 32", /addresses of 64 bits alone/);
});

test.run();
