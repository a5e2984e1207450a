// PTX as functions and their statements: what nvcc writes for kernels that share memory dynamically and call little. Anything else, such as
// static shared memory or a global variable, is an error.
import { type Tokens, tokens } from "./lexer.js";

export type Operand =
  | { kind: "name"; name: string } // a register, a special register, or what has an address
  | { kind: "integer"; value: bigint }
  | { kind: "float"; bits: bigint; width: 32 | 64 }
  | { kind: "address"; base: string; offset: bigint }
  | { kind: "vector"; names: string[] }
  | { kind: "pair"; first: string; second: string } // d|p
  | { kind: "list"; names: string[] }; // of a call

export interface Instruction {
  kind: "instruction";
  line: number;
  guard?: { predicate: string; negated: boolean };
  /** The whole word, as in `ld.global.v4.f32`. */
  name: string;
  operands: Operand[];
}

export type Statement =
  | Instruction
  | { kind: "registers"; line: number; type: string; names: string[] }
  /** Local memory, or the space of a call's parameter. */
  | { kind: "memory"; line: number; name: string; bytes: number; alignment: number }
  | { kind: "label"; line: number; name: string }
  | { kind: "open" | "close"; line: number };

export interface Parameter {
  name: string;
  bytes: number;
}

export interface PtxFunction {
  name: string;
  isKernel: boolean;
  result?: Parameter;
  parameters: Parameter[];
  /** .maxntid, 0 without it. */
  mostThreads: number;
  body: Statement[];
}

export interface Module {
  file: string;
  target: string;
  /** Names of dynamic shared memory, all of which are its beginning. */
  shared: Set<string>;
  functions: PtxFunction[];
}

export function parse(file: string, text: string): Module {
  const t = tokens(file, text);
  const module: Module = { file, target: "", shared: new Set(), functions: [] };
  while (t.next !== "") parseTopLevel(t, module);
  return module;
}

function parseTopLevel(t: Tokens, module: Module): void {
  const linkage = [".visible", ".weak", ".extern"].find((word) => t.has(word));
  const directive = t.next;
  if (directive === ".entry" || directive === ".func") {
    const found = parseFunction(t, t.take() === ".entry");
    if (found) module.functions.push(found);
  } else if (directive === ".shared" && linkage === ".extern") {
    t.take();
    module.shared.add(parseMemory(t, true).name);
    t.expect(";");
  } else if (!linkage && [".version", ".target", ".address_size"].includes(directive)) {
    t.take();
    const value = t.word(`the value of ${directive}`);
    if (directive === ".target") module.target = value;
    if (directive === ".address_size" && value !== "64") t.fail("addresses of 64 bits alone are translated");
  } else {
    t.fail(`unknown directive "${directive}"`);
  }
}

/** Undefined for a declaration. */
function parseFunction(t: Tokens, isKernel: boolean): PtxFunction | undefined {
  const result = t.next === "(" ? parseParameters(t)[0] : undefined;
  const name = t.word("the name of a function");
  const parameters = t.next === "(" ? parseParameters(t) : [];
  const mostThreads = parseBounds(t);
  if (t.has(";")) return undefined;
  t.expect("{");
  return { name, isKernel, ...(result ? { result } : {}), parameters, mostThreads, body: parseBody(t) };
}

function parseParameters(t: Tokens): Parameter[] {
  const list: Parameter[] = [];
  t.expect("(");
  while (!t.has(")")) {
    if (list.length > 0) t.expect(",");
    t.expect(".param");
    const { name, bytes } = parseMemory(t);
    list.push({ name, bytes });
  }
  return list;
}

/** The directives before a body; returns the threads that .maxntid allows. */
function parseBounds(t: Tokens): number {
  let threads = 0;
  for (;;) {
    if (t.has(".maxntid")) {
      threads = 1;
      do threads *= t.count("a number of threads");
      while (t.has(","));
    } else if (t.has(".minnctapersm")) {
      t.count("a number of blocks"); // a hint for registers
    } else if (t.next.startsWith(".")) {
      t.fail(`unknown directive "${t.next}"`);
    } else {
      return threads;
    }
  }
}

