// package.json of what is published. Everything that packages share has its only home in the package.json of this repository.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support.mjs";
import { platforms } from "./platforms.mjs";

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Of a package of binaries: npm installs it only where `os`, `cpu` and `libc` fit. */
export function platformManifest({ name, description, cpu, binaries }) {
  const { version, license, repository, homepage, bugs, engines } = manifest;
  return {
    name,
    version,
    description,
    license,
    repository,
    homepage,
    bugs,
    engines,
    os: ["linux"],
    cpu: [cpu],
    libc: ["glibc"],
    files: binaries.flatMap((binary) => [binary, ...(hasSum(binary) ? [`${binary}.sha256`] : [])]),
    preferUnplugged: true, // Yarn must unpack it: a shared library cannot be loaded out of an archive
  };
}

/** The loader compares the sum of the engine before it opens it. */
export const hasSum = (binary) => binary === "lconv.node";

/**
 * Of the main package. The packages of binaries are named here, and not in the repository's own package.json, because a lock file can name only
 * what is published already. Exactly this version: the interface between TypeScript and the engine has no other promise.
 */
export function mainManifest() {
  const { scripts, devDependencies, ...rest } = manifest;
  return { ...rest, optionalDependencies: Object.fromEntries(platforms.map(({ name }) => [name, manifest.version])) };
}
