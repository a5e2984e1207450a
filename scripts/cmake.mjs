// Native builds with CMake alone.
import { rmSync } from "node:fs";
import { usableProcessors } from "./processors.mjs";
import { onPath, root, run } from "./support.mjs";

/** Builds `targets` in `folder` with CMake's `settings`, "NAME=VALUE"; `options` are those of the processes. */
export function configureAndBuild(folder, settings, targets, options) {
  const result = attempt(folder, settings, targets, options);
  // A folder that was copied from elsewhere, or configured for a generator that is gone, cannot be reused.
  const useless = /different (directory|than the directory)|does not match the generator|CMAKE_MAKE_PROGRAM/i;
  if (!result.failed || !useless.test(result.output)) return result;
  rmSync(folder, { recursive: true, force: true });
  return attempt(folder, settings, targets, options);
}

/** Configured each time: only so does CMake look for oneDNN again, and take new settings. */
function attempt(folder, settings, targets, options) {
  const generator = onPath("ninja") ? "Ninja" : "Unix Makefiles";
  const configured = run("cmake", ["-S", root, "-B", folder, "-G", generator, ...settings.map((setting) => `-D${setting}`)], options);
  if (configured.failed) return configured;
  return run("cmake", ["--build", folder, "--parallel", String(usableProcessors()), "--target", ...targets], options);
}
