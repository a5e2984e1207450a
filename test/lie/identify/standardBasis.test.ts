import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { principalAngles } from "../../../src/lie/generators/canonical.js";
import { algebra } from "../../../src/lie/generators/known.js";
import { structure } from "../../../src/lie/generators/structure.js";
import { identify } from "../../../src/lie/identify/identify.js";
import { perturbed } from "../perturbed.js";

const test = suite("lie/standardBasis");

/** Names whose standard basis is that of `algebra`, in its order. */
const asKnown = ["gl(2)", "sl(3)", "sp(4)", "u(2)", "u(3)", "su(3)", "su(2,1)", "se(2)", "se(3)", "iso(1,1)", "iso(1,3)", "sim(2)", "sim(3)", "aff(1)", "aff(2)", "h(3)", "h(5)", "so(2,3)", "so(1,4)"]; // biome-ignore format: one list

for (const name of asKnown) {
  test(`${name}: the textbook's structure constants, of the same span`, () => {
    const expected = structure(algebra(name)).f.flat(2);
    for (const { noise, condition } of [
      { noise: 0, condition: 1 },
      { noise: 0, condition: 5 },
      { noise: 1e-4, condition: 1 },
    ]) {
      // biome-ignore format: three cases
      const basis = perturbed(algebra(name).dense(), { noise, condition, seed: 8 });
      const { standard, name: found } = identify(basis);
      assert.is(found, name);
      if (!standard) throw new Error(`no standard basis with noise ${noise}, condition ${condition}`);
      const { f } = structure(standard.basis);
      const worst = f.flat(2).reduce((most, value, k) => Math.max(most, Math.abs(value - expected[k])), 0);
      assert.ok(worst < 1e-9 + 200 * noise, `${worst}`);
      assert.ok(Math.max(...principalAngles(standard.basis, basis)) < 1e-6, "the span that was found");
      assert.equal(standard.names.length, basis.n_L);
    }
  });
}

test("rotations and boosts of so(1,3) are of the metric that is left alone", () => {
  const { standard } = identify(perturbed(algebra("so(1,3)").dense(), { noise: 1e-5, condition: 5, seed: 3 }));
  assert.equal(standard?.names, ["rotation 1 2", "rotation 1 3", "rotation 2 3", "boost 0 1", "boost 0 2", "boost 0 3"]);
  const traces = standard?.basis.dense().map((L) => L.mmul(L).trace()) ?? [];
  traces.forEach((value, k) => assert.ok(Math.abs(value - (k < 3 ? -2 : 2)) < 1e-2, `${value}`)); // biome-ignore format: one line
});

test("so(3) in any representation: [e1, e2] = e3 and on; sl(2): H, E, F", () => {
  const twice = algebra("so(3)").dense().map((L) => Matrix.eye(2).kroneckerProduct(L)); // biome-ignore format: one line
  const turns = identify(perturbed(twice, { noise: 0, condition: 5, seed: 4 })).standard;
  const [a, b, c] = turns?.basis.dense() ?? [];
  assert.ok(Matrix.sub(a.mmul(b), b.mmul(a)).sub(c).norm("frobenius") < 1e-9);
  const ladder = identify(perturbed(algebra("sl(2)").dense(), { noise: 0, condition: 3, seed: 4 })).standard;
  const [H, E, F] = ladder?.basis.dense() ?? [];
  assert.ok(Matrix.sub(E.mmul(F), F.mmul(E)).sub(H).norm("frobenius") < 1e-9);
  assert.ok(Matrix.sub(H.mmul(E), E.mmul(H)).sub(Matrix.mul(E, 2)).norm("frobenius") < 1e-9);
});

test("none is better than a wrong one", () => {
  assert.is(identify(algebra("gal(3)")).standard, undefined);
});

test.run();
