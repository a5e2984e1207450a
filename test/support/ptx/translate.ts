// A module of PTX as C++ for the emulated device: a function for each of its own, registers as locals, labels as labels. Registers and local
// memory start poisoned, as memory does there.

import { PtxError } from "./lexer.js";
import { emit, type Writer } from "./opcodes.js";
import type { Instruction, Module, Operand, PtxFunction, Statement } from "./parser.js";
import { registerType, type Type, types } from "./types.js";

export interface Kernel {
  /** As g++ mangles it. */
  name: string;
  parameterBytes: number;
  /** By its launch bounds; 0 without any. */
  mostThreads: number;
}

export interface Translation {
  cpp: string;
  kernels: Kernel[];
}

const special = new Map(
  ["x", "y", "z"].flatMap((axis) =>
    [
      ["tid", "thread"],
      ["ctaid", "block"],
      ["ntid", "block_dim"],
      ["nctaid", "grid_dim"],
    ].map(([name, member]): [string, string] => [`%${name}.${axis}`, `emu_lane->${member}.${axis}`]),
  ),
);

export function translate(module: Module): Translation {
  const kernels: Kernel[] = [];
  for (const f of module.functions.filter((f) => f.isKernel)) {
    if (f.parameters.length !== 1) throw new PtxError(module.file, 1, `kernel ${f.name} has ${f.parameters.length} parameters, not one`);
    kernels.push({ name: asGcc(f.name), parameterBytes: f.parameters[0]!.bytes, mostThreads: f.mostThreads });
  }
  const cpp = [
    '#include "ptx_ops.h"',
    "namespace ptx {",
    ...module.functions.filter((f) => !f.isKernel).map((f) => `${signature(f)};`),
    ...module.functions.map((f) => new FunctionWriter(module, f).write()),
    "}  // namespace ptx\n",
  ].join("\n");
  return { cpp, kernels };
}

/** nvcc gives the anonymous namespace of each source a name of its own, g++ always the same. */
export function asGcc(mangled: string): string {
  const at = /(\d+)_GLOBAL__N__/.exec(mangled);
  if (!at) return mangled;
  const end = at.index + at[1]!.length + Number(at[1]);
  return `${mangled.slice(0, at.index)}12_GLOBAL__N_1${asGcc(mangled.slice(end))}`;
}

const identifier = (name: string): string => asGcc(name).replaceAll(/[%$.]/g, "");

function signature(f: PtxFunction): string {
  if (f.isKernel) return `extern "C" void ${asGcc(f.name)}(const void* parameters)`;
  const result = f.result ? [`char* ${identifier(f.result.name)}`] : [];
  return `static void ${identifier(f.name)}(${[...result, ...f.parameters.map((p) => `const char* ${identifier(p.name)}`)].join(", ")})`;
}

/** What a name stands for: a register of its type, or memory. */
type Meaning = Type | "memory";

class FunctionWriter implements Writer {
  /** Names of the open scopes, the innermost last. */
  private readonly scopes: Map<string, Meaning>[] = [new Map()];
  private readonly labels: Set<string>;
  private line = 0;

  constructor(
    private readonly module: Module,
    private readonly f: PtxFunction,
  ) {
    for (const { name } of [...f.parameters, ...(f.result ? [f.result] : [])]) this.scopes[0]!.set(name, "memory");
    this.labels = new Set(f.body.flatMap((s) => (s.kind === "label" ? [s.name] : [])));
  }

  write(): string {
    const { f } = this;
    const lines = [`${signature(f)} {`];
    if (f.isKernel) lines.push(`  const char* const ${identifier(f.parameters[0]!.name)} = static_cast<const char*>(parameters);`);
    for (const statement of f.body) {
      this.line = statement.line;
      lines.push(`  ${this.statement(statement)}`);
    }
    return [...lines, "}"].join("\n");
  }

  private statement(s: Statement): string {
    switch (s.kind) {
      case "open":
        this.scopes.push(new Map());
        return "{";
      case "close":
        this.scopes.pop();
        return "}";
      case "label":
        return `${identifier(s.name)}:;`;
      case "registers":
        return this.registers(s.names, types.get(s.type) ?? this.fail(`unknown type ".${s.type}"`));
      case "memory":
        this.scopes.at(-1)!.set(s.name, "memory");
        return `alignas(${s.alignment}) char ${identifier(s.name)}[${s.bytes}]; std::memset(${identifier(s.name)}, 0xff, ${s.bytes});`;
      case "instruction":
        return this.instruction(s);
    }
  }

  private registers(names: readonly string[], type: Type): string {
    for (const name of names) this.scopes.at(-1)!.set(name, type);
    const poison = type.bits === 1 ? "true" : `static_cast<${registerType(type)}>(-1)`;
    return `${registerType(type)} ${names.map((name) => `${identifier(name)} = ${poison}`).join(", ")};`;
  }

  private instruction({ name, operands, guard }: Instruction): string {
    const text = emit(name, operands, this);
    if (!guard) return text;
    return `if (${guard.negated ? "!" : ""}${this.target({ kind: "name", name: guard.predicate }, "pred")}) { ${text} }`;
  }

