import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { usableProcessors } from "../../scripts/processors.mjs";
import { type RotateOptions, rotate, rotateOn } from "../../src/data/rotate.js";
import { readSafetensors } from "../../src/io/safetensors.js";
import { fails } from "../io/helpers.js";
import { skip } from "../support/skip.js";

const test = suite("data/rotate");

const vectors = process.env["LCONV_VECTORS"] ?? fileURLToPath(new URL("../../../shared/vectors/v1", import.meta.url));

/** |a - b| / |b| over all elements. */
function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

test("equals scipy.ndimage.rotate on the vectors", () => {
  const files = existsSync(vectors) ? readdirSync(vectors).filter((file) => file.startsWith("rotate_")) : [];
  if (files.length === 0) return skip(`no rotate vectors in ${vectors}`);
  for (const file of files) {
    const { tensors, metadata } = readSafetensors(join(vectors, file));
    const { degrees, order } = JSON.parse(metadata["attrs"]) as { degrees: number; order: 1 | 3 };
    const [image, rotated] = [tensors.get("image")!, tensors.get("rotated")!];
    const x = Float32Array.from(image.data as Float64Array);
    rotate(x, image.shape[0], image.shape[1], Float64Array.of(degrees), { order });
    const error = relativeError(x, rotated.data as Float64Array);
    assert.ok(error < 1e-5, `${file}: relative error ${error}`);
  }
});

test("every channel of an image turns by its angle, other images by theirs", () => {
  const plane = Float32Array.from({ length: 49 }, (_, i) => Math.sin(i));
  const x = new Float32Array(4 * 49);
  for (let i = 0; i < 4; i++) x.set(plane, i * 49);
  rotate(x, 7, 7, Float64Array.of(30, -50), { channels: 2, threads: 2 });
  assert.equal(x.slice(0, 49), x.slice(49, 98));
  assert.equal(x.slice(98, 147), x.slice(147));
  assert.not.equal(x.slice(0, 49), x.slice(98, 147));
  const alone = plane.slice();
  rotate(alone, 7, 7, Float64Array.of(-50));
  assert.equal(x.slice(147), alone);
});

test("threads: as of device(), and checked alike", async () => {
  const threadsOf = (options: RotateOptions): number => {
    let threads = 0;
    rotateOn({ rotate: (...args) => void (threads = args[7]) }, new Float32Array(4), 2, 2, Float64Array.of(1), options);
    return threads;
  };
  const before = process.env["LCONV_THREADS"];
  try {
    process.env["LCONV_THREADS"] = "3";
    assert.equal([threadsOf({}), threadsOf({ threads: 5 })], [3, 5]);
    delete process.env["LCONV_THREADS"];
    assert.is(threadsOf({}), usableProcessors());
    process.env["LCONV_THREADS"] = "12abc";
    await fails(() => threadsOf({}), "ERR_LCONV_ARGUMENT", /LCONV_THREADS must be an integer from 1 to 1024, got "12abc"/);
  } finally {
    if (before === undefined) delete process.env["LCONV_THREADS"];
    else process.env["LCONV_THREADS"] = before;
  }
  await fails(() => threadsOf({ threads: 0 }), "ERR_LCONV_ARGUMENT", /rotate: threads must be an integer from 1 to 1024, got 0/);
});

test("a quarter turn moves every pixel of a square to its place", () => {
  const x = Float32Array.from({ length: 25 }, (_, i) => i);
  rotate(x, 5, 5, Float64Array.of(90), { order: 1 });
  for (let i = 0; i < 5; i++)
    for (let j = 0; j < 5; j++) assert.ok(Math.abs(x[i * 5 + j] - (j * 5 + 4 - i)) < 1e-4, "counter-clockwise on screen");
});

test("no angle changes nothing; the same on any number of threads", () => {
  const x = Float32Array.from({ length: 64 * 36 }, (_, i) => Math.cos(i * i));
  const still = x.slice();
  rotate(still, 6, 6, new Float64Array(64), { order: 1 });
  assert.equal(still, x);
  const degrees = Float64Array.from({ length: 64 }, (_, i) => i * 2.5 - 80);
  const [one, three] = [x.slice(), x.slice()];
  rotate(one, 6, 6, degrees, { threads: 1 });
  rotate(three, 6, 6, degrees, { threads: 3 });
  assert.equal(one, three);
});

test("hands sizes to the engine as it wants them", () => {
  const calls: unknown[][] = [];
  const engine = { rotate: (...values: unknown[]) => void calls.push(values.slice(1)) };
  rotateOn(engine, new Float32Array(2 * 3 * 20), 4, 5, Float64Array.of(1, 2), { channels: 3, order: 1, threads: 2 });
  assert.equal(calls, [[6, 4, 5, Float64Array.of(1, 2), 3, 1, 2]]);
});

test("refuses sizes that do not fit, odd orders and angles", async () => {
  await fails(
    () => rotate(new Float32Array(19), 4, 5, Float64Array.of(1)),
    "ERR_LCONV_SHAPE",
    /1 angles for images \[1, 4, 5\] need 20 pixels, got 19/,
  );
  await fails(
    () => rotate(new Float32Array(20), 4, 5, Float64Array.of(1), { order: 2 as never }),
    "ERR_LCONV_ARGUMENT",
    /order must be 1 or 3, got 2/,
  );
  await fails(() => rotate(new Float32Array(20), 4, 5, Float64Array.of(Number.NaN)), "ERR_LCONV_ARGUMENT", /finite/);
});

test.run();
