// time limit: 600 s
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { denseBasis } from "../../../src/lie/generators/basis.js";
import { algebra } from "../../../src/lie/generators/known.js";
import { structure } from "../../../src/lie/generators/structure.js";
import { type Identification, type IdentifyOptions, identify } from "../../../src/lie/identify/identify.js";
import { classesOf, realForms } from "../../../src/lie/identify/realForms.js";
import { long, some } from "../../support/long.js";
import { throwsCode } from "../../support/throws.js";
import { directSum, perturbed } from "../perturbed.js";

// Algebras that look like others: no name is better than a wrong one.

const test = suite("lie/identify, hard cases");

/** d x d with these entries and no others. */
function entries(d: number, ...list: [number, number, number][]): Matrix {
  const E = Matrix.zeros(d, d);
  for (const [row, column, value] of list) E.set(row, column, value);
  return E;
}
const J = entries(2, [0, 1, -1], [1, 0, 1]);
const of = (matrices: readonly Matrix[], options: IdentifyOptions = {}): Identification => identify(denseBasis(matrices), options);
const show = ({ name, certain, alternatives, notes }: Identification): string => JSON.stringify({ name, certain, alternatives, notes });
/** Either the truth, or an uncertain name with the truth beside it, or none. */
const notWrong = (found: Identification, truth: string, label = ""): void =>
  assert.ok(
    found.name === truth || found.name === "unknown" || (!found.certain && found.alternatives.includes(truth)),
    `${label} ${show(found)}`,
  );

const screw = (pitch: number): Matrix => entries(4, [0, 1, -1], [1, 0, 1], [2, 3, pitch]);

test("a screw motion never returns", () => {
  for (const pitch of [10, 1, 0.1, 0.01]) assert.is(of([screw(pitch)], { uncertainty: 1e-6 }).name, "R", `pitch ${pitch}`);
  for (const uncertainty of [1e-6, 1e-4, 1e-3])
    for (const condition of [1, 10])
      for (const seed of [1, 2, 3])
        assert.is(identify(perturbed([screw(1)], { noise: uncertainty / 4, condition, seed }), { uncertainty }).name, "R");
});

test("a screw motion beside a rotation: so(2) + R is never excluded", () => {
  const both = directSum([screw(1)], [J]);
  assert.is(of(both, { uncertainty: 1e-6 }).name, "so(2) + R");
  for (const uncertainty of [1e-6, 1e-4, 1e-3, 1e-2])
    for (const seed of [1, 2, 3, 4]) notWrong(identify(perturbed(both, { noise: uncertainty / 6, seed }), { uncertainty }), "so(2) + R");
});

test("a rotation of frequencies 2 : 3 in skewed coordinates is one", () => {
  const turn = directSum([Matrix.mul(J, 2)], [Matrix.mul(J, 3)]);
  const both = Matrix.add(turn[0], turn[1]);
  for (let seed = 1; seed <= (long ? 40 : 10); seed++)
    assert.is(identify(perturbed([both], { noise: 1e-6 / 4, condition: 10, seed }), { uncertainty: 1e-6 }).name, "so(2)", `seed ${seed}`);
});

/** x and R^k, x acting by A. */
const lineActing = (A: Matrix): Matrix[] => {
  const k = A.rows;
  const x = Matrix.zeros(k + 1, k + 1);
  x.setSubMatrix(A, 0, 0);
  return [x, ...Array.from({ length: k }, (_, row) => entries(k + 1, [row, k, 1]))];
};

test("a centre within [g, g] is no direct summand", () => {
  const actions = {
    A43: entries(3, [0, 0, 1], [1, 2, 1]),
    turning: entries(4, [0, 1, -1], [1, 0, 1], [2, 3, 1]),
    "1 + J3(0)": entries(4, [0, 0, 1], [1, 2, 1], [2, 3, 1]),
    "1 - 1 + J2(0)": entries(4, [0, 0, 1], [1, 1, -1], [2, 3, 1]),
  };
  for (const [label, A] of Object.entries(actions)) {
    assert.not.match(of(lineActing(A)).name, /\+ R$/, label);
    const noisy = identify(perturbed(lineActing(A), { noise: 1e-4 / A.rows, seed: 2 }), { uncertainty: 1e-4 });
    assert.not.match(noisy.name, /\+ R$/, label);
  }
  assert.is(of(directSum(lineActing(Matrix.eye(1)), [Matrix.eye(1)])).name, "aff(1) + R");
});

const so3 = algebra("so(3)").dense();
const sl2OnTwoOfThree = [entries(3, [0, 1, 1]), entries(3, [1, 0, 1]), entries(3, [0, 0, 1], [1, 1, -1]), entries(3, [2, 2, 1])];

test("a centre on coordinates of its own: a name, and no scaling", () => {
  const cases: [string, Matrix[]][] = [
    ["sl(2) + R", sl2OnTwoOfThree],
    ["sl(3) + R", directSum(algebra("sl(3)").dense(), [Matrix.eye(1)])],
    ["so(3) + R", directSum(so3, [Matrix.eye(1)])],
  ];
  for (const [name, matrices] of cases) {
    const found = of(matrices);
    assert.is(found.name, name);
    assert.is(found.standard?.names.at(-1), "line", name);
    assert.is(identify(perturbed(matrices, { noise: 1e-4, condition: 3, seed: 4 })).name, name);
  }
});

test("generators too large to be squared", () => {
  throwsCode(() => of(so3.map((L) => Matrix.mul(L, 1e200))), "ERR_LCONV_NONFINITE", "divide");
  assert.is(of(so3.map((L) => Matrix.mul(L, 1e140))).name, "so(3)");
});

