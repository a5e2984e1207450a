import { checkInteger } from "../../errors.js";
import { Basis } from "./basis.js";
import { type SparseGenerator, sparse } from "./generator.js";
import { type Entry, fromEntries, pairsOf, rotation, so } from "./groups.js";

// Families of Lie algebras as matrices: those of a metric, symplectic and unitary ones, and those with translations, on homogeneous coordinates (x, 1).

const MOST = 64;

/** Entries (a, b) and (b, a) = 1. */
const boost = (d: number, a: number, b: number): SparseGenerator =>
  fromEntries(d, [
    [a, b, 1],
    [b, a, 1],
  ]);

/**
 * so(p, q): L^T G + G L = 0 for G = diag(-1, ..., -1, 1, ..., 1), p times -1. Rotations first, then boosts, which mix axes of different signs.
 * Throws ERR_LCONV_ARGUMENT for p + q < 2.
 */
export function pseudoOrthogonal(p: number, q: number): Basis {
  checkInteger("so", "p", p, 0, MOST);
  checkInteger("so", "p + q", p + q, 2, MOST);
  const d = p + q;
  const mixes = ([a, b]: [number, number]): boolean => a < p && b >= p;
  const turns = pairsOf(d).filter((pair) => !mixes(pair));
  const boosts = pairsOf(d).filter(mixes);
  return new Basis(
    [...turns.map(([a, b]) => rotation(d, a, b)), ...boosts.map(([a, b]) => boost(d, a, b))],
    [...turns.map(([a, b]) => `rotation ${a} ${b}`), ...boosts.map(([a, b]) => `boost ${a} ${b}`)],
  );
}

/** sp(2n): L^T J + J L = 0 for J = [[0, I], [-I, 0]] on (q_1..q_n, p_1..p_n): n (2n + 1) generators [[A, B], [C, -A^T]], B and C symmetric. */
export function symplectic(size: number): Basis {
  checkInteger("sp", "half the size", size / 2, 1, MOST / 2);
  const n = size / 2;
  const all = Array.from({ length: n * n }, (_, k): [number, number] => [Math.floor(k / n), k % n]);
  const upper = all.filter(([a, b]) => a <= b);
  const symmetric = (a: number, b: number, row: number, column: number): SparseGenerator =>
    fromEntries(size, a === b ? [[a + row, a + column, 1]] : [[a + row, b + column, 1], [b + row, a + column, 1]]); // biome-ignore format: one matrix
  return new Basis(
    [
      ...all.map(([a, b]) => fromEntries(size, [[a, b, 1], [n + b, n + a, -1]])), // biome-ignore format: one matrix
      ...upper.map(([a, b]) => symmetric(a, b, 0, n)),
      ...upper.map(([a, b]) => symmetric(a, b, n, 0)),
    ],
    [...all.map(([a, b]) => `A${a},${b}`), ...upper.map(([a, b]) => `B${a},${b}`), ...upper.map(([a, b]) => `C${a},${b}`)],
  );
}

type ComplexEntry = readonly [row: number, column: number, re: number, im: number];

/** A complex n x n matrix on (Re z, Im z): [[Re, -Im], [Im, Re]]. */
const complexMatrix = (n: number, entries: readonly ComplexEntry[]): SparseGenerator =>
  sparse(
    2 * n,
    entries.flatMap(([a]) => [a, a, a + n, a + n]),
    entries.flatMap(([, b]) => [b, b + n, b, b + n]),
    entries.flatMap(([, , re, im]) => [re, -im, im, re]),
  );

