import { LconvError, nearest } from "../errors.js";
import type { Basis } from "./basis.js";
import { affineAlgebra, gl, heisenberg, se2, sl, so, so13 } from "./groups.js";

// The algebras that `identify` compares with, by name. Isomorphic ones stand once: so(4) = so(3) + so(3) is listed, u(1) = so(2) is not.

const fixed: Record<string, () => Basis> = {
  "aff(1)": () => affineAlgebra(1),
  "so(3)": () => so(3),
  "sl(2)": () => sl(2),
  "se(2)": se2,
  heisenberg: heisenberg,
  "gl(2)": () => gl(2),
  "so(1,3)": so13,
  "aff(2)": () => affineAlgebra(2),
};

/** so(n), sl(n) and gl(n) from the size on that has no name of its own above. */
const families: Record<string, { from: number; dimension: (n: number) => number; make: (n: number) => Basis }> = {
  so: { from: 4, dimension: (n) => (n * (n - 1)) / 2, make: so },
  sl: { from: 3, dimension: (n) => n * n - 1, make: sl },
  gl: { from: 3, dimension: (n) => n * n, make: gl },
};

/** Every known non-abelian algebra of this dimension. */
export function knownAlgebras(dimension: number): { name: string; basis: Basis }[] {
  const named = Object.entries(fixed).map(([name, make]) => ({ name, basis: make() }));
  const members = Object.entries(families).flatMap(([family, { from, dimension: of, make }]) => {
    for (let n = from; of(n) <= dimension; n++) if (of(n) === dimension) return [{ name: `${family}(${n})`, basis: make(n) }];
    return [];
  });
  return [...named, ...members].filter(({ basis }) => basis.n_L === dimension);
}

/** What `algebra` takes; n is any size from 2 to MOST_SIZE. */
export const algebraNames = [...Object.keys(fixed), "so(2)", "so(n)", "sl(n)", "gl(n)"] as const;
const MOST_SIZE = 64;

/** Makes a known algebra by name, such as "so(3)" or "gl(5)"; undefined for a name that is none. */
export function algebraNamed(name: string): (() => Basis) | undefined {
  if (Object.hasOwn(fixed, name)) return fixed[name];
  const [, family = "", n = ""] = /^(so|sl|gl)\((\d+)\)$/.exec(name) ?? [];
  return family !== "" && Number(n) >= 2 && Number(n) <= MOST_SIZE ? () => families[family].make(Number(n)) : undefined;
}

/** A known algebra by name. Throws ERR_LCONV_ARGUMENT naming the nearest known one. */
export function algebra(name: string): Basis {
  const make = algebraNamed(name);
  if (make) return make();
  const near = nearest(name, algebraNames);
  throw new LconvError(
    "ERR_LCONV_ARGUMENT",
    `unknown algebra "${name}"; ${near ? `did you mean "${near}"? ` : ""}known: ${algebraNames.join(", ")}, n from 2 to ${MOST_SIZE}`,
  );
}
