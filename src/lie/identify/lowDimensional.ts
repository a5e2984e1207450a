import { Matrix } from "ml-matrix";
import type { Pieces } from "../../engine/breathe.js";
import type { Basis } from "../generators/basis.js";
import { heisenbergOf, inhomogeneous } from "../generators/classical.js";
import { affineAlgebra } from "../generators/groups.js";
import { structureOf } from "../generators/structure.js";
import { type Frame, sumOf } from "./frame.js";
import { symplecticFrame } from "./invariantForms.js";
import type { Named } from "./naming.js";
import { adjoint } from "./sampled.js";

/** Elements as matrices in the frame, and what their structure constants have to be: those of a model, [n, n, n], or of several side by side. */
export interface Proposal {
  matrices: Matrix[];
  names: string[];
  constants: Float64Array;
}

/** Standard bases of aff(1), se(2), iso(1,1) and Heisenberg's algebras in any representation, from their structure constants. */
export function* solvableStandard(frame: Frame, named: Named): Pieces<Proposal | undefined> {
  const { name = "", levi } = named;
  const { algebra, rows, s, a } = levi;
  const fitting = rows.to2DArray().map((row) => sumOf(row, frame.matrices as readonly Matrix[]));
  const heisenberg = /^h\((\d+)\)$/.exec(name);
  if (heisenberg) return yield* withModel(heisenbergOf(Number(heisenberg[1])), heisenbergElements(named, fitting));
  if (!["aff(1)", "se(2)", "iso(1,1)"].includes(name) || s !== 0 || a !== 1) return undefined;
  const [x, ...translations] = fitting;
  const ad = adjoint(algebra.f, algebra.n, 0);
  const action = ad.subMatrix(1, ad.rows - 1, 1, ad.rows - 1);
  if (name === "aff(1)") return yield* withModel(affineAlgebra(1), [Matrix.div(x, action.get(0, 0)), translations[0]]);
  const determinant = action.get(0, 0) * action.get(1, 1) - action.get(0, 1) * action.get(1, 0);
  const turn = Matrix.div(x, Math.sqrt(Math.abs(determinant)));
  const [first] = translations;
  const second = Matrix.sub(turn.mmul(first), first.mmul(turn));
  return yield* withModel(name === "se(2)" ? inhomogeneous(0, 2) : inhomogeneous(1, 1), [turn, first, second]);
}

/** X_a and Y_a from a symplectic basis of N modulo its centre, Z. */
function heisenbergElements({ levi }: Named, fitting: readonly Matrix[]): Matrix[] {
  const { algebra, descending } = levi;
  const { n, f } = algebra;
  const [z] = descending[1];
  const flat = Matrix.eye(n)
    .to2DArray()
    .map((row, i) => row.map((value, k) => value - z[i] * z[k])); // orthogonal to Z
  const bracket = (x: readonly number[], y: readonly number[]): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) sum += x[i] * y[j] * z[k] * f[(i * n + j) * n + k];
    return sum;
  };
  const span = independent(flat, n - 1);
  const omega = new Matrix(span.map((x) => span.map((y) => bracket(x, y))));
  const columns = symplecticFrame(omega).transpose().to2DArray();
  const rows = columns.map((c) => span[0].map((_, k) => c.reduce((sum, value, i) => sum + value * span[i][k], 0)));
  return [...rows, z].map((row) => sumOf(row, fitting));
}

/** The first `count` orthonormal rows of the span of `rows`. */
function independent(rows: readonly number[][], count: number): number[][] {
  const found: number[][] = [];
  for (const row of rows) {
    const rest = [...row];
    for (const known of found) {
      const along = rest.reduce((sum, value, i) => sum + value * known[i], 0);
      rest.forEach((value, i) => {
        rest[i] = value - along * known[i];
      });
    }
    const size = Math.hypot(...rest);
    if (size > 1e-3 && found.length < count) found.push(rest.map((value) => value / size));
  }
  return found;
}

function* withModel(model: Basis, matrices: Matrix[]): Pieces<Proposal> {
  const { f } = yield* structureOf(model);
  return { matrices, names: [...model.names], constants: Float64Array.from(f.flat(2)) };
}