/** su(p, q), or with `unit` u(p, q): L^* G + G L = 0 for G = diag(1, ..., -1, ...), q times -1, on C^(p + q) as real coordinates (Re z, Im z). */
export function unitary(p: number, q: number, unit = false): Basis {
  checkInteger("su", "p + q", p + q, unit ? 1 : 2, MOST / 2);
  const n = p + q;
  const sign = (a: number): number => (a < p ? 1 : -1);
  const pairs = pairsOf(n);
  const real = pairs.map(([a, b]) => complexMatrix(n, [[a, b, 1, 0], [b, a, -sign(a) * sign(b), 0]])); // biome-ignore format: one matrix
  const imaginary = pairs.map(([a, b]) => complexMatrix(n, [[a, b, 0, 1], [b, a, 0, sign(a) * sign(b)]])); // biome-ignore format: one matrix
  const phases = Array.from({ length: n - 1 }, (_, a) => complexMatrix(n, [[a, a, 0, 1], [a + 1, a + 1, 0, -1]])); // biome-ignore format: one matrix
  const whole = unit
    ? [
        complexMatrix(
          n,
          Array.from({ length: n }, (_, a): ComplexEntry => [a, a, 0, 1]),
        ),
      ]
    : [];
  return new Basis(
    [...real, ...imaginary, ...phases, ...whole],
    [
      ...pairs.map(([a, b]) => `X${a},${b}`),
      ...pairs.map(([a, b]) => `Y${a},${b}`),
      ...phases.map((_, a) => `phase ${a}`),
      ...whole.map(() => "phase"),
    ],
  );
}

/** h on R^k together with the translations of R^k: h x| R^k. */
function withTranslations(h: Basis): Basis {
  const k = h.d;
  const wide = (h.generators as readonly SparseGenerator[]).map(({ rows, columns, values }) => sparse(k + 1, rows, columns, values));
  const moves = Array.from({ length: k }, (_, a) => fromEntries(k + 1, [[a, k, 1]]));
  return new Basis([...wide, ...moves], [...h.names, ...moves.map((_, a) => `translation ${a}`)]);
}

/** iso(p, q): so(p, q) and translations; iso(0, n) = se(n) = e(n), motions of R^n; iso(1, 3) is Poincaré's algebra. */
export const inhomogeneous = (p: number, q: number): Basis => withTranslations(pseudoOrthogonal(p, q));

/** sim(n): rotations, scaling and translations of R^n. */
export function similarities(n: number): Basis {
  const turns = n === 1 ? undefined : so(n);
  const scale = fromEntries(
    n,
    Array.from({ length: n }, (_, a): Entry => [a, a, 1]),
  );
  return withTranslations(new Basis([...(turns?.generators ?? []), scale], [...(turns?.names ?? []), "scaling"]));
}

/** gal(n): rotations, boosts, translations in space and in time of (x, t, 1), (n + 1) (n + 2) / 2 generators. */
export function galilei(n: number): Basis {
  checkInteger("gal", "n", n, 1, MOST);
  const d = n + 2;
  const axes = Array.from({ length: n }, (_, a) => a);
  const pairs = pairsOf(n);
  return new Basis(
    [
      ...pairs.map(([a, b]) => rotation(d, a, b)),
      ...axes.map((a) => fromEntries(d, [[a, n, 1]])),
      ...axes.map((a) => fromEntries(d, [[a, n + 1, 1]])),
      fromEntries(d, [[n, n + 1, 1]]),
    ],
    [...pairs.map(([a, b]) => `rotation ${a} ${b}`), ...axes.map((a) => `boost ${a}`), ...axes.map((a) => `translation ${a}`), "time"],
  );
}

/** h(2k + 1), Heisenberg's algebra: X_1..X_k, Y_1..Y_k and Z with [X_a, Y_a] = Z. */
export function heisenbergOf(dimension: number): Basis {
  checkInteger("heisenberg", "(dimension - 1) / 2", (dimension - 1) / 2, 1, MOST);
  const k = (dimension - 1) / 2;
  const axes = Array.from({ length: k }, (_, a) => a);
  return new Basis(
    [
      ...axes.map((a) => fromEntries(k + 2, [[0, a + 1, 1]])),
      ...axes.map((a) => fromEntries(k + 2, [[a + 1, k + 1, 1]])),
      fromEntries(k + 2, [[0, k + 1, 1]]),
    ],
    k === 1 ? ["X", "Y", "Z"] : [...axes.map((a) => `X${a}`), ...axes.map((a) => `Y${a}`), "Z"],
  );
}