/** `.align 16 .b8 name[64]` behind the word for its space; `name[]` where it is of the launch. */
function parseMemory(t: Tokens, open = false): { name: string; bytes: number; alignment: number } {
  const aligned = t.has(".align") ? t.count("an alignment") : undefined;
  const type = t.word("a type");
  const bits = /^\.[busf](8|16|32|64)$/.exec(type)?.[1];
  if (bits === undefined) t.fail(`unknown type "${type}"`);
  const name = t.word("a name");
  let bytes = Number(bits) / 8;
  const alignment = aligned ?? bytes;
  if (t.has("[")) {
    bytes *= open ? 0 : t.count("a size");
    t.expect("]");
  } else if (open) {
    t.fail("expected dynamic shared memory, which has no size");
  }
  return { name, bytes, alignment };
}

function parseBody(t: Tokens): Statement[] {
  const body: Statement[] = [];
  for (let depth = 1; ; ) {
    const { line } = t;
    if (t.has("{")) {
      depth++;
      body.push({ kind: "open", line });
    } else if (t.has("}")) {
      if (--depth === 0) return body;
      body.push({ kind: "close", line });
    } else if (!t.has(";")) {
      const statement = parseStatement(t, line);
      if (statement) body.push(statement);
    }
  }
}

/** Undefined for a pragma, a hint. */
function parseStatement(t: Tokens, line: number): Statement | undefined {
  if (t.next.startsWith(".")) return parseDeclaration(t, line);
  const guard = parseGuard(t);
  const name = t.word("an instruction");
  if (!guard && t.has(":")) return { kind: "label", line, name };
  const operands: Operand[] = [];
  while (!t.has(";")) {
    if (operands.length > 0) t.expect(",");
    operands.push(parseOperand(t));
  }
  return { kind: "instruction", line, ...(guard ? { guard } : {}), name, operands };
}

function parseDeclaration(t: Tokens, line: number): Statement | undefined {
  if (t.has(".pragma")) {
    t.take();
    t.expect(";");
    return undefined;
  }
  if (t.has(".reg")) {
    const type = t.word("a type").slice(1);
    const names = parseRegisters(t);
    return { kind: "registers", line, type, names };
  }
  if (!t.has(".local") && !t.has(".param")) t.fail(`unknown directive "${t.next}"`);
  const memory = parseMemory(t);
  t.expect(";");
  return { kind: "memory", line, ...memory };
}

/** `%a, %b<3>;` are %a, %b0, %b1 and %b2. */
function parseRegisters(t: Tokens): string[] {
  const names: string[] = [];
  do {
    const name = t.word("a register");
    if (t.has("<")) {
      const count = t.count("a number of registers");
      for (let i = 0; i < count; i++) names.push(`${name}${i}`);
      t.expect(">");
    } else {
      names.push(name);
    }
  } while (t.has(","));
  t.expect(";");
  return names;
}

function parseGuard(t: Tokens): Instruction["guard"] {
  if (!t.has("@")) return undefined;
  const negated = t.has("!");
  return { predicate: t.word("a predicate"), negated };
}

function parseOperand(t: Tokens): Operand {
  if (t.has("[")) return parseAddress(t);
  if (t.has("{")) return { kind: "vector", names: parseNames(t, "}") };
  if (t.has("(")) return { kind: "list", names: parseNames(t, ")") };
  if (t.next === "-" || /^\d/.test(t.next)) return parseNumber(t);
  const name = t.word("an operand");
  return t.has("|") ? { kind: "pair", first: name, second: t.word("a predicate") } : { kind: "name", name };
}

function parseNames(t: Tokens, end: string): string[] {
  const names: string[] = [];
  while (!t.has(end)) {
    if (names.length > 0) t.expect(",");
    names.push(t.word("a name"));
  }
  return names;
}

/** `[base]`, `[base+8]`, `[base+-8]`. */
function parseAddress(t: Tokens): Operand {
  const base = t.word("an address");
  const offset = t.has("+") || t.next === "-" ? parseInteger(t) : 0n;
  t.expect("]");
  return { kind: "address", base, offset };
}

function parseNumber(t: Tokens): Operand {
  const float = /^0[fF]([\da-fA-F]{8})$|^0[dD]([\da-fA-F]{16})$/.exec(t.next);
  if (!float) return { kind: "integer", value: parseInteger(t) };
  t.take();
  const width = float[1] === undefined ? 64 : 32;
  return { kind: "float", bits: BigInt(`0x${float[1] ?? float[2]}`), width };
}

function parseInteger(t: Tokens): bigint {
  const negative = t.has("-");
  if (!/^(?:\d+|0[xX][\da-fA-F]+)$/.test(t.next)) t.fail(`expected an integer, found "${t.next}"`);
  const value = BigInt(t.take());
  return negative ? -value : value;
}
