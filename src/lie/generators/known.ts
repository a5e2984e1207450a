import { LconvError, unknownName } from "../../errors.js";
import type { Basis } from "./basis.js";
import { galilei, heisenbergOf, inhomogeneous, pseudoOrthogonal, similarities, symplectic, unitary } from "./classical.js";
import { affineAlgebra, gl, heisenberg, scaling, se2, sl, so, so13 } from "./groups.js";

/** Algebras with a form of their own, which goes before that of their family. */
const fixed: Record<string, () => Basis> = { "se(2)": se2, heisenberg, "so(1,3)": so13, R: () => scaling(1) };

interface Family {
  /** How it is written. */
  form: string;
  least: number;
  make: (n: number) => Basis;
}

/** Families of one size. */
const families: Record<string, Family> = {
  so: { form: "so(n)", least: 2, make: so },
  sl: { form: "sl(n)", least: 2, make: sl },
  gl: { form: "gl(n)", least: 1, make: gl },
  su: { form: "su(n)", least: 2, make: (n) => unitary(n, 0) },
  u: { form: "u(n)", least: 1, make: (n) => unitary(n, 0, true) },
  sp: { form: "sp(2n)", least: 2, make: symplectic },
  se: { form: "se(n)", least: 2, make: (n) => inhomogeneous(0, n) },
  e: { form: "e(n)", least: 2, make: (n) => inhomogeneous(0, n) },
  sim: { form: "sim(n)", least: 1, make: similarities },
  aff: { form: "aff(n)", least: 1, make: affineAlgebra },
  gal: { form: "gal(n)", least: 1, make: galilei },
  h: { form: "h(2k+1)", least: 3, make: heisenbergOf },
};

/** Families of a signature. */
const pairs: Record<string, (p: number, q: number) => Basis> = {
  so: pseudoOrthogonal,
  su: unitary,
  u: (p, q) => unitary(p, q, true),
  iso: inhomogeneous,
};

/** The names that `algebra` takes. Sizes of so(n), sl(n), gl(n) and aff(n) go up to 64, others, and p + q of a signature, up to 32. */
export const algebraNames = [
  "so(3)",
  "so(2)",
  ...Object.keys(fixed),
  ...Object.values(families).map(({ form }) => form),
  ...Object.keys(pairs).map((family) => `${family}(p,q)`),
] as const;
const MOST_SIZE = 64;

/** Makes a known algebra by name, such as "so(3)", "gl(5)" or "iso(1,3)"; undefined for a name that is none. */
export function algebraNamed(name: string): (() => Basis) | undefined {
  if (Object.hasOwn(fixed, name)) return fixed[name];
  const [, family = "", first = "", second] = /^([a-z]+)\((\d+)(?:,(\d+))?\)$/.exec(name) ?? [];
  const [p, q] = [Number(first), Number(second)];
  const most = ["so", "sl", "gl", "aff"].includes(family) ? MOST_SIZE : MOST_SIZE / 2;
  if (second !== undefined)
    return Object.hasOwn(pairs, family) && p + q >= 2 && p + q <= MOST_SIZE / 2 ? () => pairs[family](p, q) : undefined;
  if (!Object.hasOwn(families, family) || p < families[family].least || p > most) return undefined;
  if ((family === "sp" && p % 2 === 1) || (family === "h" && p % 2 === 0)) return undefined;
  return () => families[family].make(p);
}

/**
 * A known algebra by name, such as "so(3)", "gl(5)" or "iso(1,3)"; see `algebraNames`. Throws ERR_LCONV_ARGUMENT, which names the nearest
 * known one.
 */
export function algebra(name: string): Basis {
  const make = algebraNamed(name);
  if (make) return make();
  const list = `known: ${algebraNames.join(", ")}, with sizes up to ${MOST_SIZE}`;
  throw new LconvError("ERR_LCONV_ARGUMENT", unknownName("algebra", "algebra", name, algebraNames, list));
}
