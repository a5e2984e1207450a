import { type Native, native } from "../engine/native.js";
import { threadCount } from "../engine/threads.js";
import { check } from "../errors.js";

export interface RotateOptions {
  channels?: number; // images that share an angle; default 1
  order?: 1 | 3; // of the spline; default 3
  threads?: number; // default as of device()
}

/**
 * Rotates images [N, m, p, q] in place, image i with all its channels by degrees[i], as scipy.ndimage.rotate with reshape=False and
 * mode="nearest": spline interpolation of the order, about the centre, counter-clockwise on screen.
 * Throws ERR_LCONV_SHAPE, ERR_LCONV_ARGUMENT (order, threads, angles that are not finite).
 */
export function rotate(
  images: Float32Array,
  height: number,
  width: number,
  degrees: Float64Array,
  options: RotateOptions = {},
  engine: Pick<Native, "rotate"> = native(),
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
