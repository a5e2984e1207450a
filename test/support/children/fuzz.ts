// fuzz SEED COUNT: random commands, and random mutations of valid ones, straight to the native device. Anything but a typed error, a
// change to a buffer that the command does not name, or a crash is a fault. Prints how many commands ran and how many were refused.
import type { NativeProgram } from "../../../src/engine/addon.js";
import { native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";
import { uniform } from "../reference.js";
import { type Command, validCommands } from "../validCommands.js";

const [seed, count] = process.argv.slice(2).map(Number);
const next = uniform(seed);
const below = (n: number): number => Math.floor(next() * n);
const choose = <T>(list: readonly T[]): T => list[below(list.length)];

const known = validCommands();
const own = native().openDevice("cpu", 2, 0);
const opCount = Object.keys(native().ops).length;

/** A pool of small buffers that random commands use, and those of the valid commands. */
const slack = 24;
const sizes = [
  ...known.elements.map((size) => size + slack),
  ...Array.from({ length: 40 }, () => choose([0, 1, 2, 3, 7, 16, 36, 64, 100, 257, 600])),
];
const dtypes = [...known.dtypes, ...Array.from({ length: 40 }, () => (below(3) === 0 ? 1 : 0))] as (0 | 1)[];
const oddInts = [-1, 0, 1, 2, 3, 5, 1000, 2 ** 31 - 1, -(2 ** 31), 0x7fc00000];
const oddFloats = [0, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e38, 1e-40];
const contents = sizes.map((size, i) =>
  dtypes[i] === 0
    ? Float32Array.from({ length: size }, () => (below(9) ? next() - 0.5 : choose(oddFloats)))
    : Int32Array.from({ length: size }, () => (below(4) ? below(6) : choose(oddInts))),
);
const buffers = sizes.map((size, i) => own.alloc(4 * size, dtypes[i]));
const copies = sizes.map((size, i) => (dtypes[i] === 0 ? new Float32Array(size) : new Int32Array(size)));
const restore = (i: number) => own.write(buffers[i], contents[i]);
buffers.forEach((_, i) => {
  restore(i);
});

const oddNumbers = [
  0,
  1,
  2,
  3,
  -1,
  -2,
  0.5,
  7,
  64,
  1e3,
  2 ** 20,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 47,
  2 ** 48,
  2 ** 53,
  1e300,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];
const randomCommand = (): Command => ({
  op: below(opCount + 1),
  operands: Array.from({ length: 1 + below(9) }, () => [below(buffers.length), below(5) ? 0 : below(20)]).flat(),
  attributes: Array.from({ length: below(17) }, () => (below(8) ? below(8) : choose(oddNumbers))),
});

function mutate({ op, operands, attributes }: Command): Command {
  const made = { op, operands: [...operands], attributes: [...attributes] };
  for (let i = below(4); i > 0; i--) {
    const a = below(Math.max(1, made.attributes.length));
    const o = 2 * below(Math.max(1, made.operands.length / 2));
    const changes = [
      () => (made.attributes[a] = choose(oddNumbers)),
      () => (made.attributes[a] = (made.attributes[a] ?? 0) + choose([-1, 1, 2])),
      () => (made.attributes[a] = (made.attributes[a] ?? 0) * choose([2, 10])),
      () => made.attributes.splice(a, 1),
      () => made.attributes.splice(a, 0, below(6)),
      () => (made.operands[o] = below(buffers.length)),
      () => (made.operands[o + 1] = choose([0, 1, 2, 3, 17, 5000, 2 ** 40])),
      () => made.operands.splice(o, 2),
      () => made.operands.splice(o, 0, below(buffers.length), 0),
      () => (made.operands[o] = made.operands[2 * below(made.operands.length / 2)]),
      () => (made.op = below(opCount)),
    ];
    choose(changes)();
  }
  return made;
}

const ids = (command: Command): number[] => command.operands.map((value, i) => (i % 2 === 0 ? (buffers[value] ?? 0) : value));
function fault(text: string, command: unknown): never {
  process.stderr.write(`${text}: ${JSON.stringify(command)}\n`);
  process.exit(3);
}

/** Runs it; false when the engine refused it with a typed error. */
async function tryTo(work: () => unknown, command: unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof LconvError) || !/^ERR_LCONV_(NATIVE|DISPOSED|RECORDING|OOM)$/.test(error.code))
      fault(`not a typed error: ${error}`, command);
    return false;
  }
}

