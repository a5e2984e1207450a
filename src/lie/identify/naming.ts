import { inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import { defined } from "../../defined.js";
import type { Pieces } from "../../engine/breathe.js";
import { type Frame, frameOf, sumOf } from "./frame.js";
import { centralIn, imageOf, type Levi, leviOf } from "./levi.js";
import { type Acting, actingIdeals, merged } from "./representation.js";
import { block } from "./sampled.js";
import { isScaling } from "./scaling.js";
import { type Ideal, simpleIdeals } from "./simpleIdeals.js";
import { centerName, type Flows, flowsName, flowsOf } from "./weights.js";
import { kernelOf, type ZeroTest } from "./zeroTest.js";

/** A name by structure, with what it was read from. */
export interface Named {
  /** Undefined where the structure has no name, or is too blurred for one. */
  name: string | undefined;
  /** Why there is no name. */
  reason?: string;
  levi: Levi;
  /** Names that are no less possible. */
  others: string[];
  /** Other names of isomorphic algebras, and what else is worth knowing. */
  facts: string[];
  /** Of an algebra whose centre is the radical: its simple ideals on the matrices, and what the centre does. */
  ideals?: Acting[];
  flows?: Flows;
  /** Whether the centre is the multiples of the identity, or of the projector on what the ideals act on. */
  scalar?: boolean;
}

/** Names the algebra of a frame. All decisions go through `test`, which remembers the open ones. */
export function* named(frame: Frame, test: ZeroTest): Pieces<Named> {
  const levi = yield* leviOf(frame.algebra, test);
  const ideals = levi.s === 0 ? [] : yield* simpleIdeals(levi.quotient);
  const blank: Named = { name: undefined, levi, others: [], facts: [] };
  if (!ideals) return { ...blank, reason: "the semisimple part does not come apart into simple ideals" };
  const reductive = levi.center.length === frame.n - levi.s;
  return reductive ? nameReductive(frame, blank, ideals, test) : yield* nameSemidirect(frame, blank, ideals, test);
}

/** Semisimple and abelian: a direct sum. */
function nameReductive(frame: Frame, blank: Named, ideals: readonly Ideal[], test: ZeroTest): Named {
  const { levi } = blank;
  const k = levi.center.length;
  const acting = actingIdeals(frame, levi, ideals);
  const { names, facts, others } = merged(acting);
  const central = frame.matrices && k > 0 ? levi.center.map((c) => sumOf(c, frame.matrices as readonly Matrix[])) : undefined;
  const flows =
    central &&
    flowsOf(
      central.map((Z) => asGiven(Z, frame)),
      frame.error,
      test,
    );
  const center = flows ? flowsName(flows) : k > 0 ? [k === 1 ? "R" : `R^${k}`] : [];
  const scalar = central?.length === 1 && isScaling(central[0], acting, frame.uncertainty);
  const name = joined(acting, names, center, scalar, frame.n);
  const tori = otherTori(k, flows).map((torus) => [...names, ...torus].join(" + "));
  const otherIdeals = others.map((all) => [...all, ...center].join(" + "));
  return { ...blank, name, others: [...otherIdeals, ...tori], facts, ideals: acting, scalar, ...defined({ flows }) };
}

/** In the coordinates in which the generators were given, and their error is known. */
const asGiven = (Z: Matrix, { balanced }: Frame): Matrix => (balanced ? balanced.inverse.mmul(Z).mmul(balanced.P) : Z);

/** so(2)^j + R^(k-j) for the j that are not excluded, the largest first. */
function otherTori(k: number, flows: Flows | undefined): string[][] {
  const least = flows ? flows.circles.length : 0;
  const most = flows ? flows.mostCircles : k;
  return Array.from({ length: most - least }, (_, at) => centerName(most - at, k - most + at));
}

/** gl(n) and u(p, q) where the matrices are those of the name, else "a + b + ...". */
function joined(acting: readonly Acting[], names: readonly string[], center: readonly string[], scalar: boolean, n: number): string {
  const plain = [...names, ...center].join(" + ");
  if (acting.length !== 1 || center.length !== 1) return plain;
  const [{ form, copies }] = acting;
  if (copies !== 1 || !form) return plain;
  if (/^sl\(\d+\)$/.test(form.name) && center[0] === "R" && scalar && n === form.size ** 2) return form.name.replace("sl", "gl");
  if (/^su\(/.test(form.name) && center[0] === "so(2)" && 4 * n === form.size ** 2) return form.name.replace("su", "u");
  return plain;
}

/** What g / N, of the nilradical N, does to a section of N, as matrices, those that act and those that do not. */
interface Action {
  size: number;
  frame?: Frame;
  /** Rows of what does nothing, in terms of the first s + a elements. */
  idle: number[][];
}

function* actionOn(levi: Levi, section: readonly number[][], test: ZeroTest): Pieces<Action> {
  const h = levi.s + levi.a;
  const { n } = levi.algebra;
  if (h === 0) return { size: section.length, idle: [] };
  const rows = new Matrix(section as number[][]);
  const act = (f: Float64Array): Matrix =>
    new Matrix(
      Array.from({ length: h }, (_, i) => {
        const ad = Matrix.from1DArray(n, n, f.subarray(i * n * n, (i + 1) * n * n)).transpose();
        return rows.mmul(ad).mmul(rows.transpose()).to1DArray();
      }),
    );
  const split = kernelOf({ n: h, f: levi.algebra.f, draws: levi.algebra.draws }, act, test, "action on the nilradical");
  const size = section.length;
  if (split.rest.length === 0) return { size, idle: split.kernel };
  const rest = new Matrix(split.rest);
  const images = rest.mmul(act(levi.algebra.f));
  const matrices = images.to2DArray().map((row) => Matrix.from1DArray(size, size, row));
  const errors = levi.algebra.draws.map((draw) => rest.mmul(act(draw)).sub(images).norm("frobenius") / images.norm("frobenius"));
  const frame = yield* frameOf(matrices, Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length));
  return { size, frame, idle: split.kernel };
}

function* nameSemidirect(frame: Frame, blank: Named, ideals: readonly Ideal[], test: ZeroTest): Pieces<Named> {
  const { levi } = blank;
  const { s, a, m, descending, algebra } = levi;
  const { n } = frame;
  const N = descending[0];
  if (!N || !levi.ends) return { ...blank, reason: "the nilradical is not clear" };
  const all = Matrix.eye(n).to2DArray();
  const moved = descending.length === 1 ? imageOf(algebra, all, N, test, "what the nilradical is moved by") : (descending[1] as number[][]);
  if (moved.length === 0) return { ...blank, reason: "the nilradical is not clear" };
  const section = descending.length === 1 ? moved : complementIn(N, moved);
  const action = yield* actionOn(levi, section, test);
  const idle = idleIdeals(ideals, action.idle, s);
  if (!idle) return { ...blank, reason: "the action on the nilradical is not clear" };
  const direct = merged(actingIdeals(undefined, levi, idle));
  const withIdeals = (core: string, free: number): Pick<Named, "name"> & { others: string[] } => ({
    name: [core, ...direct.names, ...lines(free)].join(" + "),
    others: direct.others.map((names) => [core, ...names, ...lines(free)].join(" + ")),
  });
  const H = action.frame && (yield* named(action.frame, test));
  if (action.frame && H?.name === undefined) return { ...blank, reason: "the action on the nilradical has no name" };
  const facts = H?.facts ?? [];
  if (descending.length > 1) {
    const name = nilpotentName(levi, H, action, test);
    return name ? { ...blank, ...withIdeals(name.core, name.lines), facts } : { ...blank, reason: "its nilradical has no name" };
  }
  const free = m - moved.length;
  const summand = levi.center.length === free && (free === 0 || centralIn(algebra, moved, test, "centre of what is moved").length === 0);
  if (!summand) return { ...blank, reason: "its centre is no direct summand" };
  if (a > 1 && free > 0) return { ...blank, reason: "it need not split" };
  if (!H || !action.frame) return { ...blank, reason: "nothing is seen to act on its nilradical" };
  const core = semidirectName(H, action.frame, moved.length, test);
  const { name, others } = withIdeals(core, free);
  const otherActions = H.others.map((other) => withIdeals(joinedAction(other, moved.length), free).name as string);
  return { ...blank, name, others: [...others, ...otherActions], facts };
}

const lines = (k: number): string[] => (k === 0 ? [] : [k === 1 ? "R" : `R^${k}`]);

/** Rows of `span` that are orthogonal to those of `part`, both orthonormal. */
function complementIn(span: readonly number[][], part: readonly number[][]): number[][] {
  const P = new Matrix(part as number[][]);
  const S = new Matrix(span as number[][]);
  const left = Matrix.sub(S, S.mmul(P.transpose()).mmul(P));
  const rows: number[][] = [];
  for (const row of left.to2DArray()) {
    for (const known of rows) {
      const along = row.reduce((sum, value, i) => sum + value * known[i], 0);
      row.forEach((value, i) => {
        row[i] = value - along * known[i];
      });
    }
    const size = Math.hypot(...row);
    if (size > 1e-6 && rows.length < span.length - part.length) rows.push(row.map((value) => value / size));
  }
  return rows;
}

/** Idle elements more skewed than this are, modulo the radical, fewer than there are rows. */
const MOST_SKEWED = 1e4;

/** The ideals that make up what is idle; undefined where they do not. */
function idleIdeals(ideals: readonly Ideal[], idle: readonly number[][], s: number): Ideal[] | undefined {
  if (idle.length === 0) return [];
  if (s === 0) return undefined;
  const E = new Matrix(idle.map((row) => row.slice(0, s)));
  if (idle.length > s || !(new SingularValueDecomposition(E, { autoTranspose: true }).condition < MOST_SKEWED)) return undefined;
  const gram = E.mmul(E.transpose());
  const found = ideals.filter(({ span, dimension }) => {
    const projected = E.mmul(span);
    const inside = inverse(gram).mmul(projected);
    const left = Matrix.sub(span, E.transpose().mmul(inside));
    return left.norm("frobenius") < 0.3 * span.norm("frobenius") && dimension <= idle.length;
  });
  return found.reduce((sum, { dimension }) => sum + dimension, 0) === idle.length ? found : undefined;
}

/** H on R^k, with its physicist's name where it has one. */
function semidirectName(H: Named, frame: Frame, k: number, test: ZeroTest): string {
  const name = H.name as string;
  if (frame.n === 1 && k === 1) return "aff(1)";
  if (frame.n === 1 && k === 2 && name === "R") return lineOnPlane(frame, test);
  return joinedAction(name, k, H.scalar);
}

function joinedAction(name: string, k: number, scalar = false): string {
  const [, p, q] = /^so\((\d+)(?:,(\d+))?\)(?: \+ R)?$/.exec(name) ?? [];
  const fits = p !== undefined && Number(p) + Number(q ?? 0) === k;
  if (name === "so(2) + R" && k === 2) return "sim(2)";
  if (fits && name.endsWith("R")) {
    if (scalar) return q === undefined ? `sim(${p})` : `sim(${p},${q})`;
  } else if (fits) return q === undefined ? `se(${p})` : `iso(${p},${q})`;
  if (name === `gl(${k})`) return `aff(${k})`;
  return `${name.includes(" ") ? `(${name})` : name} x| R${k === 1 ? "" : `^${k}`}`;
}

/** R on R^2 without a rotation: by the ratio of the eigenvalues. */
function lineOnPlane({ matrices, uncertainty }: Frame, test: ZeroTest): string {
  const [L] = matrices as readonly Matrix[];
  if (test.isZero(Math.abs(L.trace()) / (Math.SQRT2 * uncertainty), "trace")) return "iso(1,1)";
  return "R x| R^2";
}

/** A name for a nilradical that is not abelian, with what acts on it: Heisenberg's, and Galilei's algebra. */
function nilpotentName(levi: Levi, H: Named | undefined, action: Action, test: ZeroTest): { core: string; lines: number } | undefined {
  const { s, a, m, descending, algebra } = levi;
  const n = s + a + m;
  const derived = descending[1] as number[][];
  if (descending.length !== 2) return undefined;
  const nil = block(algebra, s + a, n);
  const center = kernelOf(
    nil,
    (f) => new Matrix(Array.from({ length: m }, (_, i) => f.subarray(i * m * m, (i + 1) * m * m))),
    test,
    "centre of the nilradical",
  ).kernel;
  if (derived.length === 1) {
    const free = center.length - 1;
    if (free < 0 || (m - free) % 2 === 0) return undefined;
    const heisenberg = `h(${m - free})`;
    if (!H) return { core: heisenberg, lines: free };
    if (free > 0 || a > 1) return undefined;
    return { core: `${H.name?.includes(" ") ? `(${H.name})` : H.name} x| ${heisenberg}`, lines: 0 };
  }
  const k = derived.length;
  if (!H || H.name !== `so(${k})` || m !== 2 * k + 1 || center.length !== k || action.size !== k + 1) return undefined;
  const all = Matrix.eye(n).to2DArray();
  const turned = imageOf(algebra, all.slice(0, s + a), descending[0], test, "boosts and translations");
  if (turned.length !== 2 * k || imageOf(algebra, turned, turned, test, "brackets of boosts").length > 0) return undefined;
  return { core: `gal(${k})`, lines: 0 };
}
