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

const MOST = 16; // of the size n of a family

const entry = (name: string, dimension: number, noncompact: number, size: number, index: number, complex = false): Entry => ({
  ...{ name, dimension, noncompact, size, index, complex },
});

/**
 * The classical real forms and those of G2 (Knapp, Lie Groups Beyond an Introduction, 6.10), of each isomorphism class the usual name first. Sizes and
 * indices are those of the defining representation over R: 1 / (n - 2) for so(p, q), 1 / 2n for sl(n), 1 / n for su(p, q), half as much for complex
 * algebras as they have twice the Killing form. H^n is R^4n.
 */
function* entries(): Generator<Entry> {
  for (let n = 3; n <= MOST; n++) {
    if (n === 4) continue; // so(4), so(2, 2) are not simple, so(1, 3) comes below
    for (let p = 0; 2 * p <= n; p++) yield entry(pair("so", p, n - p), (n * (n - 1)) / 2, p * (n - p), n, 1 / (n - 2));
  }
  yield entry("so(1,3)", 6, 3, 4, 1 / 2, true);
  for (let n = 2; n <= MOST; n++) {
    yield entry(`sl(${n})`, n * n - 1, (n * (n + 1)) / 2 - 1, n, 1 / (2 * n));
    for (let p = 0; 2 * p <= n; p++) yield entry(p === 0 ? `su(${n})` : `su(${n - p},${p})`, n * n - 1, 2 * p * (n - p), 2 * n, 1 / n);
    yield entry(`sl(${n},C)`, 2 * (n * n - 1), n * n - 1, 2 * n, 1 / (2 * n), true);
  }
  for (let n = 1; n <= MOST; n++) {
    const dimension = n * (2 * n + 1);
    yield entry(`sp(${2 * n})`, dimension, n * (n + 1), 2 * n, 1 / (2 * n + 2));
    for (let p = 0; 2 * p <= n; p++)
      yield entry(p === 0 ? `usp(${2 * n})` : `usp(${2 * p},${2 * (n - p)})`, dimension, 4 * p * (n - p), 4 * n, 1 / (n + 1));
    if (n > 1) yield entry(`sp(${2 * n},C)`, 2 * dimension, dimension, 4 * n, 1 / (2 * n + 2), true);
    if (n > 1) yield entry(`su*(${2 * n})`, 4 * n * n - 1, (n - 1) * (2 * n + 1), 4 * n, 1 / (2 * n));
    if (n > 2) yield entry(`so*(${2 * n})`, n * (2 * n - 1), n * (n - 1), 4 * n, 1 / (n - 1));
  }
  for (let n = 5; n <= MOST; n++) yield entry(`so(${n},C)`, n * (n - 1), (n * (n - 1)) / 2, 2 * n, 1 / (n - 2), true);
  yield entry("g2", 14, 0, 7, 1 / 4);
  yield entry("g2(2)", 14, 8, 7, 1 / 4);
}

const pair = (family: string, p: number, q: number): string => (p === 0 ? `${family}(${q})` : `${family}(${p},${q})`);

let table: Entry[] | undefined;

/** All names of simple algebras of this dimension, with so many non-compact directions, over this centroid. */
export function realForms(dimension: number, noncompact: number, complex: boolean): RealForm[] {
  table ??= [...entries()];
  return table.filter((form) => form.dimension === dimension && form.noncompact === noncompact && form.complex === complex);
}

/**
 * Which of these names are of isomorphic algebras: all but those of B_n and C_n, n >= 3, which share dimension and signature for some forms and are
 * told apart by the representation alone.
 */
export function ambiguous(forms: readonly RealForm[]): boolean {
  const symplectic = forms.filter(({ name }) => /^u?sp\(/.test(name));
  return symplectic.length > 0 && symplectic.length < forms.length && forms.every(({ name }) => /^(u?sp|so)\(/.test(name)) && large(forms);
}

const large = (forms: readonly RealForm[]): boolean => forms.some(({ name, size }) => name.startsWith("so(") && size >= 7);
