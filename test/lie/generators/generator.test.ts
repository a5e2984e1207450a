import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Basis, crossGram, denseBasis } from "../../../src/lie/generators/basis.js";
import {
  apply,
  applyTransposed,
  combination,
  dense,
  type Generator,
  inner,
  lowRank,
  permuted,
  scaled,
  sparse,
  toDense,
  trace,
} from "../../../src/lie/generators/generator.js";
import { throwsCode } from "../../support/throws.js";
import { difference, randomMatrix } from "../random.js";

const test = suite("lie/generator");

const d = 7;
const someSparse = sparse(d, [3, 0, 6, 3, 3], [1, 0, 2, 1, 5], [2, -1, 4, 0.5, 3]);
const forms: Generator[] = [dense(randomMatrix(d, d, 1)), lowRank(randomMatrix(d, 2, 2), randomMatrix(2, d, 3)), someSparse];
const X = randomMatrix(d, 4, 4);

test("a sparse generator adds up equal places", () => {
  assert.equal(
    [...someSparse.rows].map((row, k) => [row, someSparse.columns[k], someSparse.values[k]]),
    [
      [0, 0, -1],
      [3, 1, 2.5],
      [3, 5, 3],
      [6, 2, 4],
    ],
  );
});

for (const a of forms) {
  test(`${a.form}: action, adjoint, trace, multiples as those of the matrix`, () => {
    const L = toDense(a);
    assert.ok(difference(apply(a, X), L.mmul(X)) < 1e-14);
    assert.ok(difference(applyTransposed(a, X), L.transpose().mmul(X)) < 1e-14);
    assert.ok(Math.abs(trace(a) - L.trace()) < 1e-13);
    assert.ok(difference(toDense(scaled(a, -2.5)), Matrix.mul(L, -2.5)) < 1e-14);
    throwsCode(() => apply(a, new Matrix(d + 1, 1)), "ERR_LCONV_SHAPE", "7", "8");
  });
  test(`${a.form}: positions in another order`, () => {
    const order = [3, 1, 6, 0, 2, 5, 4];
    const [L, moved] = [toDense(a), toDense(permuted(a, order))];
    for (let mu = 0; mu < d; mu++) for (let nu = 0; nu < d; nu++) assert.is(moved.get(mu, nu), L.get(order[mu], order[nu]));
  });
  for (const b of forms) {
    test(`${a.form} and ${b.form}: inner product and combination as those of the matrices`, () => {
      const [A, B] = [toDense(a), toDense(b)];
      assert.ok(Math.abs(inner(a, b) - A.transpose().mmul(B).trace()) < 1e-12);
      const sum = combination([a, b], [2, -3]);
      assert.ok(difference(toDense(sum), Matrix.sub(Matrix.mul(A, 2), Matrix.mul(B, 3))) < 1e-13);
      assert.is(sum.form, a.form === b.form ? a.form : "dense");
    });
  }
}

test("Gram matrices, over all vectors and over data", () => {
  const [a, b] = [new Basis(forms), new Basis(forms.slice(1))];
  const [G, onData] = [crossGram(a, b), crossGram(a, b, X)];
  forms.forEach((g, i) => {
    b.generators.forEach((other, j) => {
      const [A, B] = [toDense(g), toDense(other)];
      assert.ok(Math.abs(G.get(i, j) - A.transpose().mmul(B).trace()) < 1e-12);
      assert.ok(Math.abs(onData.get(i, j) - A.mmul(X).transpose().mmul(B.mmul(X)).trace() / 4) < 1e-12);
    });
  });
});

test("dependent and zero generators are found, by name", () => {
  const [a, b] = [randomMatrix(d, d, 5), randomMatrix(d, d, 6)];
  throwsCode(() => denseBasis([a, b, Matrix.sub(a, b)]).checkIndependent("here"), "ERR_LCONV_ARGUMENT", "here", "span only 2 dimensions");
  throwsCode(() => denseBasis([a, Matrix.zeros(d, d)], ["one", "none"]).checkIndependent("here"), "ERR_LCONV_ARGUMENT", "none");
  denseBasis([a, b]).checkIndependent("here");
  const blind = Matrix.mul(a, 0);
  blind.set(0, 0, 1); // sees the first position alone
  const unseen = X.clone().setSubMatrix(Matrix.zeros(1, 4), 0, 0);
  throwsCode(() => denseBasis([blind]).checkIndependent("here", unseen), "ERR_LCONV_ARGUMENT", "on these data");
});

test("misuse", () => {
  throwsCode(() => new Basis([]), "ERR_LCONV_ARGUMENT", "none");
  throwsCode(() => denseBasis([randomMatrix(3, 3, 1), randomMatrix(4, 4, 1)]), "ERR_LCONV_SHAPE", "3", "4");
  throwsCode(() => dense(new Matrix(2, 3)), "ERR_LCONV_SHAPE", "2 x 3");
  for (const odd of [[0, 1, -1, 0], [], [[1, 2], [3]], "so(3)", null]) // biome-ignore format: one list
    throwsCode(() => dense(odd as number[][]), "ERR_LCONV_SHAPE", "a Matrix or a list of its rows");
  throwsCode(() => dense([[Number.NaN]]), "ERR_LCONV_ARGUMENT", "NaN");
  throwsCode(() => lowRank(new Matrix(4, 2), new Matrix(3, 4)), "ERR_LCONV_SHAPE", "4 x 2");
  throwsCode(() => sparse(3, [0], [3], [1]), "ERR_LCONV_ARGUMENT", "place 3");
  throwsCode(() => sparse(3, [0], [0], [Number.POSITIVE_INFINITY]), "ERR_LCONV_ARGUMENT", "Infinity");
  throwsCode(() => sparse(3, [0, 1], [0], [1]), "ERR_LCONV_SHAPE", "2 rows");
  throwsCode(() => toDense(sparse(16_384, [0], [1], [1])), "ERR_LCONV_ARGUMENT", "2.1 GB", "apply");
  throwsCode(() => new Basis(forms, ["one"]), "ERR_LCONV_ARGUMENT", "3 generators");
});

test.run();
