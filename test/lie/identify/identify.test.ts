// time limit: 600 s
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox, streams } from "../../../src/engine/random.js";
import { Basis, denseBasis } from "../../../src/lie/generators/basis.js";
import { affine, shifts, translation } from "../../../src/lie/generators/grids.js";
import { so } from "../../../src/lie/generators/groups.js";
import { algebra } from "../../../src/lie/generators/known.js";
import { type Identification, identify } from "../../../src/lie/identify/identify.js";
import { long, some } from "../../support/long.js";
import { throwsCode } from "../../support/throws.js";
import { directSum, perturbed } from "../perturbed.js";
import { blobs, randomMatrix } from "../random.js";

const test = suite("lie/identify");

const of = (name: string): Matrix[] => algebra(name).dense();
const J = new Matrix([
  [0, -1],
  [1, 0],
]);
const unit = (d: number, row: number, column: number): Matrix => {
  const E = Matrix.zeros(d, d);
  E.set(row, column, 1);
  return E;
};
const show = ({ name, certain, alternatives, notes }: Identification): string => JSON.stringify({ name, certain, alternatives, notes });

const rotationAndScaling = [...of("so(3)"), Matrix.eye(3)];
const translations = (k: number): Matrix[] => Array.from({ length: k }, (_, a) => unit(k + 1, a, k));

/** By name, what stands for it; reductive ones keep their name in any coordinates. */
const reductive: Record<string, Matrix[]> = {
  ...Object.fromEntries(
    [
      ...["so(3)", "sl(2)", "so(1,2)", "su(2)", "gl(2)", "u(2)", "so(1,3)", "so(4)", "so(2,2)", "sl(3)", "gl(3)", "su(3)", "su(2,1)"],
      ...["so(5)", "so(1,4)", "so(2,3)", "sp(4)", "u(3)"],
    ].map((name) => [name, of(name)]),
  ),
  "so(3) + R": rotationAndScaling,
  "so(3) + so(2)": directSum(of("so(3)"), [J]),
  "so(3) + so(3)": directSum(of("so(3)"), of("so(3)")),
  "sl(2) + so(3)": directSum(of("so(3)"), of("sl(2)")),
  "so(2)^2": directSum([J], [J]),
  "so(2)^3": directSum([J], [J], [J]),
};

const others: Record<string, Matrix[]> = {
  ...Object.fromEntries(["aff(1)", "se(2)", "iso(1,1)", "sim(2)", "aff(2)", "se(3)", "iso(1,2)", "sim(3)"].map((name) => [name, of(name)])),
  "h(3)": of("heisenberg"),
  "h(5)": of("h(5)"),
  "R^2": translations(2),
  "R^3": translations(3),
  "se(2) + so(3)": directSum(of("se(2)"), of("so(3)")),
  "se(2) + R": directSum(of("se(2)"), [Matrix.eye(1)]),
};

for (const [name, matrices] of Object.entries({ ...reductive, ...others })) {
  test(`${name}, in any basis and with noise up to 1e-3 on every entry`, () => {
    for (const noise of [0, 1e-3, ...(long ? [1e-4, 1e-6] : [])]) {
      for (const seed of noise === 0 || !long ? [1] : [1, 2]) {
        const found = identify(perturbed(matrices, { noise, seed }));
        assert.is(found.name, name, `noise ${noise}, seed ${seed}: ${show(found)}`);
        if (!(name in reductive)) continue;
        assert.equal(found.alternatives, [], `noise ${noise}, seed ${seed}: ${show(found)}`);
        const told = noise === 0 ? found : identify(perturbed(matrices, { noise, seed }), { uncertainty: noise * matrices[0].rows });
        assert.ok(told.name === name && told.certain, `noise ${noise}, seed ${seed}: ${show(told)}`);
      }
    }
  });
}

for (const [name, matrices] of Object.entries(reductive)) {
  test(`${name}, in coordinates ten times as long as wide`, () => {
    for (const noise of [0, 1e-4]) {
      const found = identify(perturbed(matrices, { noise, condition: 10, seed: 3 }));
      assert.is(found.name, name, `noise ${noise}: ${show(found)}`);
    }
  });
}

test("much noise, bad coordinates: the name, or none, or an uncertain one", () => {
  for (const [name, matrices] of some(Object.entries({ ...reductive, ...others }), 3)) {
    for (const noise of [1e-3, 1e-2]) {
      for (const condition of [1, 10]) {
        const found = identify(perturbed(matrices, { noise, condition, seed: 5 }));
        assert.ok(found.name === name || !found.certain, `${name}, noise ${noise}, condition ${condition}: ${show(found)}`);
      }
    }
  }
});

test("direct sums, drawn at random", () => {
  const parts = ["so(3)", "sl(2)", "sl(3)", "so(5)", "su(3)"];
  const random = new Philox(11, streams.user);
  for (let draw = 0; draw < 6; draw++) {
    const [a, b, c] = random.uniform(3);
    const chosen = [a, b].map((u) => parts[Math.floor(u * parts.length)]);
    const matrices = directSum(...chosen.map(of), ...(c < 0.5 ? [[Matrix.eye(1)]] : []));
    const name = [...chosen.sort(), ...(c < 0.5 ? ["R"] : [])].join(" + ");
    const found = identify(perturbed(matrices, { noise: 1e-4, condition: 3, seed: draw }));
    assert.is(found.name, name, show(found));
  }
});

