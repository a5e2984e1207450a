import { inverse, type Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Basis, denseBasis } from "../../src/lie/basis.js";
import { combination } from "../../src/lie/generator.js";
import { affine, shifts, translation } from "../../src/lie/grids.js";
import { affineAlgebra, gl, heisenberg, scaling, se2, sl, so, so13 } from "../../src/lie/groups.js";
import { identify } from "../../src/lie/identify.js";
import { algebra, knownAlgebras } from "../../src/lie/known.js";
import { throwsCode } from "../support/throws.js";
import { blobs, randomMatrix } from "./random.js";

const test = suite("lie/identify");
const mixed = (basis: Basis, C: Matrix): Basis => new Basis(C.to2DArray().map((row) => combination(basis.generators, row)));

const named: Record<string, Basis> = {
  "so(2)": so(2),
  R: scaling(3),
  "R^2": shifts([5, 5], [[0, 1], [1, 0]]), // biome-ignore format: two offsets
  "aff(1)": affineAlgebra(1),
  "so(3)": so(3),
  "sl(2)": sl(2),
  "se(2)": se2(),
  heisenberg: heisenberg(),
  "gl(2)": gl(2),
  "so(1,3)": so13(),
  "so(4)": so(4),
  "aff(2)": affineAlgebra(2),
  "sl(3)": sl(3),
};

for (const [name, basis] of Object.entries(named)) {
  test(`${name} is named in any basis of its span`, () => {
    for (const seed of [0, 1, 2]) {
      const C = randomMatrix(basis.n_L, basis.n_L, 50 + seed);
      const any = seed === 0 ? basis : mixed(basis, C);
      const { name: found, distance, candidates } = identify(any);
      assert.is(found, name, JSON.stringify(candidates));
      assert.ok(distance < 1e-2, `${distance}`);
    }
  });
}

test("so(3) hidden in six dimensions behind a change of coordinates", () => {
  const Q = randomMatrix(6, 6, 9);
  const padded = so(3)
    .dense()
    .map((L) => {
      const big = Q.clone().mul(0);
      big.setSubMatrix(L, 0, 0);
      return Q.mmul(big).mmul(inverse(Q));
    });
  assert.is(identify(denseBasis(padded)).name, "so(3)");
});

test("noise moves the distance, not the name, until it is too much", () => {
  const noisy = (level: number): Basis =>
    denseBasis(so(3).dense().map((L, i) => L.add(randomMatrix(3, 3, 70 + i).mul(level)))); // biome-ignore format: one line
  const [little, some, much] = [1e-3, 1e-2, 1].map((level) => identify(noisy(level)));
  assert.is(little.name, "so(3)");
  assert.ok(little.distance > 1e-5 && little.distance < 0.01, `${little.distance}`);
  assert.is(some.name, "so(3)");
  assert.ok(some.distance > little.distance);
  assert.is(much.name, "none of these");
  assert.ok(much.distance > 0.1);
});

test("random generators are none of these, and the reason is told", () => {
  const found = identify(denseBasis([1, 2, 3].map((seed) => randomMatrix(6, 6, seed))));
  assert.is(found.name, "none of these");
  assert.match(found.notes.join(), "not closed");
  assert.ok(found.candidates.length >= 5);
});

test("an algebra is not taken for its contraction, nor the reverse", () => {
  for (const name of ["sl(2)", "se(2)", "heisenberg", "so(3)"]) {
    const others = identify(algebra(name)).candidates.filter((candidate) => candidate.name !== name);
    assert.ok(
      others.every(({ distance }) => distance > 0.3),
      JSON.stringify(others),
    );
  }
});

test("algebras of image generators are named by what they do to smooth images", () => {
  const data = blobs(20, 30);
  assert.is(identify(affine(20, 20, { only: ["translate-x", "translate-y", "rotate"] }), { data }).name, "se(2)");
  assert.is(identify(affine(20, 20), { data }).name, "aff(2)");
  assert.is(identify(affine(20, 20, { only: ["translate-x", "translate-y"] }), { data }).name, "R^2");
  assert.is(identify(translation(21)).name, "so(2)", "a circular shift is a rotation of the circle");
});

test("known algebras by dimension and by name", () => {
  assert.equal(knownAlgebras(3).map(({ name }) => name).sort(), ["heisenberg", "se(2)", "sl(2)", "so(3)"]); // biome-ignore format: one line
  assert.equal(knownAlgebras(6).map(({ name }) => name).sort(), ["aff(2)", "so(1,3)", "so(4)"]); // biome-ignore format: one line
  assert.is(algebra("gl(5)").n_L, 25);
  throwsCode(() => algebra("so3"), "ERR_LCONV_ARGUMENT", 'did you mean "so(3)"?');
  throwsCode(() => algebra("E8"), "ERR_LCONV_ARGUMENT", "known:");
});

test("misuse", () => {
  throwsCode(() => identify(so(3), { tolerance: 2 }), "ERR_LCONV_ARGUMENT", "tolerance");
  throwsCode(() => identify(so(3), { tol: 0.1 } as never), "ERR_LCONV_OPTION", "tol");
});

test.run();
