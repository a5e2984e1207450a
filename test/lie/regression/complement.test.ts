import fc from "fast-check";
import { Matrix, QrDecomposition } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { complement } from "../../../src/lie/regression/complement.js";
import { difference, randomMatrix } from "../random.js";

const test = suite("lie/complement");

test("K and its complement are an orthonormal basis of the span of F", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(100), fc.nat(100), fc.nat(1000), (d, a, b, seed) => {
      const r = 1 + (a % d);
      const k = 1 + (b % r);
      const F = new QrDecomposition(randomMatrix(d, r, seed)).orthogonalMatrix;
      const K = F.mmul(new QrDecomposition(randomMatrix(r, k, seed + 1)).orthogonalMatrix);
      if (k === r) return;
      const rest = complement(K, F);
      assert.equal([rest.rows, rest.columns], [d, r - k]);
      assert.ok(difference(rest.transpose().mmul(rest), Matrix.eye(r - k)) < 1e-12);
      assert.ok(difference(Matrix.add(K.mmul(K.transpose()), rest.mmul(rest.transpose())), F.mmul(F.transpose())) < 1e-12);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("axes: the complement of e_1 in R^3 is spanned by e_2 and e_3", () => {
  const rest = complement(Matrix.columnVector([1, 0, 0]), Matrix.eye(3));
  assert.ok(difference(rest.mmul(rest.transpose()), Matrix.diag([0, 1, 1])) < 1e-15);
});

test.run();
