import type { Row } from "./score.js";

export type DimensionSaid = "right" | "notSaid" | "tooFew" | "tooMany";
export type NameSaid = "right" | "hedged" | "missing" | "wrong";

/** Approximate symmetries have no right answer: they are in a table of their own and count in no other. */
export const isGraded = ({ category }: Row): boolean => category !== "approximate";

/** Where a symmetry cannot be seen, no claim is right, too. */
export const isUnseen = ({ category }: Row): boolean => category === "unseen";

export function dimensionSaid(row: Row): DimensionSaid {
  const { dimension, trueDimension } = row;
  if (dimension === null) return isUnseen(row) ? "right" : "notSaid";
  if (dimension === trueDimension) return "right";
  return dimension < trueDimension ? "tooFew" : "tooMany";
}

/** `lie.identify` calls u(n) so in its defining representation, and else by its parts. */
const byParts = (algebra: string): string => algebra.replace(/^u\((\d+)\)$/, "su($1) + so(2)");

/**
 * Hedged: another name, with the true one among those that are not excluded. Missing: no name, or no claim at all. "none" for a function that has a
 * symmetry is a wrong name: it is a claim.
 */
export function nameSaid(row: Row): NameSaid {
  const { dimension, algebra, alternatives, trueAlgebra } = row;
  if (dimension === null && isUnseen(row)) return "right";
  if (dimension === null || algebra === null) return "missing";
  if (byParts(algebra) === byParts(trueAlgebra)) return "right";
  return alternatives.map(byParts).includes(byParts(trueAlgebra)) ? "hedged" : "wrong";
}
