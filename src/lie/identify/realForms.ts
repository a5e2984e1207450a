/**
 * A name of a simple real Lie algebra with the representation that the name speaks of: `size` real dimensions, and its index, the trace form
 * tr(rho(x) rho(y)) as a share of the Killing form.
 */
export interface RealForm {
  name: string;
  size: number;
  index: number;
}

interface Entry extends RealForm {
  dimension: number;
  noncompact: number;
  complex: boolean;
}

/** Beyond these, no name would be sure: some families end before others. */
const MOST_DIMENSION = 300;
const MOST = 25; // of the size n of a family, at most that many dimensions

const entry = (name: string, dimension: number, noncompact: number, size: number, index: number, complex = false): Entry => ({
  ...{ name, dimension, noncompact, size, index, complex },
});

/**
 * The classical real forms and the exceptional ones (Knapp, Lie Groups Beyond an Introduction, 6.10 and appendix C), of each isomorphism class the usual
 * name first. Sizes and indices are those of the defining representation over R: 1 / (n - 2) for so(p, q), 1 / 2n for sl(n), 1 / n for su(p, q), half as
 * much for complex algebras as they have twice the Killing form. H^n is R^4n. Of the exceptional ones it is the smallest representation.
 */
function* entries(): Iterable<Entry> {
  yield* orthogonal();
  yield* unitary();
  yield* symplectic();
  for (let n = 5; n <= MOST; n++) yield entry(`so(${n},C)`, n * (n - 1), (n * (n - 1)) / 2, 2 * n, 1 / (n - 2), true);
  yield* exceptional();
}

function* orthogonal(): Iterable<Entry> {
  for (let n = 3; n <= MOST; n++) {
    if (n === 4) continue; // so(4), so(2, 2) are not simple, so(1, 3) comes below
    for (let p = 0; 2 * p <= n; p++) yield entry(pair("so", p, n - p), (n * (n - 1)) / 2, p * (n - p), n, 1 / (n - 2));
  }
  yield entry("so(1,3)", 6, 3, 4, 1 / 2, true);
}

function* unitary(): Iterable<Entry> {
  for (let n = 2; n <= MOST; n++) {
    yield entry(`sl(${n})`, n * n - 1, (n * (n + 1)) / 2 - 1, n, 1 / (2 * n));
    for (let p = 0; 2 * p <= n; p++) yield entry(p === 0 ? `su(${n})` : `su(${n - p},${p})`, n * n - 1, 2 * p * (n - p), 2 * n, 1 / n);
    yield entry(`sl(${n},C)`, 2 * (n * n - 1), n * n - 1, 2 * n, 1 / (2 * n), true);
  }
}

function* symplectic(): Iterable<Entry> {
  for (let n = 1; n <= MOST; n++) {
    const dimension = n * (2 * n + 1);
    yield entry(`sp(${2 * n})`, dimension, n * (n + 1), 2 * n, 1 / (2 * n + 2));
    for (let p = 0; 2 * p <= n; p++)
      yield entry(p === 0 ? `usp(${2 * n})` : `usp(${2 * p},${2 * (n - p)})`, dimension, 4 * p * (n - p), 4 * n, 1 / (n + 1));
    if (n > 1) yield entry(`sp(${2 * n},C)`, 2 * dimension, dimension, 4 * n, 1 / (2 * n + 2), true);
    if (n > 1) yield entry(`su*(${2 * n})`, 4 * n * n - 1, (n - 1) * (2 * n + 1), 4 * n, 1 / (2 * n));
    if (n > 2) yield entry(`so*(${2 * n})`, n * (2 * n - 1), n * (n - 1), 4 * n, 1 / (n - 1));
  }
}

/** Rows: name, dimension, non-compact directions, size and index of the smallest representation. */
const EXCEPTIONAL: readonly [string, number, number, number, number][] = [
  ["g2", 14, 0, 7, 1 / 4],
  ["g2(2)", 14, 8, 7, 1 / 4],
  ["f4", 52, 0, 26, 1 / 3],
  ["f4(-20)", 52, 16, 26, 1 / 3],
  ["f4(4)", 52, 28, 26, 1 / 3],
  ["e6", 78, 0, 54, 1 / 2],
  ["e6(-26)", 78, 26, 27, 1 / 4],
  ["e6(-14)", 78, 32, 54, 1 / 2],
  ["e6(2)", 78, 40, 54, 1 / 2],
  ["e6(6)", 78, 42, 27, 1 / 4],
  ["e7", 133, 0, 112, 2 / 3],
  ["e7(-25)", 133, 54, 56, 1 / 3],
  ["e7(-5)", 133, 64, 112, 2 / 3],
  ["e7(7)", 133, 70, 56, 1 / 3],
  ["e8", 248, 0, 248, 1],
  ["e8(-24)", 248, 112, 248, 1],
  ["e8(8)", 248, 128, 248, 1],
];

function* exceptional(): Iterable<Entry> {
  for (const row of EXCEPTIONAL) yield entry(...row);
  for (const [name, dimension, noncompact, size, index] of EXCEPTIONAL)
    if (noncompact === 0) yield entry(`${name}(C)`, 2 * dimension, dimension, ...overComplex(name, size, index), true);
}

/** Of e6 and e7 the smallest representation is complex, so that size and index above are doubled already. */
const overComplex = (name: string, size: number, index: number): [number, number] =>
  name === "e6" || name === "e7" ? [size, index / 2] : [2 * size, index];

const pair = (family: string, p: number, q: number): string => (p === 0 ? `${family}(${q})` : `${family}(${p},${q})`);

let table: Entry[] | undefined;

/** All names of simple algebras of this dimension, with so many non-compact directions, over this centroid. */
export function realForms(dimension: number, noncompact: number, complex: boolean): RealForm[] {
  table ??= [...entries()].filter((form) => form.dimension <= MOST_DIMENSION);
  return table.filter((form) => form.dimension === dimension && form.noncompact === noncompact && form.complex === complex);
}

/** The exceptional isomorphisms of simple real Lie algebras (Knapp, Lie Groups Beyond an Introduction, 6.10 and appendix C). */
const ISOMORPHIC = [
  ["so(3)", "su(2)", "usp(2)"],
  ["sl(2)", "so(1,2)", "su(1,1)", "sp(2)"],
  ["so(1,3)", "sl(2,C)"],
  ["so(5)", "usp(4)"],
  ["so(1,4)", "usp(2,2)"],
  ["so(2,3)", "sp(4)"],
  ["so(6)", "su(4)"],
  ["so(1,5)", "su*(4)"],
  ["so(2,4)", "su(2,2)"],
  ["so(3,3)", "sl(4)"],
  ["su(3,1)", "so*(6)"],
  ["so(2,6)", "so*(8)"],
  ["so(5,C)", "sp(4,C)"],
  ["so(6,C)", "sl(4,C)"],
];

/** All names of the algebra of this name. */
const namesOf = (name: string): readonly string[] => ISOMORPHIC.find((names) => names.includes(name)) ?? [name];

/**
 * The same names by isomorphism class, each class with its first name first. Dimension and signature leave more than one open for B_n and C_n, such as so(7)
 * and usp(6), and for large algebras of other families, such as so(16) and su(11).
 */
export function classesOf(forms: readonly RealForm[]): string[][] {
  const classes: string[][] = [];
  for (const { name } of forms) {
    const known = classes.find(([first]) => namesOf(first).includes(name));
    if (known) known.push(name);
    else classes.push([name]);
  }
  return classes;
}
