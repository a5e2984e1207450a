import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RawDataset } from "../../src/data/dataset.js";
import { rotate } from "../../src/data/rotate.js";
import { type PrepareOptions, pixelScale, prepare, rotationAngles, scramble, scramblePermutation } from "../../src/data/transform.js";
import { fails } from "../io/helpers.js";
import { rawDataset } from "./fixtures.js";

const test = suite("data/transform");

/** The recipe in plain words, an image at a time. */
function expected(raw: RawDataset, i: number, seed: number, variant: PrepareOptions["variant"]): Float32Array {
  const { channels, height, width } = raw;
  const size = channels * height * width;
  const scale = pixelScale(raw);
  const x = Float32Array.from(raw.pixels.subarray(i * size, (i + 1) * size), (pixel) => pixel / scale - 0.5);
  if (variant !== "default") rotate(x, height, width, rotationAngles(seed, raw.count).subarray(i, i + 1), { channels });
  if (variant === "rotated-scrambled") scramble(x, scramblePermutation(seed, height * width));
  return x;
}

const sampleOf = (
  { x, channels, height, width }: { x: Float32Array; channels: number; height: number; width: number },
  i: number,
): Float32Array => x.slice(i * channels * height * width, (i + 1) * channels * height * width);

test("each variant is the recipe, for one and for three channels, over several blocks", async () => {
  for (const raw of [rawDataset(600), rawDataset(30, 3, 5, 5), rawDataset(10, 3, 200, 150)]) {
    for (const variant of ["default", "rotated", "rotated-scrambled"] as const) {
      const { train, validation } = await prepare({ train: raw }, { variant, seed: 7 });
      assert.equal([train.count, validation.count], [raw.count * 0.8, raw.count * 0.2]);
      assert.equal([train.name, validation.name], ["toy train", "toy validation"]);
      for (const i of [0, 1, 7, train.count - 1]) assert.equal(sampleOf(train, i), expected(raw, i, 7, variant));
      assert.equal(sampleOf(validation, 0), expected(raw, train.count, 7, variant));
      assert.equal([...train.labels, ...validation.labels], [...raw.labels]);
    }
  }
});

test("pixels lie in [-1/2, 1/2] by the largest of the first 100 images", async () => {
  const raw = rawDataset(150);
  raw.pixels.fill(50);
  raw.pixels[99 * 12] = 100;
  raw.pixels[100 * 12] = 200; // beyond the first hundred
  const { train } = await prepare({ train: raw });
  assert.equal([train.x[0], train.x[99 * 12], train.x[100 * 12]], [0, 0.5, 1.5]);
});

test("bytes and floats of the same values give the same samples", async () => {
  const raw = rawDataset(20);
  const floats = { ...raw, pixels: Float32Array.from(raw.pixels) };
  assert.equal((await prepare({ train: floats })).train.x, (await prepare({ train: raw })).train.x);
});

test("a seed gives one data set, whatever is asked for beside it", async () => {
  const raw = rawDataset(50);
  const options = { variant: "rotated-scrambled", seed: 3 } as const;
  const one = await prepare({ train: raw }, options);
  assert.equal(await prepare({ train: raw }, options), one);
  assert.not.equal((await prepare({ train: raw }, { ...options, seed: 4 })).train.x, one.train.x);

  const fewer = await prepare({ train: rawDataset(20) }, options);
  assert.equal(fewer.permutation, one.permutation);
  assert.equal(sampleOf(fewer.train, 5), sampleOf(one.train, 5), "an image keeps its angle");
});

test("the test file has its own angles, the same scale and permutation", async () => {
  const raw = rawDataset(20, 1, 6, 6);
  const brighter = { ...raw, pixels: Uint8Array.from(raw.pixels, (pixel) => Math.min(255, pixel + 60)) };
  const plain = await prepare({ train: raw, test: brighter });
  assert.is(plain.test?.x[0], Math.fround(brighter.pixels[0] / pixelScale(raw) - 0.5));

  const turned = await prepare({ train: raw, test: raw }, { variant: "rotated" });
  assert.not.equal(turned.test?.x.slice(0, 36), turned.train.x.slice(0, 36));
  const mixed = await prepare({ train: raw, test: raw }, { variant: "rotated-scrambled" });
  assert.equal([...(mixed.test?.x.slice(0, 36) ?? [])].sort(), [...(turned.test?.x.slice(0, 36) ?? [])].sort());
  assert.equal(
    mixed.test?.x.slice(0, 36),
    Float32Array.from(mixed.permutation ?? [], (from) => turned.test?.x[from] ?? Number.NaN),
  );
});

