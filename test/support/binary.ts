import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const builds = ["build/Release/lconv.node", "native/gyp/build/Release/lconv.node"];
const paths = builds.map((path) => fileURLToPath(new URL(`../../${path}`, import.meta.url)));

/** The binary that native() loads here. */
export const binary: string = process.env["LCONV_NATIVE"] || (paths.find(existsSync) ?? "no lconv.node was built");
