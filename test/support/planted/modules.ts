// lconv_cuda for the emulated GPU with a fault in its sources: a copy of them is changed, and what depends on the changed file is compiled as
// CMake compiles it; the rest is compiled once.
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { execute } from "../nvcc.js";
import { each } from "../ptx/build.js";
import { type Fault, plant } from "./faults.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const build = join(root, "build");

/** One source: how it is compiled, and what the sound one became. */
interface Unit {
  source: string; // relative to the root, as all names of files here
  compiler: string;
  object: string;
  includes: ReadonlySet<string>;
}

/** A library, and the sources that it was made of. */
export interface Module {
  path: string;
  sources: string;
}

export class Modules {
  private constructor(
    private readonly folder: string,
    private readonly units: readonly Unit[],
  ) {}

  /** Compiles the sound sources into `folder`. */
  static async make(folder: string): Promise<Modules> {
    mkdirSync(folder, { recursive: true });
    const units = await each(commands(), async ({ source, compiler }): Promise<Unit> => {
      const object = join(folder, `${basename(source)}.o`);
      const rules = `${object}.d`;
      await compile(`${compiler} -MMD -MF "${rules}"`, join(root, source), object);
      return { source, compiler, object, includes: included(readFileSync(rules, "utf8")) };
    });
    return new Modules(folder, units);
  }

  async sound(): Promise<Module> {
    return {
      path: await link(
        join(this.folder, "sound"),
        this.units.map(({ object }) => object),
      ),
      sources: root,
    };
  }

  /** The module with a fault; an error where that cannot be planted or compiled. */
  async faulty(fault: Fault): Promise<Module> {
    const folder = join(this.folder, fault.name.replaceAll(/\W+/g, "-"));
    const changed = join("native/cuda", fault.file);
    copySources(folder);
    writeFileSync(join(folder, changed), plant(fault, readFileSync(join(root, changed), "utf8")));
    if (!this.units.some(({ includes }) => includes.has(changed))) throw new Error(`${fault.name}: nothing is made of ${changed}`);
    const objects: string[] = [];
    for (const unit of this.units) {
      const object = join(folder, basename(unit.object));
      const affected = unit.includes.has(changed);
      if (affected) await compile(unit.compiler, join(folder, unit.source), object);
      objects.push(affected ? object : unit.object);
    }
    return { path: await link(folder, objects), sources: folder };
  }
}

function copySources(to: string): void {
  const tests = join(root, "native/test");
  cpSync(join(root, "native"), join(to, "native"), { recursive: true, filter: (from) => from !== tests });
}

/** What CMake compiles for lconv_cuda_emu, without the names of the files at the end. */
function commands(): { source: string; compiler: string }[] {
  const all: { file: string; command: string }[] = JSON.parse(readFileSync(join(build, "compile_commands.json"), "utf8"));
  const mine = all.filter(({ command }) => command.includes("/lconv_cuda_emu.dir/"));
  if (mine.length === 0) throw new Error("CMake compiles nothing for lconv_cuda_emu");
  return mine.map(({ file, command }) => ({ source: relative(root, file), compiler: command.replace(/ -o .*$/s, "") }));
}

/** Without the optimisations that take longest to compile. */
const compile = (compiler: string, source: string, object: string): Promise<string> =>
  execute("/bin/sh", ["-c", `${compiler} -w -O1 -o "${object}" -c "${source}"`]);

/** The files of the repository in a rule of make. */
function included(rules: string): Set<string> {
  const names = rules.replaceAll("\\\n", " ").split(/\s+/).slice(1);
  return new Set(names.map((name) => relative(root, resolve(name))).filter((name) => !name.startsWith(`..${sep}`)));
}

async function link(folder: string, objects: readonly string[]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const [library, runtime] = [join(folder, "lconv_cuda_emu.so"), join(folder, "libcuda.so.1")];
  symlinkSync(join(build, "emu/libcuda.so.1"), runtime);
  await execute("g++", ["-shared", "-Wl,-Bsymbolic", "-o", library, ...objects, runtime, "-pthread", "-ldl"]);
  return library;
}
