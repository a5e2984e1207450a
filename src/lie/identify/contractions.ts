import type { Frame } from "./frame.js";

/** Brackets down to this share of the others are not unusual: coordinates thirty times as long as wide make them. */
const HIDDEN = 1e-3;
/** Noise up to this many times its standard deviation is taken for zero. */
const ZERO = 3.5;

/** Whether noise is large enough to hide brackets that skewed coordinates have shrunk: what is then taken for zero may be a contraction of what is there. */
export function mayHide({ algebra: { f, draws } }: Frame): boolean {
  const size = Math.hypot(...f);
  const noise = Math.sqrt(
    draws.reduce((sum, draw) => sum + draw.reduce((all, value, k) => all + (value - f[k]) ** 2, 0), 0) / draws.length,
  );
  return ZERO * noise > HIDDEN * size;
}

/**
 * Algebras of three dimensions of which this one is a limit, as coordinates become long and thin (Nesterenko and Popovych, Contractions of
 * low-dimensional Lie algebras, J. Math. Phys. 47, 2006), or as a ratio of weights becomes 0 or -1.
 */
const CONTRACTED_FROM: Record<string, readonly string[]> = {
  "h(3)": ["R x| R^2", "aff(1) + R", "se(2)", "iso(1,1)", "sl(2)", "so(3)"],
  "se(2)": ["R x| R^2", "sl(2)", "so(3)"],
  "iso(1,1)": ["R x| R^2", "sl(2)"],
  "aff(1) + R": ["R x| R^2"],
};

/** What else an algebra of this name may be where brackets are hidden, as far as that is known. */
export const contractedFrom = (name: string): readonly string[] => CONTRACTED_FROM[name] ?? [];
