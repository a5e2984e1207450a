import { inverse, Matrix, SingularValueDecomposition } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Basis, denseBasis } from "../../../src/lie/generators/basis.js";
import { combination, lowRank, sparse, toDense } from "../../../src/lie/generators/generator.js";
import { affine, shifts } from "../../../src/lie/generators/grids.js";
import { affineAlgebra, gl, heisenberg, se2, sl, so, so13 } from "../../../src/lie/generators/groups.js";
import { changeBasis, type StructureConstants, structure } from "../../../src/lie/generators/structure.js";
import { throwsCode } from "../../support/throws.js";
import { blobs, difference, randomLowRank, randomMatrix } from "../random.js";

const test = suite("lie/structure");
const algebras: Record<string, Basis> = {
  "so(3)": so(3),
  "so(4)": so(4),
  "sl(2)": sl(2),
  "se(2)": se2(),
  heisenberg: heisenberg(),
  "so(1,3)": so13(),
  "aff(1)": affineAlgebra(1),
  "gl(2)": gl(2),
};

const mixed = (basis: Basis, C: Matrix): Basis => new Basis(C.to2DArray().map((row) => combination(basis.generators, row)));
const constants = (f: StructureConstants): number[] => f.flat(2);
const near = (a: readonly number[], b: readonly number[], tolerance: number): boolean =>
  a.length === b.length && a.every((value, k) => Math.abs(value - b[k]) <= tolerance);

const expected: Record<string, [signature: number[], center: number, series: number[]]> = {
  "so(3)": [[0, 3, 0], 0, [3]],
  "so(4)": [[0, 6, 0], 0, [6]],
  "sl(2)": [[2, 1, 0], 0, [3]],
  "se(2)": [[0, 1, 2], 0, [3, 2, 0]],
  heisenberg: [[0, 0, 3], 1, [3, 1, 0]],
  "so(1,3)": [[3, 3, 0], 0, [6]],
  "aff(1)": [[1, 0, 1], 0, [2, 1, 0]],
  "gl(2)": [[2, 1, 1], 1, [4, 3]],
};

for (const [name, basis] of Object.entries(algebras)) {
  test(`${name}: closed, Killing signature, centre and derived series, in any basis`, () => {
    for (const seed of [0, 1, 2]) {
      const any = seed === 0 ? basis : mixed(basis, randomMatrix(basis.n_L, basis.n_L, seed));
      const { closureResidual, signature, center, derivedSeries, f } = structure(any);
      assert.ok(closureResidual < 1e-6, `${closureResidual}`);
      assert.equal([[signature.positive, signature.negative, signature.zero], center, derivedSeries], expected[name]);
      const n = f.length;
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++)
          assert.ok(
            near(
              f[i][j],
              f[j][i].map((value) => -value),
              1e-9,
            ),
            "antisymmetry",
          );
      assert.ok(jacobi(f) < 1e-8 * (1 + Math.max(...constants(f).map(Math.abs)) ** 2), "Jacobi");
    }
  });
}

/** max |f_ij^k f_kl^m + cyclic in i, j, l| */
function jacobi(f: StructureConstants): number {
  const n = f.length;
  let most = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let l = 0; l < n; l++)
        for (let m = 0; m < n; m++) {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += f[i][j][k] * f[k][l][m] + f[j][l][k] * f[k][i][m] + f[l][i][k] * f[k][j][m];
          most = Math.max(most, Math.abs(sum));
        }
  return most;
}

test("so(3) has Killing form -2 delta", () => {
  const { killing, f } = structure(so(3));
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) assert.ok(Math.abs(killing.get(i, j) - (i === j ? -2 : 0)) < 1e-12);
  assert.ok(constants(f).every((value) => [-1, 0, 1].some((x) => Math.abs(value - x) < 1e-12)));
});

test("structure constants follow a change of basis as a tensor", () => {
  const C = randomMatrix(6, 6, 3);
  const [before, after] = [structure(so13()).f, structure(mixed(so13(), C)).f];
  assert.ok(near(constants(changeBasis(before, C)), constants(after), 1e-8));
  assert.ok(near(constants(changeBasis(changeBasis(before, C), inverse(C))), constants(before), 1e-9));
});

