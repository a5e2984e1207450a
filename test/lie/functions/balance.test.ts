import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { balance, balanced, restored, similar } from "../../../src/lie/functions/balance.js";
import { dense, sparse } from "../../../src/lie/generators/generator.js";
import { randomMatrix } from "../random.js";

const test = suite("lie/balance");

test("undoes a scaling by powers of two up to a few of them, in both forms, and is undone without rounding", () => {
  const A = randomMatrix(6, 6, 1).mul(100);
  const scale = Float64Array.of(1, 2 ** 20, 2 ** -30, 2 ** 7, 2 ** 40, 2 ** -3);
  const bad = restored(A, scale);
  const D = balance(dense(bad), 1);
  assert.ok(D.every((value) => Number.isInteger(Math.log2(value))));
  const ratios = D.map((value, nu) => value / scale[nu] / (D[0] / scale[0]));
  assert.ok(
    ratios.every((ratio) => ratio >= 1 / 8 && ratio <= 8),
    ratios.join(),
  );
  assert.equal(restored(similar(bad, D), D).to2DArray(), bad.to2DArray());
  const places = Array.from({ length: 36 }, (_, k) => k);
  const g = sparse(
    6,
    places.map((k) => Math.floor(k / 6)),
    places.map((k) => k % 6),
    bad.to1DArray(),
  );
  assert.equal(balance(g, 1), D);
  assert.equal(Array.from(balanced(g, D).values), similar(bad, D).to1DArray());
});

test("leaves alone what is well scaled, one-sided, zero, or small beside the floor", () => {
  const one = [1, 1, 1];
  for (const A of [Matrix.zeros(3, 3), Matrix.eye(3).mul(1e300), randomMatrix(3, 3, 2)]) assert.equal([...balance(dense(A), 1)], one);
  const link = Matrix.zeros(3, 3).set(0, 1, 1).set(1, 2, 1).set(2, 0, 1e-160); // a cycle by what is noise beside 1
  assert.equal([...balance(dense(link), 1)], one);
  assert.equal([...balance(dense([[0, 1e100], [0, 0]]), 0)], [1, 1]); // biome-ignore format: a matrix
});

test.run();
