// From the CUDA sources to a library of kernels for LCONV_EMU_PTX: nvcc writes PTX, translate.ts makes C++ of it, g++ compiles that.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute, nvcc } from "../nvcc.js";
import { parse } from "./parser.js";
import { type Kernel, translate } from "./translate.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const cuda = join(root, "native/cuda");
const includes = ["-I", join(root, "native/test/emu")];
/** No contraction: where PTX has one, it says so. */
const cppFlags = ["-std=c++17", "-O1", "-fPIC", "-w", "-ffp-contract=off", ...includes];

/** PTX by the name of its source, such as lower_conv.cu. */
export type Ptx = ReadonlyMap<string, string>;

/** `f` of each item, as many at once as there are processors. */
export async function each<T, R>(items: readonly T[], f: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const work = async (): Promise<void> => {
    for (const [i, item] of queue) results[i] = await f(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

/** What nvcc makes of every source with kernels for one architecture, such as compute_90. */
export async function ptxOf(architecture: string): Promise<Ptx> {
  const sources = readdirSync(cuda).filter((name) => /^lower_.*\.cu$/.test(name));
  return new Map(await each(sources, async (name): Promise<[string, string]> => [name, await nvcc(join(cuda, name), architecture)]));
}

/** Libraries of kernels in one folder; what several of them have in common is compiled once. */
export class PtxLibraries {
  private readonly objects = new Map<string, Promise<string>>();

  /** `module` is what launches the kernels: lconv_cuda_emu.so. */
  constructor(
    private readonly folder: string,
    private readonly module: string,
  ) {}

  /** The path of a library with the kernels of all of `ptx`. */
  async make(ptx: Ptx): Promise<string> {
    mkdirSync(this.folder, { recursive: true });
    const translations = [...ptx].map(([source, text]) => translate(parse(source.replace(/cu$/, "ptx"), text)));
    const objects = await each(translations, ({ cpp }) => this.object(cpp));
    const kernels = translations.flatMap((translation) => translation.kernels);
    objects.push(await this.object(table(kernels, await offsets(this.module), statSync(this.module))));
    const library = join(this.folder, `${digest(objects.join())}.so`);
    await execute("g++", ["-shared", "-o", library, ...objects, join(dirname(this.module), "libcuda.so.1")]);
    return library;
  }

  private object(cpp: string): Promise<string> {
    const name = join(this.folder, digest(cpp));
    let object = this.objects.get(name);
    if (!object) this.objects.set(name, (object = compile(cpp, name)));
    return object;
  }
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

async function compile(cpp: string, name: string): Promise<string> {
  writeFileSync(`${name}.cpp`, cpp);
  await execute("g++", [...cppFlags, "-c", `${name}.cpp`, "-o", `${name}.o`]);
  return `${name}.o`;
}

/** Where functions begin in a library, by mangled name; some twice where two sources have a local one of that name. */
async function offsets(library: string): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>();
  for (const line of (await execute("nm", ["--defined-only", library])).split("\n")) {
    const [, offset, name] = /^(\w+) [tTwW] (\S+)$/.exec(line) ?? [];
    if (offset !== undefined && name !== undefined) all.set(name, [...(all.get(name) ?? []), `0x${offset}`]);
  }
  return all;
}

/** The table of native/test/emu/ptx_table.h. */
function table(kernels: readonly Kernel[], places: Map<string, string[]>, module: { size: number; mtimeMs: number }): string {
  const rows = kernels.map(({ name, parameterBytes, mostThreads }) => {
    const at = places.get(name) ?? [];
    if (at.length !== 1) throw new Error(`the emulated module has ${at.length} functions that could be the kernel ${name}`);
    return `  {${at[0]}, "${name}", ${name}, ${parameterBytes}, ${mostThreads}},`;
  });
  return [
    '#include "ptx_table.h"',
    ...kernels.map(({ name }) => `extern "C" void ${name}(const void*);`),
    "static const EmuPtxKernel kernels[] = {",
    ...rows,
    "  {0, nullptr, nullptr, 0, 0}};",
    'extern "C" const EmuPtxModule emu_ptx_module;',
    `const EmuPtxModule emu_ptx_module = {${module.size}, ${Math.floor(module.mtimeMs / 1000)}, kernels};\n`,
  ].join("\n");
}

/** The C++ of one PTX text, and a program of it with `main` behind it: for tests of single instructions. */
export async function compileAlone(folder: string, ptx: string, rest: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const program = join(folder, digest(ptx + rest));
  writeFileSync(`${program}.cpp`, translate(parse(`${basename(program)}.ptx`, ptx)).cpp + rest);
  await execute("g++", [...cppFlags, `${program}.cpp`, "-o", program]);
  return program;
}
