import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dense, lowRank, sparse } from "../../src/lie/generators/generator.js";
import { matrixPicture } from "../../src/report/matrixPicture.js";
import { type Pixels, pictures } from "./pixels.js";
import { assertWellFormed } from "./wellFormed.js";

const test = suite("report/matrixPicture");

const colorAt = ({ width, values, palette }: Pixels, row: number, column: number): number[] => {
  const index = values[row * width + column];
  return [...palette!.subarray(3 * index, 3 * index + 3)];
};
const [blue, white, red] = [
  [5, 48, 97],
  [247, 247, 247],
  [103, 0, 31],
];

test("rows go down, columns to the right; the extremes are red and blue, zero is white", () => {
  const svg = matrixPicture(dense([[0, 4, 0], [-4, 0, 1], [0, 0, 0]]), `L1 <b>&"`); // biome-ignore format: a matrix
  assertWellFormed(svg);
  assert.match(svg, 'aria-label="L1 &lt;b&gt;&amp;&quot;"');
  const [picture] = pictures(svg);
  assert.equal([picture.width, picture.height], [3, 3]);
  assert.equal(colorAt(picture, 0, 1), red);
  assert.equal(colorAt(picture, 1, 0), blue);
  assert.equal(colorAt(picture, 2, 2), white);
  const [r, , b] = colorAt(picture, 1, 2);
  assert.ok(r > b, "positive is reddish");
  assert.match(svg, /<image [^>]*width="219" height="219"/, "whole screen pixels an entry");
});

test("a matrix of zeros is white, without NaN", () => {
  const svg = matrixPicture(sparse(4, [], [], []), "zero");
  assert.equal(colorAt(pictures(svg)[0], 3, 0), white);
  assert.not.match(svg, "NaN");
});

test("a large matrix is averaged over blocks, the short ones at the end too, in every form", () => {
  const d = 601; // blocks of 3, the last one of 1
  const [block, side] = [3, 201];
  const u = Array.from({ length: d }, (_, mu) => (mu === d - 1 ? 9 : mu % 50 === 0 ? Math.sin(mu) : 0));
  const v = Array.from({ length: d }, (_, nu) => (nu >= d - 2 ? -2 : nu % 40 === 1 ? Math.cos(nu) : 0));
  const outer = Matrix.columnVector(u).mmul(Matrix.rowVector(v));
  const means = new Float64Array(side * side);
  for (let a = 0; a < side; a++) {
    for (let b = 0; b < side; b++) {
      let [sum, members] = [0, 0];
      for (let mu = a * block; mu < Math.min(d, (a + 1) * block); mu++)
        for (let nu = b * block; nu < Math.min(d, (b + 1) * block); nu++) [sum, members] = [sum + outer.get(mu, nu), members + 1];
      means[a * side + b] = sum / members;
    }
  }
  const limit = means.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.is(limit, 18, "the greatest one stands in the last block, which has one member");
  const places = Array.from({ length: d * d }, (_, at) => at).filter((at) => u[Math.floor(at / d)] !== 0 && v[at % d] !== 0);
  const forms = {
    dense: dense(outer),
    lowRank: lowRank(Matrix.columnVector(u), Matrix.rowVector(v)),
    sparse: sparse(
      d,
      places.map((at) => Math.floor(at / d)),
      places.map((at) => at % d),
      places.map((at) => outer.get(Math.floor(at / d), at % d)),
    ),
  };
  for (const [form, g] of Object.entries(forms)) {
    const [{ width, height, values }] = pictures(matrixPicture(g, form));
    assert.equal([width, height], [side, side], form);
    const far = means.reduce((most, mean, at) => Math.max(most, Math.abs(values[at] - (127 + (127 * mean) / limit))), 0);
    assert.ok(far <= 0.51, `${form}: a level is off by ${far}`);
  }
});

test.run();
