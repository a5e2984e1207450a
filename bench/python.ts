import { dirname, resolve } from "node:path";

/**
 * Makes the environment that `python`, such as VENV/bin/python, belongs to the active one, for this process and its children: lconv then finds
 * the cuBLAS that its packages brought. A bare name is of no environment.
 */
export function activate(python: string | undefined): void {
  if (python?.includes("/")) process.env["VIRTUAL_ENV"] = dirname(dirname(resolve(python))); // the program itself is a link to elsewhere
}
