// Builds what a package of binaries holds, into build/<its folder>/Release.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { configureAndBuild } from "../cmake.mjs";
import { explain } from "../explain.mjs";
import { nodeApiFolders } from "../nodeApi.mjs";
import { root, SetupError, say } from "../support.mjs";
import { faults } from "./needs.mjs";
import { sysroot } from "./sysroot.mjs";

/** Paths of the binaries of `platform`, built with the further settings of CMake, "NAME=VALUE", and checked. */
export function buildBinaries(platform, more) {
  sysroot(platform.processor);
  say(`building ${platform.name}`);
  const folder = join(root, "build", platform.folder);
  const settings = [
    `CMAKE_TOOLCHAIN_FILE=${join(root, `cmake/packages/${platform.toolchain}.cmake`)}`,
    "CMAKE_BUILD_TYPE=Release",
    `CMAKE_JS_INC=${nodeApiFolders().join(";")}`,
    ...platform.settings,
    ...more,
  ];
  rmSync(join(folder, "CMakeCache.txt"), { force: true }); // a setting of an earlier call must not get into what is published
  const { failed, output } = configureAndBuild(folder, settings, platform.targets);
  if (failed) throw new SetupError(explain(output));
  const binaries = platform.binaries.map((name) => join(folder, "Release", name));
  for (const binary of binaries) check(binary);
  return binaries;
}

function check(binary) {
  const found = faults(binary);
  if (readFileSync(binary).includes(root)) found.push(`has ${root} in it, a folder of this machine`);
  if (found.length > 0) throw new SetupError(`${binary} cannot be published, as it\n${found.map((fault) => `  ${fault}`).join("\n")}`);
}
