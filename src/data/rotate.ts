import { type Native, native } from "../engine/native.js";
import { threadCount } from "../engine/threads.js";
import { check } from "../errors.js";

/** Options of rotate. */
export interface RotateOptions {
  /** Planes of an image, which share its angle. Default 1. */
  channels?: number;
  /** Order of the spline. Default 3. */
  order?: 1 | 3;
  /** Threads, 1 to 1024. Default as for `device`. */
  threads?: number;
}

/**
 * Rotates images [N, m, p, q] in place, image i with all its channels by degrees[i], as scipy.ndimage.rotate with reshape=False and
 * mode="nearest": spline interpolation about the centre, counter-clockwise on screen.
 * Throws ERR_LCONV_SHAPE, and ERR_LCONV_ARGUMENT for the order, the threads, and angles that are not finite.
 */
export function rotate(images: Float32Array, height: number, width: number, degrees: Float64Array, options: RotateOptions = {}): void {
  rotateOn(native(), images, height, width, degrees, options);
}

/** As `rotate`, with the rotation of `engine`. */
export function rotateOn(
  engine: Pick<Native, "rotate">,
  images: Float32Array,
  height: number,
  width: number,
  degrees: Float64Array,
  options: RotateOptions,
): void {
  const { channels = 1, order = 3 } = options;
  const threads = threadCount(options.threads, "rotate");
  const planes = degrees.length * channels;
  const fits = images.length === planes * height * width;
  check(
    fits,
    "ERR_LCONV_SHAPE",
    () =>
      `rotate: ${degrees.length} angles for images [${channels}, ${height}, ${width}] need ${planes * height * width} pixels, got ${images.length}`,
  );
  check(order === 1 || order === 3, "ERR_LCONV_ARGUMENT", () => `rotate: order must be 1 or 3, got ${order}`);
  check(degrees.every(Number.isFinite), "ERR_LCONV_ARGUMENT", () => "rotate: every angle must be a finite number");
  engine.rotate(images, planes, height, width, degrees, channels, order, threads);
}
