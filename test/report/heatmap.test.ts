import { suite } from "uvu";
import * as assert from "uvu/assert";
import { colormap, levels, quantize } from "../../src/report/colormap.js";
import { heatmap } from "../../src/report/heatmap.js";
import { imageGrid } from "../../src/report/images.js";
import { assertWellFormed } from "./wellFormed.js";

const missing = levels; // the entry behind them

const test = suite("report/heatmap");
const isShapeError = (error: { code: string }): boolean => error.code === "ERR_LCONV_SHAPE";

test("zero is the middle level, out of range saturates, NaN has its own colour", () => {
  const middle = (levels - 1) / 2;
  assert.equal([...quantize([-9, -1, 0, 1, 9, Number.NaN, Infinity], -1, 1)], [0, 0, middle, levels - 1, levels - 1, missing, levels - 1]);
  assert.equal([...quantize([0, 0, Number.NaN], 0, 0)], [middle, middle, missing]);
  const map = colormap("diverging");
  assert.equal([...map.subarray(3 * middle, 3 * middle + 3)], [247, 247, 247]);
  assert.is(map.length, 3 * 256);
});

test("a 1024 x 1024 map is a picture, not a million elements", () => {
  const values = Float32Array.from({ length: 1024 * 1024 }, (_, i) => Math.sin(i));
  const svg = heatmap(values, 1024, 1024, { title: "L <1>" });
  assertWellFormed(svg);
  assert.ok([...svg.matchAll(/</g)].length < 40);
  assert.match(svg, 'aria-label="L &lt;1&gt;"');
});

test("the scale bar tells the range, and where it saturates", () => {
  assert.match(heatmap([-2, 1], 1, 2, { title: "a" }), ">−2<");
  assert.match(heatmap([-2, 1], 1, 2, { title: "a", limit: 1 }), ">≤ −1<");
  assert.match(heatmap([3, 5], 1, 2, { title: "a", symmetric: false }), ">5<");
  for (const values of [
    [0, 0],
    [Number.NaN, Number.NaN],
  ])
    assertWellFormed(heatmap(values, 1, 2, { title: "constant" }));
  assert.throws(() => heatmap([1, 2, 3], 2, 2, { title: "a" }), isShapeError);
  assert.throws(() => heatmap([], 0, 0, { title: "a" }), isShapeError);
});

for (const m of [1, 2, 3]) {
  test(`images of ${m} channels`, () => {
    const images = Float32Array.from({ length: 3 * m * 4 * 6 }, (_, i) => (i === 5 ? Number.NaN : i));
    const svg = imageGrid(images, {
      title: "inputs",
      shape: [3, m, 4, 6],
      columns: 2,
      labels: ["a", "<b>", "a label that is much too long"],
    });
    assertWellFormed(svg);
    assert.is([...svg.matchAll(/<image/g)].length, 3);
    assert.match(svg, "&lt;b&gt;");
  });
}

test("images that do not fit their shape are an error", () => {
  assert.throws(() => imageGrid(new Float32Array(10), { title: "a", shape: [1, 1, 3, 3] }), isShapeError);
  assert.throws(() => imageGrid(new Float32Array(0), { title: "a", shape: [0, 1, 3, 3] }), isShapeError);
});

test.run();