test("a scrambled image is the rotated one, its pixels permuted, all channels together", async () => {
  const raw = rawDataset(10, 3, 4, 4);
  const { train, permutation } = await prepare({ train: raw }, { variant: "rotated-scrambled" });
  const rotated = (await prepare({ train: raw }, { variant: "rotated" })).train;
  assert.equal(
    [...(permutation ?? [])].sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, i) => i),
  );
  for (let plane = 0; plane < train.count * 3; plane++) {
    for (let mu = 0; mu < 16; mu++) assert.is(train.x[plane * 16 + mu], rotated.x[plane * 16 + permutation![mu]]);
  }
});

test("angles are uniform over (-90, 90) degrees", () => {
  const degrees = rotationAngles(0, 20_000);
  const mean = degrees.reduce((sum, angle) => sum + angle, 0) / degrees.length;
  const variance = degrees.reduce((sum, angle) => sum + angle ** 2, 0) / degrees.length;
  assert.ok(degrees.every((angle) => angle >= -90 && angle < 90));
  assert.ok(Math.abs(mean) < 2, `mean ${mean}`);
  assert.ok(Math.abs(variance / (180 ** 2 / 12) - 1) < 0.03, `variance ${variance}`);
});

test("a seeded split holds out other samples, keeps each with its label and its angle", async () => {
  const raw = rawDataset(40, 1, 5, 5);
  raw.labels.forEach((_, i) => {
    raw.labels[i] = i;
  });
  raw.classes = 40;
  for (const variant of ["default", "rotated"] as const) {
    const { train, validation } = await prepare({ train: raw }, { split: "seeded", variant, holdOut: 0.25 });
    assert.equal([train.count, validation.count], [30, 10]);
    assert.equal(
      [...train.labels, ...validation.labels].sort((a, b) => a - b),
      [...raw.labels],
    );
    assert.not.equal([...validation.labels], [...raw.labels.subarray(30)]);
    for (const part of [train, validation])
      part.labels.forEach((label, i) => assert.equal(sampleOf(part, i), expected(raw, label, 0, variant)));
  }
});

test("refuses what cannot be trained on", async () => {
  const raw = rawDataset(10);
  const floats = Float32Array.from(raw.pixels);
  floats[3 * 12 + 5] = Number.POSITIVE_INFINITY;
  await fails(
    () => prepare({ train: { ...raw, pixels: floats } }),
    "ERR_LCONV_DATA",
    /toy train: sample 3 has a pixel that is Infinity \(position 5\)/,
  );
  await fails(() => prepare({ train: { ...raw, classes: 5 } }), "ERR_LCONV_DATA", /sample 5 has label 5, expected 0 to 4/);
  await fails(() => prepare({ train: rawDataset(0) }), "ERR_LCONV_DATA", /at least one sample/);
  await fails(() => prepare({ train: { ...raw, height: 5 } }), "ERR_LCONV_SHAPE", /\[10, 1, 5, 3\] need 150 values, got 120/);
  await fails(() => prepare({ train: { ...raw, labels: new Int32Array(9) } }), "ERR_LCONV_SHAPE", /label for each of 10 samples, got 9/);
  await fails(
    () => prepare({ train: { ...raw, pixels: new Uint8Array(120) } }),
    "ERR_LCONV_DATA",
    /largest pixel of the first 100 images is 0/,
  );
  await fails(() => prepare({ train: rawDataset(1) }), "ERR_LCONV_DATA", /holding out 0\.2 of 1 samples leaves 0 to train on/);
  await fails(() => prepare({ train: raw, test: rawDataset(10, 1, 4, 4) }), "ERR_LCONV_SHAPE", /differ in width: 3 and 4/);
});

test("refuses options nobody knows", async () => {
  const train = rawDataset(10);
  const prepareWith = (options: object): Promise<unknown> => prepare({ train }, options as PrepareOptions);
  await fails(() => prepareWith({ varient: "rotated" }), "ERR_LCONV_OPTION", /unknown option "varient"; did you mean "variant"/);
  await fails(() => prepareWith({ variant: "rotate" }), "ERR_LCONV_ARGUMENT", /unknown variant "rotate"; did you mean "rotated"/);
  await fails(() => prepareWith({ seed: -1 }), "ERR_LCONV_ARGUMENT", /seed must be an integer/);
  await fails(() => prepareWith({ order: 2 }), "ERR_LCONV_ARGUMENT", /order must be 1 or 3, got 2/);
  await fails(() => prepareWith({ split: "first" }), "ERR_LCONV_ARGUMENT", /unknown split "first"; known: last, seeded/);
  await fails(() => prepareWith({ holdOut: 1 }), "ERR_LCONV_ARGUMENT", /holdOut must be between 0 and 1, got 1/);
  await fails(() => prepareWith({ holdOut: Number.NaN }), "ERR_LCONV_ARGUMENT", /holdOut/);
});

test("stops when told to", async () => {
  const reason = new Error("enough");
  try {
    await prepare({ train: rawDataset(1000) }, { signal: AbortSignal.abort(reason) });
    assert.unreachable();
  } catch (error) {
    assert.is(error, reason);
  }
});

test.run();