/** How many elements the engine says that operand `o` (its place in the list) needs: more than the operand has left at a larger offset. */
function needOf(command: Command, o: number): number {
  const size = sizes[command.operands[o]];
  let [accepted, refused] = [command.operands[o + 1], size + 1];
  while (refused - accepted > 1) {
    const offset = Math.floor((accepted + refused) / 2);
    const operands = ids(command);
    operands[o + 1] = offset;
    own.beginRecord(); // commands are checked, not run
    try {
      own.execute(command.op, operands, command.attributes);
      accepted = offset;
    } catch {
      refused = offset;
    }
    own.abortRecord();
  }
  return size - accepted;
}

/** An accepted command stays inside what it claims: it writes nothing else of its operands, and nothing else changes its results. */
function checkClaims(command: Command): void {
  const places = command.operands.flatMap((_, i) => (i % 2 === 0 ? [i] : []));
  if (new Set(places.map((o) => command.operands[o])).size < places.length) return;
  const parts = places.map((o) => {
    const begin = command.operands[o + 1];
    return { buffer: command.operands[o], begin, end: begin + needOf(command, o) };
  });
  const results = [0, 1].map((round) =>
    tryAll(command, parts, round).map((values, i) => {
      const { buffer, begin, end } = parts[i];
      const before = contents[buffer].map((value, at) => (at < begin || at >= end ? value + round : value));
      for (let at = 0; at < values.length; at++) {
        if ((at < begin || at >= end) && !Object.is(values[at], before[at]))
          fault(`operand ${i} was written at ${at}, it is claimed from ${begin} to ${end}`, command);
      }
      return Buffer.from(values.slice(begin, end).buffer).toString("hex");
    }),
  );
  results[0].forEach((values, i) => {
    if (values !== results[1][i]) fault(`operand ${i} depends on elements that no operand claims`, command);
  });
}

/** Runs it with `round` added to everything outside the claimed parts; the operands afterwards. */
function tryAll(
  command: Command,
  parts: readonly { buffer: number; begin: number; end: number }[],
  round: number,
): (Float32Array | Int32Array)[] {
  for (const { buffer, begin, end } of parts)
    own.write(
      buffers[buffer],
      contents[buffer].map((value, at) => (at < begin || at >= end ? value + round : value)),
    );
  own.execute(command.op, ids(command), command.attributes);
  return parts.map(({ buffer }) => {
    const values = contents[buffer].slice();
    own.read(buffers[buffer], values, 0);
    return values;
  });
}

/** Buffers that no command named must hold what they held. */
function checkOthers(named: ReadonlySet<number>, command: unknown): void {
  buffers.forEach((buffer, i) => {
    if (named.has(i)) return restore(i);
    own.read(buffer, copies[i], 0);
    const same = Buffer.compare(new Uint8Array(copies[i].buffer), new Uint8Array(contents[i].buffer)) === 0;
    if (!same) fault(`buffer ${i} was overwritten`, command);
  });
}
const named = (commands: readonly Command[]) => new Set(commands.flatMap(({ operands }) => operands.filter((_, i) => i % 2 === 0)));

/** Some commands as a program, with results of its own among the operands. */
async function record(commands: readonly Command[]): Promise<boolean> {
  own.beginRecord();
  const temporary = Array.from({ length: 3 }, () => own.alloc(4 * choose([1, 36, 600]), 0));
  for (const command of commands) {
    const operands = ids(command).map((value, i) => (i % 2 === 0 && below(4) === 0 ? choose(temporary) : value));
    await tryTo(() => own.execute(command.op, operands, command.attributes), command);
  }
  let program: NativeProgram | undefined;
  const made = await tryTo(() => (program = own.endRecord([choose(temporary)])), commands);
  for (const buffer of temporary) own.free(buffer);
  await tryTo(() => program?.run(1 + below(2)), commands);
  program?.dispose();
  return made;
}

const outcome = { ran: 0, refused: 0 };
for (let i = 0; i < count; i++) {
  const make = () => (below(5) === 0 ? randomCommand() : mutate(choose(known.commands)));
  const commands = i % 10 === 0 ? Array.from({ length: 4 }, make) : [make()];
  if (process.env["LCONV_FUZZ_TRACE"]) process.stderr.write(`${i} ${JSON.stringify(commands)}\n`);
  const ran =
    commands.length > 1
      ? await record(commands)
      : await tryTo(() => own.execute(commands[0].op, ids(commands[0]), commands[0].attributes), commands[0]);
  outcome[ran ? "ran" : "refused"]++;
  if (ran && commands.length === 1) checkClaims(commands[0]);
  checkOthers(named(commands), commands);
}
process.stdout.write(JSON.stringify(outcome));
