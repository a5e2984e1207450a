import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RawDataset } from "../../src/data/dataset.js";
import { checkRaw } from "../../src/data/dataset.js";
import { glyphs } from "../../src/data/glyphs.js";
import { fails } from "../io/helpers.js";

const test = suite("data/glyphs");

const image = ({ pixels }: RawDataset, i: number): Uint8Array => Uint8Array.from(pixels.subarray(i * 784, (i + 1) * 784));

/** The share of `held` whose nearest class mean, by Euclid, is theirs. */
function nearestMean(train: RawDataset, held: RawDataset): number {
  const sums = Array.from({ length: 10 }, () => new Float64Array(784));
  const counts = new Float64Array(10);
  for (let i = 0; i < train.count; i++) {
    image(train, i).forEach((pixel, k) => {
      sums[train.labels[i]][k] += pixel;
    });
    counts[train.labels[i]]++;
  }
  let correct = 0;
  for (let i = 0; i < held.count; i++) {
    const pixels = image(held, i);
    const distances = sums.map((sum, label) => pixels.reduce((total, pixel, k) => total + (pixel - sum[k] / counts[label]) ** 2, 0));
    if (distances.indexOf(Math.min(...distances)) === held.labels[i]) correct++;
  }
  return correct / held.count;
}

test("sizes, ranges and labels are those of MNIST", () => {
  const { train, test: held } = glyphs({ train: 2000, test: 300 });
  checkRaw(train);
  checkRaw(held);
  assert.equal([train.count, held.count, train.height, train.width, train.channels, train.classes], [2000, 300, 28, 28, 1, 10]);
  const counts = Array.from({ length: 10 }, (_, digit) => train.labels.filter((label) => label === digit).length);
  assert.ok(Math.min(...counts) > 140 && Math.max(...counts) < 270, String(counts));
  const ink = train.pixels.filter((pixel) => pixel > 100).length / train.pixels.length;
  assert.ok(ink > 0.06 && ink < 0.25, `ink ${ink}`);
});

test("an image depends on seed and index alone", () => {
  const few = glyphs({ train: 30, test: 10 });
  const more = glyphs({ train: 50, test: 20 });
  assert.equal(image(few.train, 29), image(more.train, 29));
  assert.equal(image(few.test, 9), image(more.test, 9));
  assert.not.equal(image(few.train, 0), image(few.test, 0));
  assert.not.equal(image(few.train, 0), image(glyphs({ train: 1, test: 1, seed: 1 }).train, 0));
});

test("can be learned, but not by comparing with the mean of a class", () => {
  const { train, test: held } = glyphs({ train: 3000, test: 500 });
  const accuracy = nearestMean(train, held);
  assert.ok(accuracy > 0.6 && accuracy < 0.95, `nearest class mean reaches ${accuracy}`);
});

test("refuses unknown and senseless options", async () => {
  await fails(() => glyphs({ count: 3 } as never), "ERR_LCONV_OPTION", /unknown option "count"/);
  await fails(() => glyphs({ train: 0 }), "ERR_LCONV_ARGUMENT", /train must be an integer from 1/);
  await fails(() => glyphs({ seed: 1.5 }), "ERR_LCONV_ARGUMENT", /seed/);
});

test.run();
