import { inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import { killingOf } from "../generators/structure.js";
import { type Frame, sumOf } from "./frame.js";
import { imageOf, type Levi } from "./levi.js";
import { classesOf, type RealForm, realForms } from "./realForms.js";
import type { Ideal } from "./simpleIdeals.js";
import { ZeroTest } from "./zeroTest.js";

/** A simple ideal with what it does to the vectors that the matrices act on. */
export interface Acting {
  ideal: Ideal;
  /** All names of its isomorphism class. */
  forms: RealForm[];
  /** The one whose defining representation this is, `copies` times; the first where none fits. */
  form: RealForm | undefined;
  copies: number;
  /** sum_ab K^ab rho(x_a) rho(x_b), the Casimir operator: 0 on what the ideal does nothing to. */
  casimir?: Matrix;
  /** Dimensions of what it acts on. */
  size: number;
  /** Its elements as matrices, by the columns of `ideal.span`. */
  matrices?: Matrix[];
}

/** Casimir operators of representations that are not trivial have no eigenvalue below 3/8. */
export const TRIVIAL = 0.15;

/** Names and representations of the ideals; without matrices, or of an algebra that is not reductive, names alone. */
export function actingIdeals(frame: Frame | undefined, levi: Levi, ideals: readonly Ideal[]): Acting[] {
  if (ideals.length === 0) return [];
  const lifts = frame?.matrices && commutatorSubalgebra(frame.matrices, levi);
  const K = killingOf(levi.quotient.f, levi.s);
  return ideals.map((ideal) => {
    const forms = realForms(ideal.dimension, ideal.noncompact, ideal.complex);
    if (!lifts) return { ideal, forms, form: forms[0], copies: 0, size: 0 };
    const matrices = ideal.span
      .transpose()
      .to2DArray()
      .map((row) => sumOf(row, lifts));
    const inverted = inverse(ideal.span.transpose().mmul(K).mmul(ideal.span));
    const casimir = Matrix.zeros(matrices[0].rows, matrices[0].rows);
    for (const [a, A] of matrices.entries()) casimir.add(A.mmul(sumOf(inverted.getRow(a), matrices)));
    const size = new SingularValueDecomposition(casimir).diagonal.filter((value) => value > TRIVIAL).length;
    const index = casimir.trace() / ideal.dimension;
    const fitting = forms
      .map((form) => ({ form, copies: size / form.size }))
      .find(({ form, copies }) => Number.isInteger(copies) && copies > 0 && Math.abs(index / (copies * form.index) - 1) < 0.1);
    return { ideal, forms, form: fitting?.form ?? forms[0], copies: fitting?.copies ?? 0, casimir, size, matrices };
  });
}

/** The matrices of [g, g], which is semisimple, one for each element of the quotient by the centre. */
function commutatorSubalgebra(matrices: readonly Matrix[], { algebra, rows, s }: Levi): Matrix[] {
  const fitting = rows.to2DArray().map((row) => sumOf(row, matrices));
  if (s === algebra.n) return fitting;
  const all = Matrix.eye(algebra.n).to2DArray();
  const span = imageOf(algebra, all, all, new ZeroTest("generic"), "").slice(0, s);
  if (span.length < s) return fitting;
  const D = new Matrix(span);
  const lifted = inverse(D.subMatrix(0, s - 1, 0, s - 1)).mmul(D);
  return lifted.to2DArray().map((row) => sumOf(row, fitting));
}

export interface Merged {
  names: string[];
  /** The same with a name that is no less possible in it. */
  others: string[][];
  facts: string[];
}

/** Names in order, pairs of so(3) or sl(2) that turn the same R^4 as so(4) or so(2,2). */
export function merged(acting: readonly Acting[]): Merged {
  const [names, facts]: [string[], string[]] = [[], []];
  const open: { name: string; other: string }[] = [];
  const left = [...acting];
  while (left.length > 0) {
    const one = left.shift() as Acting;
    const partner = left.findIndex((other) => sharedFour(one, other));
    const name = nameOf(one);
    if (partner >= 0) {
      const compact = one.ideal.noncompact === 0;
      names.push(compact ? "so(4)" : "so(2,2)");
      facts.push(compact ? "so(4) = so(3) + so(3)" : "so(2,2) = sl(2) + sl(2)");
      left.splice(partner, 1);
      continue;
    }
    names.push(name);
    const classes = classesOf(one.forms);
    const own = classes.find((all) => all.includes(name)) ?? [];
    // Algebras of equal dimension and signature differ in their defining representation alone.
    if (one.copies === 0 && classes.length > 1) open.push(...classes.filter((all) => all !== own).map(([other]) => ({ name, other })));
    else if (own.length > 1) facts.push([name, ...own.filter((other) => other !== name)].join(" = "));
  }
  const others = open.map(({ name, other }) => names.with(names.indexOf(name), other).sort());
  return { names: names.sort(), others, facts: [...new Set(facts)] };
}

const nameOf = ({ form, ideal, copies, forms }: Acting): string =>
  (copies > 0 ? form?.name : usual(forms)) ?? `a simple algebra of dimension ${ideal.dimension}`;

/** Without a representation: sl(2) before so(1,2), else the first. */
const usual = (forms: readonly RealForm[]): string | undefined => (forms.find(({ name }) => name === "sl(2)") ?? forms[0])?.name;

/** Spin 1/2 of both on the same vectors: the Casimir operators are 3/8 there. */
function sharedFour(a: Acting, b: Acting): boolean {
  if (a.ideal.dimension !== 3 || b.ideal.dimension !== 3 || a.ideal.noncompact !== b.ideal.noncompact) return false;
  if (!a.casimir || !b.casimir || a.size !== b.size || a.size % 4 !== 0) return false;
  const spin = (9 / 64) * a.size;
  return [a.casimir.mmul(a.casimir), b.casimir.mmul(b.casimir), a.casimir.mmul(b.casimir)].every(
    (square) => Math.abs(square.trace() / spin - 1) < 0.1,
  );
}
