// What nvcc makes of every kernel, in figures that decide how fast it can be. `node --import tsx test/support/kernelTable.ts` writes them to
// test/native/kernels.jsonl, which test/native/kernels.test.ts holds later builds against.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compiled, execute, nvcc, nvccVersion } from "./nvcc.js";

const cuda = fileURLToPath(new URL("../../native/cuda/", import.meta.url));
const tableFile = fileURLToPath(new URL("../native/kernels.jsonl", import.meta.url));
const architecture = "90";

export interface KernelFigures {
  /** Of a thread. */
  registers: number;
  /** Bytes of a thread that lie in local memory: arrays, and registers that are spilled. */
  stack: number;
  spilled: number;
  /** Warps that a multiprocessor holds at once, by registers and threads of a block. */
  warps: number;
  /** Instructions in PTX; and of those loads and stores of global memory, with 16-byte ones among them. */
  instructions: number;
  globalAccesses: number;
  wideAccesses: number;
}
export interface KernelTable {
  nvcc: string;
  architecture: string;
  kernels: Record<string, KernelFigures>;
}

/** nvcc has names of its own for anonymous namespaces, others in every run; in mangled names their length stands in front of them. */
function withoutNumber(mangled: string): string {
  const found = /(\d+)_GLOBAL__N__/.exec(mangled);
  if (!found) return mangled;
  const begin = found.index + found[1].length;
  const rest = withoutNumber(mangled.slice(begin + Number(found[1])));
  return `${mangled.slice(0, found.index)}12_GLOBAL__N_1${rest}`;
}

/** Registers are handed out in eights a thread; a multiprocessor of compute capability 9.0 has 65,536, and room for 64 warps. */
function warpsOf(registers: number, threads: number): number {
  const perBlock = Math.ceil(registers / 8) * 8 * threads;
  const blocks = Math.min(Math.floor(65_536 / perBlock), Math.floor(2048 / threads), 32);
  return (blocks * threads) / 32;
}

interface Ptx {
  threads: number;
  instructions: number;
  globalAccesses: number;
  wideAccesses: number;
}

/** The kernels of PTX by their mangled names. */
function kernelsOf(ptx: string): Map<string, Ptx> {
  const parts = ptx.split(/^(?:\.(?:visible|weak) )?\.entry /m).slice(1);
  return new Map(
    parts.map((part) => {
      const threads = [...(/\.maxntid (\d+)(?:, (\d+))?/.exec(part) ?? [])].slice(1).reduce((n, size) => n * Number(size ?? 1), 1);
      const lines = part.split("\n").map((line) => line.trim());
      const of = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
      const figures = {
        threads,
        instructions: of(/^(@!?%p\d+ )?[a-z]\w*(\.[\w:]+)*\s+.*;$/),
        globalAccesses: of(/\b(ld|st)\.global/),
        wideAccesses: of(/\b(ld|st)\.global\.(nc\.)?v4/),
      };
      return [withoutNumber(part.slice(0, part.indexOf("("))), figures];
    }),
  );
}

/** What ptxas says of each kernel: `Compiling entry function 'NAME' ... N bytes stack frame, N bytes spill stores ... Used N registers`. */
function* assembled(log: string): Generator<{ name: string; registers: number; stack: number; spilled: number }> {
  for (const part of log.split("Compiling entry function '").slice(1)) {
    const number = (pattern: RegExp): number => Number(pattern.exec(part)?.[1]);
    yield {
      name: withoutNumber(part.slice(0, part.indexOf("'"))),
      registers: number(/Used (\d+) registers/),
      stack: number(/(\d+) bytes stack frame/),
      spilled: number(/(\d+) bytes spill stores/),
    };
  }
}

async function ofSource(source: string, folder: string): Promise<[string, KernelFigures][]> {
  const log = await compiled(join(cuda, source), [
    `-arch=sm_${architecture}`,
    "-Xptxas=-v",
    "-cubin",
    "-o",
    join(folder, `${source}.cubin`),
  ]);
  const ptx = kernelsOf(await nvcc(join(cuda, source), `compute_${architecture}`));
  return [...assembled(log)].map(({ name, ...figures }) => {
    const found = ptx.get(name);
    if (!found) throw new Error(`${source}: ptxas names ${name}, which the PTX has not`);
    const { threads, ...counts } = found;
    return [name, { ...figures, warps: warpsOf(figures.registers, threads), ...counts }];
  });
}

/** Of all kernels, by readable names. */
export async function measureKernels(): Promise<KernelTable> {
  const folder = mkdtempSync(join(tmpdir(), "lconv-kernels-"));
  try {
    const sources = readdirSync(cuda).filter((name) => name.endsWith(".cu"));
    const found: [string, KernelFigures][] = [];
    const workers = [0, 1].map(async () => {
      for (let source = sources.pop(); source !== undefined; source = sources.pop()) found.push(...(await ofSource(source, folder)));
    });
    await Promise.all(workers);
    const names = (await execute("c++filt", ["-p", ...found.map(([name]) => name)])).trim().split("\n");
    const readable = names.map((name) => name.replaceAll("lieconv::cuda::", "").replaceAll("(anonymous namespace)::", ""));
    const rows = found.map(([, figures], i) => [readable[i], figures] as const).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return { nvcc: nvccVersion(), architecture: `sm_${architecture}`, kernels: Object.fromEntries(rows) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The file: the compiler in the first line, a kernel in each other one. */
export function readTable(): KernelTable {
  const [head, ...rows] = readFileSync(tableFile, "utf8").trim().split("\n");
  const kernels = rows.map((row) => {
    const { kernel, ...figures } = JSON.parse(row) as KernelFigures & { kernel: string };
    return [kernel, figures];
  });
  return { ...(JSON.parse(head) as Omit<KernelTable, "kernels">), kernels: Object.fromEntries(kernels) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { kernels, ...head } = await measureKernels();
  const rows = Object.entries(kernels).map(([kernel, figures]) => ({ kernel, ...figures }));
  writeFileSync(tableFile, `${[head, ...rows].map((row) => JSON.stringify(row)).join("\n")}\n`);
  console.log(`${rows.length} kernels, by nvcc ${head.nvcc}: ${tableFile}`);
}
