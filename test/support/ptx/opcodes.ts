// Every form of instruction that is translated, with its C++, which calls native/test/emu/ptx_ops.h. A form that is not here is an
// error: add it with what it does, and a line in test/native/ptxTranslation.test.ts.
import type { Operand } from "./parser.js";
import { types } from "./types.js";

/** What an instruction asks of the function that it stands in. Each method fails where the operand does not fit. */
export interface Writer {
  /** The operand as a value of the type. */
  value(operand: Operand, type: string): string;
  /** The same of a register that may be wider: its low bits. */
  low(operand: Operand, type: string): string;
  /** A register of the type's width. */
  target(operand: Operand, type: string): string;
  /** A register of the type's width or a wider one. */
  wide(operand: Operand, type: string): string;
  /** Where a load or store begins. */
  place(operand: Operand, space: string): string;
  label(operand: Operand): string;
  /** A call of one of the module's functions. */
  call(operands: readonly Operand[]): string;
  fail(text: string): never;
}

/** An instruction with its suffixes, of which the last is its type where it has one. */
export interface Form {
  opcode: string;
  suffixes: readonly string[];
}

type Emit = (w: Writer, operands: readonly Operand[], form: Form) => string;

const forms = new Map<string, { form: Form; emit: Emit; operands: number | undefined }>();

/** All `suffixes` of all `opcodes`, lists with blanks between; `operands` is undefined where an instruction checks them itself. */
function define(opcodes: string, suffixes: string, operands: number | undefined, emit: Emit): void {
  for (const opcode of opcodes.split(" ")) {
    for (const suffix of suffixes.split(" ")) {
      const form: Form = { opcode, suffixes: suffix === "" ? [] : suffix.split(".") };
      forms.set([opcode, ...form.suffixes].join("."), { form, emit, operands });
    }
  }
}

const each = (pattern: string, names: string): string =>
  names
    .split(" ")
    .map((name) => pattern.replace("*", name))
    .join(" ");
const typeOf = (form: Form): string => form.suffixes.at(-1)!;

const integers = "s16 u16 s32 u32 s64 u64";
const signed = "s16 s32 s64";
const floats = "f32 f64";
const bits = "b16 b32 b64";
const anyWord = `${integers} ${floats} ${bits}`;

/** d = f(a, b, ...), all of one type. */
function operation(count: number, f?: string): [number, Emit] {
  return [
    count + 1,
    (w, operands, form) => {
      const type = typeOf(form);
      const values = operands.slice(1).map((operand) => w.value(operand, type));
      return `put(${w.target(operands[0]!, type)}, ${f ?? form.opcode}(${values.join(", ")}));`;
    },
  ];
}

// Arithmetic.
define("add sub", `${integers} ${floats} ${each("rn.*", floats)}`, ...operation(2));
define("mul", `${each("lo.*", integers)} ${floats} ${each("rn.*", floats)}`, ...operation(2));
define("mul", "wide.s32 wide.u32", 3, (w, [d, a, b], form) => {
  const type = typeOf(form);
  return `put(${w.target(d!, type.replace("32", "64"))}, mul_wide(${w.value(a!, type)}, ${w.value(b!, type)}));`;
});
define("mad", each("lo.*", integers), ...operation(3));
define("fma", each("rn.*", floats), ...operation(3));
define("fma", "rm.f32", ...operation(3, "fma_rm"));
define("div", `${integers} ${each("rn.*", floats)}`, ...operation(2));
define("rem", integers, ...operation(2));
define("neg abs", `${signed} ${floats}`, ...operation(1));
define("min max", `${integers} ${floats}`, ...operation(2));
define("sqrt rcp", each("rn.*", floats), ...operation(1));
define("rcp", each("approx.ftz.*", floats), ...operation(1, "rcp_approx"));
define("ex2", "approx.ftz.f32", ...operation(1, "ex2_approx"));
define("copysign", floats, ...operation(2));

// Bits, comparisons, choices.
for (const opcode of ["and", "or", "xor"]) define(opcode, `${bits} pred`, ...operation(2, `bit_${opcode}`));
define("not", `${bits} pred`, ...operation(1, "bit_not"));
const shift: Emit = (w, [d, a, by], form) => {
  const type = typeOf(form);
  return `put(${w.target(d!, type)}, ${form.opcode}(${w.value(a!, type)}, ${w.value(by!, "u32")}));`;
};
define("shl", bits, 3, shift);
define("shr", `${bits} ${integers}`, 3, shift);
const comparison: Emit = (w, [p, a, b], form) => {
  const type = typeOf(form);
  return `put(${w.target(p!, "pred")}, ${form.suffixes[0]}(${w.value(a!, type)}, ${w.value(b!, type)}));`;
};
for (const relation of ["eq", "ne"]) define("setp", each(`${relation}.*`, bits), 3, comparison);
for (const relation of ["eq", "ne", "lt", "le", "gt", "ge"]) define("setp", each(`${relation}.*`, `${integers} ${floats}`), 3, comparison);
for (const relation of ["equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"])
  define("setp", each(`${relation}.*`, floats), 3, comparison);
define("selp", anyWord, 4, (w, [d, a, b, p], form) => {
  const type = typeOf(form);
  return `put(${w.target(d!, type)}, ${w.value(p!, "pred")} ? ${w.value(a!, type)} : ${w.value(b!, type)});`;
});

