import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { skip } from "../support/skip.js";

const test = suite("native/isa");
const folderOf = (isa: string): string => fileURLToPath(new URL(`../../build/CMakeFiles/lconv_kernels_${isa}.dir`, import.meta.url));

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

test.run();
