import type { Row } from "./score.js";

export type DimensionSaid = "right" | "notSaid" | "wrong";
export type NameSaid = "right" | "hedged" | "missing" | "wrong";

/** Approximate symmetries have no right answer: they are in a table of their own and count in no other. */
export const isGraded = ({ category }: Row): boolean => category !== "approximate";

export function dimensionSaid({ dimension, trueDimension }: Row): DimensionSaid {
  if (dimension === null) return "notSaid";
  return dimension === trueDimension ? "right" : "wrong";
}

/**
 * Hedged: another name, with the true one among those that are not excluded. Missing: no name, or no claim at all. "none" for a function that has a
 * symmetry is a wrong name: it is a claim.
 */
export function nameSaid({ dimension, algebra, alternatives, trueAlgebra }: Row): NameSaid {
  if (dimension === null || algebra === null) return "missing";
  if (algebra === trueAlgebra) return "right";
  return alternatives.includes(trueAlgebra) ? "hedged" : "wrong";
}
