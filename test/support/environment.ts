import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** Folders with material for tests. */
const material: readonly string[] = ["LCONV_DATA", "LCONV_VECTORS"];

/**
 * The environment of the test processes: that of the `shell` without its LCONV_* settings, which would decide tests, but with folders of
 * material for tests that exist, and with `given`, each NAME=VALUE. What a test starts inherits just this.
 */
export function testEnvironment(shell: NodeJS.ProcessEnv, given: readonly string[]): NodeJS.ProcessEnv {
  const kept = Object.entries(shell).flatMap(([name, value]): [string, string | undefined][] => {
    if (!name.startsWith("LCONV_")) return [[name, value]];
    return material.includes(name) && value && existsSync(value) ? [[name, resolve(value)]] : [];
  });
  return { ...Object.fromEntries(kept), ...Object.fromEntries(given.map(setting)) };
}

function setting(text: string): [string, string] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new Error(`--env: expected NAME=VALUE, got "${text}"`);
  return [name, value];
}
