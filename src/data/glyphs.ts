import { inOneGo, type Pieces } from "../engine/breathe.js";
import { Philox, streams } from "../engine/random.js";
import { checkInteger, checkOptions } from "../errors.js";
import type { ImageShape, LoadedDataset, RawDataset } from "./dataset.js";
import { type Point, strokesOf } from "./strokes.js";

/** Options of glyphs. */
export interface GlyphsOptions {
  /** Number of training images, 1 to 10,000,000. Default 12,000. */
  train?: number;
  /** Number of test images, 1 to 10,000,000. Default 2,000. */
  test?: number;
  /** Default 0. */
  seed?: number;
}

const SIDE = 28;
/** What is drawn by default. */
export const glyphsShape: ImageShape = { count: 12_000, channels: 1, height: SIDE, width: SIDE, classes: 10 };
const PIECE = 64; // images drawn in one go
const DRAWS = 1024; // positions of the random stream that belong to one image
const TEST_POSITION = 2 ** 40;

/**
 * Drawn digits 0-9, 28 x 28 grey, made from the seed alone: strokes with random shift, scale, slant, tilt, wobble, thickness and ink,
 * anti-aliased, with pixel noise. Image i of a seed is the same for any counts. Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT.
 */
export const glyphs = (options: GlyphsOptions = {}): Glyphs => inOneGo(drawGlyphs(options));

/** Training and test images. */
export type Glyphs = LoadedDataset & { test: RawDataset };

/** The same in pieces. */
export function* drawGlyphs(options: GlyphsOptions = {}): Pieces<Glyphs> {
  checkOptions("glyphs", options, { train: 1, test: 1, seed: 1 });
  const { train = glyphsShape.count, test = 2_000, seed = 0 } = options;
  checkInteger("glyphs", "train", train, 1, 10_000_000);
  checkInteger("glyphs", "test", test, 1, 10_000_000);
  checkInteger("glyphs", "seed", seed, 0, Number.MAX_SAFE_INTEGER);
  return {
    train: yield* draw("glyphs train", train, seed, 0),
    test: yield* draw("glyphs test", test, seed, TEST_POSITION),
    source: `generated, seed ${seed}`,
  };
}

function* draw(name: string, count: number, seed: number, position: number): Pieces<RawDataset> {
  const pixels = new Uint8Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  const random = new Philox(seed, streams.glyphs, position);
  const u = new Float64Array(DRAWS);
  for (let i = 0; i < count; i++) {
    const bits = random.uint32s(DRAWS);
    for (let k = 0; k < DRAWS; k++) u[k] = bits[k] * 2 ** -32;
    labels[i] = Math.floor(u[0] * 10);
    drawDigit(labels[i], u.subarray(1), pixels.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE));
    if (i % PIECE === PIECE - 1) yield;
  }
  return { ...glyphsShape, name, pixels, labels, count };
}

/** Renders into `out` [28, 28]; `u` are uniform draws, 12 for the pen, then 2 for each point, then one for each pixel. */
function drawDigit(digit: number, u: Float64Array, out: Uint8Array): void {
  const place = placement(u);
  const thickness = 0.75 + 0.95 * u[6]; // half the width of a stroke, in pixels
  const ink = 185 + 70 * u[7];
  const distances = new Float64Array(SIDE * SIDE).fill(4);
  let next = 12;
  for (const stroke of strokesOf(digit, u[8])) {
    const points = stroke.map((point) => {
      const wobble: Point = [point[0] + 0.07 * (u[next] - 0.5), point[1] + 0.07 * (u[next + 1] - 0.5)];
      next += 2;
      return place(wobble);
    });
    for (let i = 1; i < points.length; i++) nearSegment(distances, points[i - 1], points[i], thickness + 1);
  }
  const noise = u.subarray(u.length - SIDE * SIDE);
  for (let i = 0; i < out.length; i++) {
    const coverage = Math.min(Math.max(thickness + 0.5 - distances[i], 0), 1);
    const grain = coverage > 0 ? 50 * (noise[i] - 0.5) : 24 * Math.max(noise[i] - 0.6, 0);
    out[i] = Math.min(Math.max(coverage * ink + grain, 0), 255);
  }
}

/** From the unit square of the strokes (x right, y down, centre 0) to pixels: scale, slant, tilt, then shift. */
function placement(u: Float64Array): (point: Point) => Point {
  const width = 15 * (0.75 + 0.45 * u[0]);
  const height = 20 * (0.8 + 0.3 * u[1]);
  const slant = 0.6 * (u[2] - 0.5);
  const tilt = 0.5 * (u[3] - 0.5);
  const [cos, sin] = [Math.cos(tilt), Math.sin(tilt)];
  const [shiftX, shiftY] = [13.5 + 5 * (u[4] - 0.5), 13.5 + 5 * (u[5] - 0.5)];
  return ([px, py]) => {
    const x = width * px - slant * height * py;
    const y = height * py;
    return [shiftX + cos * x - sin * y, shiftY + sin * x + cos * y];
  };
}

/** Lowers `distances` [28, 28] to the distance from each pixel within `reach` to the segment from a to b. */
function nearSegment(distances: Float64Array, [ax, ay]: Point, [bx, by]: Point, reach: number): void {
  const [dx, dy] = [bx - ax, by - ay];
  const squared = dx * dx + dy * dy || 1;
  const [left, right] = [Math.max(0, Math.ceil(Math.min(ax, bx) - reach)), Math.min(SIDE - 1, Math.floor(Math.max(ax, bx) + reach))];
  const [top, bottom] = [Math.max(0, Math.ceil(Math.min(ay, by) - reach)), Math.min(SIDE - 1, Math.floor(Math.max(ay, by) + reach))];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const t = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / squared, 0), 1);
      const [ex, ey] = [x - ax - t * dx, y - ay - t * dy];
      const distance = Math.sqrt(ex * ex + ey * ey);
      if (distance < distances[y * SIDE + x]) distances[y * SIDE + x] = distance;
    }
  }
}