  fail(text: string): never {
    throw new PtxError(this.module.file, this.line, text);
  }

  private meaning(name: string): Meaning | undefined {
    return this.scopes.findLast((scope) => scope.has(name))?.get(name);
  }

  /** A register of at least, or of exactly, the width of the type. */
  private register(operand: Operand, type: string, wider: boolean): string {
    const meaning = operand.kind === "name" ? this.meaning(operand.name) : undefined;
    if (operand.kind !== "name" || meaning === undefined || meaning === "memory")
      return this.fail(`expected a register, found ${nameOf(operand)}`);
    const { bits, isFloat } = types.get(type)!;
    if (meaning.bits !== bits && !(wider && !isFloat && meaning.bits > bits))
      this.fail(`${operand.name} has ${meaning.bits} bits, .${type} has ${bits}`);
    return identifier(operand.name);
  }

  target(operand: Operand, type: string): string {
    return this.register(operand, type, false);
  }

  wide(operand: Operand, type: string): string {
    return this.register(operand, type, true);
  }

  value(operand: Operand, type: string): string {
    return this.constant(operand, type) ?? `as<${types.get(type)!.cpp}>(${this.target(operand, type)})`;
  }

  low(operand: Operand, type: string): string {
    return this.constant(operand, type) ?? `low<${types.get(type)!.cpp}>(${this.wide(operand, type)})`;
  }

  /** Numbers, special registers and addresses; undefined for a register. */
  private constant(operand: Operand, type: string): string | undefined {
    const { bits, isFloat, cpp } = types.get(type)!;
    if (operand.kind === "float") {
      if (operand.width !== bits) this.fail(`a number of ${operand.width} bits, .${type} has ${bits}`);
      return `as<${cpp}>(${literal(operand.bits, bits)})`;
    }
    if (operand.kind === "integer") {
      const { value } = operand;
      if (bits === 1) return String(value !== 0n);
      if (isFloat) this.fail(`an integer where .${type} is expected`);
      if (value < -(1n << BigInt(bits - 1)) || value >= 1n << BigInt(bits)) this.fail(`${value} does not fit in .${type}`);
      return `as<${cpp}>(${literal(value, bits)})`;
    }
    if (operand.kind !== "name" || this.isRegister(operand.name)) return undefined;
    if (this.module.shared.has(operand.name) && bits >= 32) return `${cpp}{0}`;
    const [found, width] = special.has(operand.name)
      ? [special.get(operand.name)!, 32]
      : this.meaning(operand.name) === "memory"
        ? [`address_of(${identifier(operand.name)})`, 64]
        : this.fail(`${operand.name} is declared nowhere`);
    return width === bits && !isFloat ? `as<${cpp}>(${found})` : this.fail(`${operand.name} has ${width} bits, .${type} has ${bits}`);
  }

  private isRegister(name: string): boolean {
    const meaning = this.meaning(name);
    return meaning !== undefined && meaning !== "memory";
  }

  place(operand: Operand, space: string): string {
    if (operand.kind !== "address") return this.fail(`expected an address, found ${nameOf(operand)}`);
    return `${this.base(operand.base, space)} + (${operand.offset})`;
  }

  private base(name: string, space: string): string {
    if (space === "shared") return `shared(${this.module.shared.has(name) ? "0" : this.wide({ kind: "name", name }, "u32")})`;
    if (this.meaning(name) === "memory" && space !== "global") return identifier(name);
    return `pointer(${this.target({ kind: "name", name }, "u64")})`;
  }

  label(operand: Operand): string {
    if (operand.kind !== "name" || !this.labels.has(operand.name)) return this.fail(`${nameOf(operand)} is no label of ${this.f.name}`);
    return identifier(operand.name);
  }

  call(operands: readonly Operand[]): string {
    const at = operands.findIndex((operand) => operand.kind === "name");
    const name = operands[at];
    const called = name?.kind === "name" ? this.module.functions.find((f) => !f.isKernel && f.name === name.name) : undefined;
    if (!called) return this.fail(`call of ${name ? nameOf(name) : "nothing"}, which is no function of this module`);
    const list = operands.flatMap((operand) => (operand.kind === "list" ? operand.names : []));
    const expected = called.parameters.length + (called.result ? 1 : 0);
    if (list.length !== expected) this.fail(`${called.name} takes ${expected} arguments, here are ${list.length}`);
    for (const argument of list) if (this.meaning(argument) !== "memory") this.fail(`${argument} is no .param`);
    return `${identifier(called.name)}(${list.map(identifier).join(", ")});`;
  }
}

const literal = (value: bigint, bits: number): string => `uint${bits}_t{0x${BigInt.asUintN(bits, value).toString(16)}u}`;

const nameOf = (operand: Operand): string =>
  operand.kind === "name" ? operand.name : `a${/^[aei]/.test(operand.kind) ? "n" : ""} ${operand.kind}`;
