import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.js";

const test = suite("native/isa");
const root = fileURLToPath(new URL("../../", import.meta.url));
const folderOf = (isa: string): string => join(root, `build/CMakeFiles/lconv_kernels_${isa}.dir`);

// The linker keeps one copy of an inline function that several objects define, whichever comes first. An AVX-512 copy of a
// function that the baseline also uses would end a process on an older processor with an illegal instruction.
for (const isa of ["avx2", "avx512", "avx512_bf16"]) {
  test(`the ${isa} kernels share no inline function with the other objects`, () => {
    const folder = folderOf(isa);
    if (!existsSync(folder)) return skip(`no ${isa} kernels built by CMake here`);
    const objects = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".o"));
    assert.ok(
      objects.some((name) => name.endsWith("products.cpp.o")),
      objects.join(" "),
    );
    for (const object of objects) {
      const symbols = execFileSync("nm", ["-C", "--defined-only", join(folder, object)], { encoding: "utf8" }).split("\n");
      const leaked = symbols.filter((line) => /^[0-9a-f]+ [WVu] /.test(line) && !line.includes(`::${isa}::`));
      assert.equal(leaked, [], object);
    }
  });
}

// As with CXXFLAGS=-march=native: instructions for bf16 in another table must not take float32 from it.
test("a table whose compiler flags allow bf16 instructions has float32 products", () => {
  const compiler = process.env.CXX ?? "g++";
  if (process.arch !== "x64" || spawnSync(compiler, ["--version"]).status !== 0) return skip("no C++ compiler for x86-64 here");
  const folder = mkdtempSync(join(tmpdir(), "lconv-isa-"));
  try {
    const object = join(folder, "products.o");
    const flags = ["-std=c++17", "-O0", "-w", "-fopenmp-simd", "-march=x86-64-v4", "-mavx512bf16", "-DLCONV_ISA=probe"];
    execFileSync(compiler, [...flags, "-c", join(root, "native/cpu/tuned/products.cpp"), "-o", object]);
    const symbols = execFileSync("nm", ["-C", "--defined-only", object], { encoding: "utf8" });
    assert.match(symbols, "probe::packed_gemm<lieconv::probe::Float32>");
    assert.match(symbols, "probe::packed_gemm<lieconv::probe::Bf16>");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
