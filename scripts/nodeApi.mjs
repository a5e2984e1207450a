// The headers of Node-API for C and C++. A checkout has them in node_modules, the published package a copy in native/vendor (scripts/packages/mainPackage.mjs),
// so that a build there needs no package that is not installed. Run by itself it prints their folders from here, for native/gyp/binding.gyp.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { main, root, SetupError } from "./support.mjs";

const require = createRequire(join(root, "package.json"));

/** Each package that headers come from: where they lie in it, and which of its files are needed. */
export const headerPackages = [
  { name: "node-addon-api", folder: ".", files: ["napi.h", "napi-inl.h", "napi-inl.deprecated.h"], licence: "LICENSE.md" },
  {
    name: "node-api-headers",
    folder: "include",
    files: ["node_api.h", "node_api_types.h", "js_native_api.h", "js_native_api_types.h"],
    licence: "LICENSE",
  },
];

export const vendorFolder = (name) => join(root, "native/vendor", name);

/** The folder of an installed package. */
export function packageFolder(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    throw new SetupError(`the package ${name} is not installed; type: npm ci`);
  }
}

export const nodeApiFolders = () =>
  headerPackages.map(({ name, folder }) => (existsSync(vendorFolder(name)) ? vendorFolder(name) : join(packageFolder(name), folder)));

// Relative paths have no spaces, at which gyp would split them.
if (process.argv[1] === fileURLToPath(import.meta.url))
  main(() =>
    console.log(
      nodeApiFolders()
        .map((folder) => relative(process.cwd(), folder))
        .join(" "),
    ),
  );
