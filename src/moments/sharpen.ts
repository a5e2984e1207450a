import { inverse, Matrix } from "ml-matrix";
import { defined } from "../defined.js";
import type { Whitening } from "../lie/functions/whitening.js";
import { orthonormal } from "../lie/identify/frame.js";
import { largestAngle } from "../symmetry/spanError.js";
import { Tensor } from "../tensor/tensor.js";
import type { RowBlock } from "./contributions.js";
import { type Cumulant, inverseRoot } from "./cumulants.js";
import { type EfficientOptions, efficient } from "./efficient.js";
import { equationCount, type WhiteCumulants } from "./equations.js";
import { keptCovariance } from "./metric.js";
import { componentsOfRows } from "./rawMoments.js";
import { blocksOf, effectiveRows, type Weighted } from "./source.js";

/** What efficient weights of the equations change. */
export interface Sharpening {
  /** Equations L . kappa_p = 0, p from 2 on. */
  equations: number;
  /** By how much the span moved, radians. */
  moved: number;
  /** How badly they hold for the worst direction of the span: Hansen's J over its mean, about 1 where sampling explains all. */
  misfit: number;
  /** The same of the best direction beside the span. */
  next: number;
}

/** A span in coordinates in which it keeps the covariance. */
export interface Sharpened {
  /** Antisymmetric and orthonormal. */
  span: readonly Matrix[];
  inputs: Whitening;
  bound: number;
  sharpening: Sharpening;
}

/** More take seconds each time, and gigabytes. */
const MOST_EQUATIONS = 2600;
/** The eigenvectors of all L, [k^2], come in one piece. */
const MOST_COMPONENTS = 18;
const MOST_GENERATORS = 15;
/** J over its mean: the equations of a true symmetry stay below, with few samples and on exact surfaces, too (a sphere: 2.1). */
const FITS = 2.5;
/** So many times worse are the directions beside it where the equations determine the span. */
const DETERMINED = 5;

/** Whether the equations of all orders can be weighted with N samples. */
function weighable(k: number, orders: readonly number[], generators: number, N: number): boolean {
  return k <= MOST_COMPONENTS && generators <= MOST_GENERATORS && equationCount(k, orders) <= Math.min(MOST_EQUATIONS, N);
}

/** The equations do not hold for all of the directions. */
export interface Rejected {
  /** For how many they hold; which is not known, as what is found of those depends on the others. */
  holding: number;
  /** J over its mean of the worst. */
  misfit: number;
}

/**
 * A claimed span made as sharp as the samples allow, and the covariance that it keeps: `covariance` is that of the samples in `inputs`, cumulants are in the
 * coordinates in which it is I. Undefined where there are too many components or generators or too few samples for it, or where the equations do not
 * determine the span.
 */
export async function sharpened(
  source: Weighted,
  inputs: Whitening,
  covariance: Matrix,
  cumulants: readonly Cumulant[],
  start: readonly Matrix[],
  options: EfficientOptions,
): Promise<Sharpened | Rejected | undefined> {
  const k = covariance.rows;
  const N = effectiveRows(source) / source.m;
  const orders = cumulants.map(({ p }) => p);
  if (!weighable(k, orders, start.length, N)) return undefined;
  const valuesOf = async (order: number): Promise<ArrayLike<number> | undefined> => {
    const kappa = cumulants.find(({ p }) => p === order)?.kappa;
    return kappa instanceof Tensor ? kappa.data() : undefined;
  };
  const white: WhiteCumulants = { k, ...defined({ third: await valuesOf(3), fourth: await valuesOf(4) }) };
  const root = inverseRoot(covariance);
  const here = changed(inputs, root);
  async function* rows(): AsyncGenerator<RowBlock> {
    for await (const { x, weightOf } of blocksOf(source, options.signal))
      yield { y: await componentsOfRows(x, here, options.device), m: source.m, weightOf };
  }
  const found = await efficient(white, start, rows, N, options);
  const misfit = Math.max(...found.misfit);
  if (misfit > FITS) return { holding: found.misfit.filter((value) => value <= FITS).length, misfit };
  if (found.next < DETERMINED * Math.max(misfit, 1)) return undefined;
  const T = inverseRoot(keptCovariance(found.span, found.bound));
  const back = inverse(T);
  const span = found.span.map((L) => {
    const A = T.mmul(L).mmul(back);
    return Matrix.sub(A, A.transpose()).mul(0.5);
  });
  const columns = (list: readonly Matrix[]): Matrix => new Matrix(list.map((L) => L.to1DArray())).transpose();
  const moved = largestAngle(columns(found.span), columns(start));
  return {
    span: orthonormal(span).matrices,
    inputs: changed(here, T),
    bound: found.bound,
    sharpening: { equations: found.equations, moved, misfit, next: found.next },
  };
}

/** x'' = T x' */
const changed = ({ to, from, mean }: Whitening, T: Matrix): Whitening => ({ to: T.mmul(to), from: from.mmul(inverse(T)), mean });