test("misuse", () => {
  throwsCode(() => identify(so(3), { uncertainty: 2 }), "ERR_LCONV_ARGUMENT", "uncertainty");
  throwsCode(() => identify(so(3), { tol: 0.1 } as never), "ERR_LCONV_OPTION", "tol");
});

test("one generator: so(2) where it returns, else R", () => {
  const one = (rows: number[][], uncertainty?: number): Identification => identify(denseBasis([rows]), uncertainty ? { uncertainty } : {});
  assert.equal([one([[0, -1], [1, 0]]).name, one([[0, -1], [1, 0]]).certain], ["so(2)", true]); // biome-ignore format: a matrix
  assert.equal([one([[1, 0], [0, 1]]).name, one([[1, 0], [0, 1]]).certain], ["R", true]); // biome-ignore format: a matrix
  const boost = [[0, 0], [1, 0]]; // biome-ignore format: a matrix
  for (const noise of [0, 1e-6, 1e-4, 1e-3, 1e-2])
    for (const seed of [1, 2, 3]) assert.is(identify(perturbed([new Matrix(boost)], { noise, seed })).name, "R", `${noise}`);
  const two = (ratio: number): Matrix => Matrix.add(directSum([J], [J])[0], Matrix.mul(directSum([J], [J])[1], ratio));
  for (const uncertainty of [1e-2, 1e-4, 1e-6]) {
    const winding = identify(denseBasis([two(Math.SQRT2)]), { uncertainty });
    assert.equal([winding.name, winding.alternatives], ["R", ["so(2)"]], "J + sqrt(2) J never returns");
  }
  assert.is(identify(denseBasis([two(2)]), { uncertainty: 1e-4 }).name, "so(2)");
  assert.is(identify(denseBasis([two(1.5)]), { uncertainty: 1e-4 }).name, "so(2)");
  assert.equal(identify(denseBasis([two(2)])).alternatives, ["so(2)"], "1 : 2 may be a coincidence at one per cent");
  assert.is(identify(translation(21)).name, "so(2)", "a circular shift is a rotation of the circle");
});

test("R^2 by its scalings, as in W1", () => {
  const diagonal = [Matrix.diag([1, 0, 1]), Matrix.diag([0, 1, 1])];
  for (const noise of [0, 1e-6, 1e-4, 1e-3])
    for (const seed of [1, 2, 3]) {
      const found = identify(perturbed(diagonal, { noise, seed }), noise === 0 ? {} : { uncertainty: 3 * noise });
      assert.equal([found.name, found.certain], ["R^2", true], `${noise} ${show(found)}`);
    }
});

test("random spans are no algebra, and the reason is told", () => {
  for (const [d, n] of [
    [6, 3],
    [4, 2],
    [20, 4],
    [60, 3],
  ]) {
    // biome-ignore format: four sizes
    const found = identify(denseBasis(Array.from({ length: n }, (_, seed) => randomMatrix(d, d, seed))));
    assert.is(found.name, "unknown", show(found));
    assert.match(found.notes.join(), "not closed");
  }
});

test("representations that are not the defining one", () => {
  const twice = of("so(3)").map((L) => Matrix.eye(4).kroneckerProduct(L));
  assert.is(identify(perturbed(twice, { noise: 1e-4, condition: 10, seed: 2 })).name, "so(3)");
  const padded = of("so(3)").map((L) => directSum([L], [Matrix.zeros(3, 3)])[0]);
  assert.is(identify(perturbed(padded, { noise: 0, condition: 10, seed: 2 })).name, "so(3)");
});

test("algebras of image generators are named by what they do to smooth images", () => {
  const data = blobs(20, 30);
  assert.is(identify(affine(20, 20, { only: ["translate-x", "translate-y", "rotate"] }), { data }).name, "se(2)");
  assert.is(identify(affine(20, 20), { data }).name, "aff(2)");
  assert.is(identify(affine(20, 20, { only: ["translate-x", "translate-y"] }), { data }).name, "R^2");
  assert.is(identify(shifts([5, 5], [[0, 1], [1, 0]])).name, "R^2"); // biome-ignore format: two offsets
});

test("the larger ones, exact and with noise of 1e-3, in seconds", () => {
  for (const name of some(["so(6)", "so(2,4)", "su(4)", "su(2,2)", "sl(4)", "so(7)", "sp(6)", "iso(1,3)", "gal(3)", "aff(3)"], 2)) {
    for (const noise of [0, 1e-3]) {
      const start = performance.now();
      const found = identify(perturbed(of(name), { noise, seed: 4 }));
      assert.is(found.name, name, `noise ${noise}: ${show(found)}`);
      assert.ok(performance.now() - start < 20_000);
    }
  }
});

test("known algebras by name", () => {
  assert.is(algebra("gl(5)").n_L, 25);
  assert.is(algebra("sp(6)").n_L, 21);
  assert.is(algebra("gal(3)").n_L, 10);
  assert.is(new Basis(algebra("iso(1,3)").generators).n_L, 10);
  throwsCode(() => algebra("so3"), "ERR_LCONV_ARGUMENT", 'did you mean "so(3)"?');
  throwsCode(() => algebra("E8"), "ERR_LCONV_ARGUMENT", "known:");
  throwsCode(() => algebra("sp(3)"), "ERR_LCONV_ARGUMENT", "unknown algebra");
});

test.run();