test("low rank, sparse and dense forms of the same generators agree", () => {
  const low = randomLowRank(4, 12, 2, 10);
  const full = denseBasis(low.dense());
  const [a, b] = [structure(low), structure(full)];
  assert.ok(near(constants(a.f), constants(b.f), 1e-9));
  assert.ok(Math.abs(a.closureResidual - b.closureResidual) < 1e-9);
  assert.ok(a.closureResidual > 0.9 * a.noncommutativity && a.closureResidual > 0.3, "random generators are no algebra");
  assert.ok(Math.abs(a.noncommutativity - b.noncommutativity) < 1e-9);
  assert.ok(difference(a.killing, b.killing) < 1e-9);
  const [s, t] = [structure(so13()), structure(denseBasis(so13().dense()))];
  assert.ok(near(constants(s.f), constants(t.f), 1e-12));
});

test("the residual is that of the least squares problem on d x d matrices", () => {
  const basis = randomLowRank(3, 6, 3, 30);
  const L = basis.dense();
  const { f, closureResidual } = structure(basis);
  let [outside, all] = [0, 0];
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) {
      const bracket = L[i].mmul(L[j]).sub(L[j].mmul(L[i]));
      const [a, b] = [i, j].map((at) => ({ norm: L[at].norm("frobenius"), gain: new SingularValueDecomposition(L[at]).diagonal[0] }));
      if (i !== j) all += Math.min(a.gain * b.norm, a.norm * b.gain) ** 2;
      for (let k = 0; k < 3; k++) bracket.sub(L[k].clone().mul(f[i][j][k]));
      outside += bracket.norm("frobenius") ** 2;
      for (let k = 0; k < 3; k++)
        assert.ok(Math.abs(bracket.transpose().mmul(L[k]).trace()) < 1e-9, "what is left over is orthogonal to the span");
    }
  assert.ok(Math.abs(closureResidual / Math.sqrt(outside / all) - 1) < 0.02, "the operator norm is found within some per cent");
});

test("so(3) as low rank on 5,000 positions, never as a 5,000 x 5,000 matrix", () => {
  const P = randomMatrix(5000, 3, 40);
  const lift = inverse(P.transpose().mmul(P)).mmul(P.transpose()); // P^+ P = I
  const basis = new Basis(
    so(3)
      .dense()
      .map((L) => lowRank(P.mmul(L), lift)),
  );
  const { killing, closureResidual } = structure(basis);
  assert.ok(closureResidual < 1e-6);
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) assert.ok(Math.abs(killing.get(i, j) - (i === j ? -2 : 0)) < 1e-9);
});

test("shifts commute, sparse on 16,384 positions", () => {
  const { noncommutativity, center } = structure(
    shifts(
      [128, 128],
      [
        [0, 1],
        [1, 0],
      ],
      { boundary: "circular" },
    ),
  );
  assert.equal([noncommutativity, center], [0, 2]);
});

test("commutators that vanish but for noise are noise, whatever the products are", () => {
  const moves = [0, 1].map((axis) => sparse(3, [axis], [2], [1]));
  for (const noise of [1e-6, 1e-3]) {
    const noisy = moves.map((g, i) => Matrix.add(toDense(g), randomMatrix(3, 3, 5 + i).mul(noise)));
    const { noncommutativity, closureResidual } = structure(denseBasis(noisy));
    assert.ok(noncommutativity < 10 * noise && closureResidual < 10 * noise, `${noncommutativity} ${closureResidual}`);
  }
});

test("rotation and translations of images close on smooth images, and on them alone", () => {
  const basis = affine(20, 20, { only: ["translate-x", "translate-y", "rotate"] });
  const onData = structure(basis, { data: blobs(20, 30) });
  assert.ok(onData.closureResidual < 2e-3, `${onData.closureResidual}`);
  assert.ok(structure(basis).closureResidual > 20 * onData.closureResidual);
});

test("misuse", () => {
  throwsCode(() => structure(so(3), { tolerance: 0 }), "ERR_LCONV_ARGUMENT", "tolerance");
  throwsCode(() => structure(so(3), { tolerence: 0.1 } as never), "ERR_LCONV_OPTION", 'did you mean "tolerance"?');
  throwsCode(() => structure(so(3), { data: randomMatrix(4, 2, 1) }), "ERR_LCONV_SHAPE");
  throwsCode(
    () => structure(new Basis([...so(3).generators, sparse(3, [1], [0], [2]), sparse(3, [1], [0], [1])])),
    "ERR_LCONV_ARGUMENT",
    "span only",
  );
});

test.run();
