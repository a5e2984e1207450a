import { readFileSync } from "node:fs";
import { Matrix } from "ml-matrix";
import * as assert from "uvu/assert";

/** A matrix with its true exponential or logarithm: test/fixtures/lie/expLog.py. */
export interface Case {
  name: string;
  matrix: Matrix;
  true: Matrix;
  scale: number[];
  tolerance: number;
}

export function casesOf(kind: "exp" | "log"): Case[] {
  const cases = JSON.parse(readFileSync(new URL("../../fixtures/lie/expLog.json", import.meta.url), "utf8"))[kind];
  return cases.map((c: { matrix: number[][]; true: number[][] }) => ({ ...c, matrix: new Matrix(c.matrix), true: new Matrix(c.true) }));
}

/** |D^-1 (got - true) D|_1 <= tolerance |D^-1 true D|_1 for D = diag(scale). */
export function assertTrue(got: Matrix, { name, true: truth, scale, tolerance }: Case): void {
  const norm = (A: Matrix): number =>
    Math.max(...scale.map((right, j) => scale.reduce((sum, left, i) => sum + Math.abs(A.get(i, j)) * (right / left), 0)));
  const error = norm(Matrix.sub(got, truth));
  assert.ok(error <= tolerance * norm(truth), `${name}: relative error ${error / norm(truth)}, allowed are ${tolerance}`);
}
