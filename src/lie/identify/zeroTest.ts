import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { rootOf } from "./closedCoordinates.js";
import type { Sampled } from "./sampled.js";

/** A ratio of a quantity to its own uncertainty below the first is zero, above the second is not; between them it may be either. */
const [SURELY_ZERO, LIKELY_ZERO, SURELY_NOT] = [3.5, 3, 8];
/** Generators of which one is ten times as long as it could be have traces of products down to a fiftieth of what they could be. */
const RESOLVED = 0.02;

/** How the values in the grey range count: every decision of one pass is made alike, so that two passes show whether it matters. */
export type Reading = "degenerate" | "generic";

/** Decides what is zero, and remembers whether a decision was open. */
export class ZeroTest {
  readonly reading: Reading;
  /** What could be either. */
  readonly doubts: string[] = [];
  /** What is zero as far as it can be seen, which is not far. */
  readonly unresolved: string[] = [];
  /** The least sure of all decisions: how often a non-zero value exceeds its uncertainty. */
  least = Number.POSITIVE_INFINITY;

  constructor(reading: Reading) {
    this.reading = reading;
  }

  /**
   * `ratio` is the quantity in units of its uncertainty; `resolution` that uncertainty in units of what the quantity is of the order of where it is
   * not zero: a zero that is not resolved stays open.
   */
  isZero(ratio: number, what: string, resolution = 0): boolean {
    const blurred = SURELY_ZERO * resolution > RESOLVED;
    const open = ratio > (blurred ? LIKELY_ZERO : SURELY_ZERO) && ratio < SURELY_NOT;
    if (open) add(this.doubts, what);
    else if (blurred && ratio < SURELY_NOT) add(this.unresolved, what);
    const zero = ratio < SURELY_NOT && !(open && this.reading === "generic");
    if (!zero) this.least = Math.min(this.least, ratio);
    return zero;
  }
}

const add = (list: string[], what: string): void => {
  if (!list.includes(what)) list.push(what);
};

/** Orthonormal rows: those that a map takes to zero, and the rest of the space. */
export interface Kernel {
  kernel: number[][];
  rest: number[][];
  /** For each noisy copy the basis [rest; kernel] that it would have led to itself, turned as near to the one above as can be. */
  copies: () => Matrix[];
}

/**
 * The kernel of x -> x^T A(f), A [n, m]. A left singular vector u is in it where |u^T A| is zero against what |u^T (A(f') - A(f))| is for
 * noisy copies f' of f. `natural` is the order of |u^T A| where it is not zero.
 */
export function kernelOf(g: Sampled, map: (f: Float64Array) => Matrix, test: ZeroTest, what: string, natural = Infinity): Kernel {
  const A = map(g.f);
  const differences = g.draws.map((draw) => Matrix.sub(map(draw), A));
  const split: Pick<Kernel, "kernel" | "rest"> = { kernel: [], rest: [] };
  const U = leftVectors(A);
  const images = U.mmul(A);
  const noises = differences.map((difference) => U.mmul(difference));
  for (let row = 0; row < U.rows; row++) {
    const noise = Math.sqrt(noises.reduce((sum, N) => sum + squared(N.getRow(row)), 0) / noises.length);
    const size = Math.sqrt(squared(images.getRow(row)));
    const ratio = size === 0 ? 0 : size / Math.max(noise, Number.MIN_VALUE);
    split[test.isZero(ratio, what, noise / natural) ? "kernel" : "rest"].push(U.getRow(row));
  }
  const copies = (): Matrix[] => differences.map((difference) => copyOf(split, Matrix.add(A, difference)));
  return { ...split, copies };
}

/** [rest; kernel] by the kernel of A, as many dimensions as were decided on. */
function copyOf({ kernel, rest }: Pick<Kernel, "kernel" | "rest">, A: Matrix): Matrix {
  if (kernel.length === 0 || rest.length === 0) return new Matrix([...rest, ...kernel]);
  const U = leftVectors(A);
  const upTo = (from: number, to: number): Matrix => U.subMatrix(from, to - 1, 0, U.columns - 1);
  const parts = [nearestIn(rest, upTo(0, rest.length)), nearestIn(kernel, upTo(rest.length, U.rows))];
  return new Matrix(parts.flatMap((part) => part.to2DArray()));
}

/** The orthonormal basis of the row space of S that is nearest to the rows. */
function nearestIn(rows: readonly number[][], S: Matrix): Matrix {
  const projected = new Matrix(rows as number[][]).mmul(S.transpose()).mmul(S);
  return rootOf(projected.mmul(projected.transpose()), -0.5).mmul(projected);
}

const squared = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);

/** A full set of left singular vectors of A [n, m] as rows, the greatest singular value first. */
export function leftVectors(A: Matrix): Matrix {
  const padded = A.columns >= A.rows ? A : widened(A);
  return new SingularValueDecomposition(padded.transpose()).rightSingularVectors.transpose();
}

function widened(A: Matrix): Matrix {
  const wide = Matrix.zeros(A.rows, A.rows);
  wide.setSubMatrix(A, 0, 0);
  return wide;
}