test("a scaling is a multiple of the identity, and nothing else is called one", () => {
  const twice = so3.map((L) => Matrix.eye(2).kroneckerProduct(L));
  const onCopies = (A: number[][]): Matrix => new Matrix(A).kroneckerProduct(Matrix.eye(3));
  const phase = algebra("u(2)").dense()[3];
  const last = (matrices: readonly Matrix[]): string | undefined => of(matrices).standard?.names.at(-1);
  assert.is(last([...twice, onCopies([[1, 1], [0, 1]])]), "line", "a Jordan block"); // biome-ignore format: a matrix
  assert.is(last([...twice, onCopies([[1, 0], [0, 1.15]])]), "line", "two scales"); // biome-ignore format: a matrix
  assert.is(last([...algebra("su(2)").dense(), Matrix.add(Matrix.eye(4), Matrix.mul(phase, 0.15))]), "line", "a spiral");
  assert.is(last([...twice, Matrix.eye(6)]), "scaling");
  assert.is(last([...directSum(so3, [Matrix.zeros(1, 1)]).slice(0, 3), directSum([Matrix.eye(3)], [Matrix.zeros(1, 1)])[0]]), "scaling");
});

test("a span that is not closed has no certain name unless the rest is told to be noise", () => {
  const spoilt = [so3[0], so3[1], so3[2]].map((L, k) => (k === 1 ? Matrix.add(L, entries(3, [0, 0, 0.2])) : L));
  const found = of(spoilt);
  assert.not.ok(found.certain, show(found));
  assert.ok(found.distance >= found.structure.closureResidual && found.distance > 0.05, `${found.distance}`);
  assert.match(found.notes.join(), found.structure.closureResidual.toPrecision(2));
  assert.not.ok(identify(perturbed(so3, { noise: 1e-5, seed: 1 })).certain);
  assert.ok(identify(perturbed(so3, { noise: 1e-5, seed: 1 }), { uncertainty: 3e-5 }).certain);
  assert.ok(of(so3).certain);
});

/** ad_x of all x, in terms of a basis. */
const adjointOf = (matrices: readonly Matrix[]): Matrix[] =>
  structure(denseBasis(matrices)).f.map((rows) => new Matrix(rows.map((row) => [...row])).transpose());

test("B3 and C3 are not isomorphic", () => {
  for (const name of ["so(7)", "sp(6)"]) {
    const found = of(algebra(name).dense());
    assert.equal([found.name, found.certain], [name, true]);
    assert.not.match(found.facts.join(), "=");
  }
  const adjoint = of(adjointOf(algebra("sp(6)").dense()));
  notWrong(adjoint, "sp(6)", "the adjoint representation");
  assert.ok([adjoint.name, ...adjoint.alternatives].includes("so(3,4)"), show(adjoint));
  assert.match(of(algebra("sl(4)").dense()).facts.join(), "sl(4) = so(3,3)");
});

test("real forms of one dimension and signature: equal only where they are isomorphic", () => {
  const names = (dimension: number, noncompact: number, complex = false): string[][] =>
    classesOf(realForms(dimension, noncompact, complex));
  assert.equal(names(21, 0), [["so(7)"], ["usp(6)"]]);
  assert.equal(names(78, 0), [["so(13)"], ["usp(12)"], ["e6"]]);
  assert.equal(names(120, 0), [["so(16)"], ["su(11)"]]);
  assert.equal(names(195, 90), [["su(9,5)"], ["su*(14)"]]);
  assert.equal(names(28, 12), [["so(2,6)", "so*(8)"]]);
  assert.equal(names(6, 3, true), [["so(1,3)", "sl(2,C)"]]);
});

test("weights whose first three power sums vanish are weights", () => {
  const found = of(lineActing(entries(4, [0, 0, 1], [1, 1, -1], [2, 3, -1], [3, 2, 1])));
  assert.is(found.name, "R x| R^4");
  assert.match(found.facts.join(), "solvable");
  assert.match(found.facts.join(), "nilradical of dimension 4");
  assert.not.match(found.facts.join(), "nilpotent");
});

test("skewed coordinates hide brackets: what they may be stays possible", () => {
  const cases: [string, Matrix[], number, number[]][] = [
    ["R x| R^2", lineActing(entries(2, [0, 0, 0.3], [0, 1, -1], [1, 0, 1], [1, 1, 0.3])), 1e-3, [17, 22, 40]],
    ["R x| R^2", lineActing(entries(2, [0, 0, 1], [0, 1, 1], [1, 1, 1])), 1e-3, [2, 11, 17]],
    ["R x| R^2", lineActing(entries(2, [0, 0, 1], [0, 1, 1], [1, 1, 1])), 1e-4, [19]],
    ["R x| R^2", lineActing(entries(2, [0, 0, 1], [1, 1, 0.5])), 1e-3, [4, 19, 27]],
    ["so(3)", so3, 1e-2, [1, 8, 9]],
    ["se(2)", algebra("se(2)").dense(), 1e-2, [6, 13, 20]],
    ["se(2)", algebra("se(2)").dense(), 1e-4, [24]],
    ["iso(1,1)", algebra("iso(1,1)").dense(), 1e-3, [2, 11]],
    ["iso(1,1)", algebra("iso(1,1)").dense(), 1e-4, [24]],
    ["sl(2)", algebra("so(1,2)").dense(), 1e-2, [1, 16]],
  ];
  for (const [truth, matrices, uncertainty, seeds] of cases)
    for (const seed of some(seeds, 3))
      notWrong(
        identify(perturbed(matrices, { noise: uncertainty / 3, condition: 100, seed }), { uncertainty }),
        truth,
        `${truth}, seed ${seed}`,
      );
  const exact = of(algebra("se(2)").dense());
  assert.ok(exact.certain, show(exact));
});

test.run();