// Moves and conversions.
define("mov", `${anyWord} pred`, 2, (w, [d, a], form) => {
  const type = typeOf(form);
  if (type === "b64" && d!.kind === "vector") return `unpack(${w.value(a!, type)}, ${halves(w, d!, "target").join(", ")});`;
  if (type === "b64" && a!.kind === "vector") return `put(${w.target(d!, type)}, pack(${halves(w, a!, "value").join(", ")}));`;
  return `put(${w.target(d!, type)}, ${w.value(a!, type)});`;
});
function halves(w: Writer, { names }: Operand & { kind: "vector" }, method: "target" | "value"): string[] {
  if (names.length !== 2) w.fail(`two halves make 64 bits, here are ${names.length}`);
  return names.map((name) => w[method]({ kind: "name", name }, "u32"));
}
// An address of global memory is the same number in both of its forms.
define("cvta", "to.global.u64", 2, (w, [d, a]) => `put(${w.target(d!, "u64")}, ${w.value(a!, "u64")});`);
/** d = f(a), from the last type to the last but one. */
function conversion(f: (value: string) => string): Emit {
  return (w, [d, a], { suffixes }) => {
    const [to, from] = suffixes.slice(-2) as [string, string];
    return `widen(${w.wide(d!, to)}, ${f(w.low(a!, from))});`;
  };
}
const everyInteger = "s8 u8 s16 u16 s32 u32 s64 u64".split(" ");
for (const to of everyInteger) {
  for (const from of everyInteger)
    define(
      "cvt",
      `${to}.${from}`,
      2,
      conversion((value) => `static_cast<${cppOf(to)}>(${value})`),
    );
}
for (const [to, from] of [...everyInteger.flatMap((from) => floats.split(" ").map((to) => [to, from])), ["f32", "f64"]] as [
  string,
  string,
][])
  define(
    "cvt",
    `rn.${to}.${from}`,
    2,
    conversion((value) => `static_cast<${cppOf(to)}>(${value})`),
  );
define(
  "cvt",
  "f64.f32",
  2,
  conversion((value) => `static_cast<double>(${value})`),
);
define(
  "cvt",
  "sat.f32.f32",
  2,
  conversion((value) => `saturate(${value})`),
);
define(
  "cvt",
  "rzi.f32.f32 rzi.f64.f64",
  2,
  conversion((value) => `truncate(${value})`),
);

// Memory.
const stored = "b8 s8 u8 b16 s16 u16 b32 s32 u32 b64 s64 u64 f32 f64".split(" ");
const vectors = ["", "v2.", "v4."].flatMap((vector) => stored.map((type) => vector + type)).join(" ");
for (const space of ["global", "shared", "local", "param"]) {
  define("ld", each(`${space}.*`, vectors), 2, (w, [d, from], form) => {
    const regs = members(w, d!, form).map((member) => w.wide(member, typeOf(form)));
    return `load<${cppOf(typeOf(form))}>(${w.place(from!, space)}, ${regs.join(", ")});`;
  });
  define("st", each(`${space}.*`, vectors), 2, (w, [to, a], form) => {
    const type = typeOf(form);
    const values = members(w, a!, form).map((member) => w.low(member, type));
    return `store<${cppOf(type)}>(${w.place(to!, space)}, ${values.join(", ")});`;
  });
}
/** One for each part of a vector. */
function members(w: Writer, operand: Operand, form: Form): Operand[] {
  const expected = Number(/^v(\d)$/.exec(form.suffixes[1]!)?.[1] ?? 1);
  const list: Operand[] = operand.kind === "vector" ? operand.names.map((name) => ({ kind: "name", name })) : [operand];
  if (list.length !== expected) w.fail(`expected ${expected} registers, found ${list.length}`);
  return list;
}

// Control and the meetings of threads.
define("bra", " uni", 1, (w, [label]) => `goto ${w.label(label!)};`);
define("ret", " uni", 0, () => "return;");
define("call", " uni", undefined, (w, operands) => w.call(operands));
define("bar", "sync", 1, (w, [barrier]) => {
  if (barrier!.kind !== "integer" || barrier!.value !== 0n) w.fail("there is one barrier, 0");
  return "emu_syncthreads();";
});
define("shfl", "sync.bfly.b32", 5, (w, [d, a, lanes, segments, mask]) => {
  const isPair = d!.kind === "pair";
  const register: Operand = isPair ? { kind: "name", name: d!.first } : d!;
  const values = [a, lanes, segments, mask].map((operand) => w.value(operand!, "u32"));
  const shuffle = `put(${w.target(register, "b32")}, shuffle_xor(${values.join(", ")}));`;
  return isPair ? `${shuffle} put(${w.target({ kind: "name", name: d!.second }, "pred")}, true);` : shuffle;
});

function cppOf(type: string): string {
  return types.get(type)!.cpp;
}

/** The C++ of one instruction. */
export function emit(name: string, operands: readonly Operand[], w: Writer): string {
  const found = forms.get(name);
  if (!found) return w.fail(whyUnknown(name));
  if (found.operands !== undefined && operands.length !== found.operands)
    w.fail(`${name} takes ${found.operands} operands, here are ${operands.length}`);
  return found.emit(w, operands, found.form);
}

function whyUnknown(name: string): string {
  const [opcode, ...suffixes] = name.split(".");
  const known = [...forms.values()].filter(({ form }) => form.opcode === opcode);
  if (known.length === 0) return `unknown opcode "${opcode}" in "${name}"`;
  const unknown = suffixes.find((suffix) => !known.some(({ form }) => form.suffixes.includes(suffix)));
  return unknown === undefined
    ? `"${name}" is not among the forms of "${opcode}" that are translated`
    : `unknown modifier or type ".${unknown}" in "${name}"`;
}
