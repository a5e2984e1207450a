import { check, showShape } from "../errors.js";
import { picture, range } from "./heatmap.js";
import { pngDataUri } from "./png.js";
import { clip, element, escapeText, svg } from "./svg.js";

export interface ImageGridOptions {
  title: string;
  /** [N, m, p, q] of `images`. RGB when m = 3, else the mean over the channels in grey. */
  shape: readonly [N: number, m: number, p: number, q: number];
  columns?: number; // default 10
  size?: number; // drawn height of an image, default 56
  labels?: readonly string[]; // one below each image
  /** The values drawn black and white; default: the least and greatest of all images. */
  range?: readonly [black: number, white: number];
}

/** `images` [N, m, p, q] as SVG text, each an embedded PNG. Throws ERR_LCONV_SHAPE when `shape` does not fit. */
export function imageGrid(images: Float32Array, options: ImageGridOptions): string {
  const { title, shape, labels, size = 56 } = options;
  const [N, m, p, q] = shape;
  check(
    shape.every((n) => n > 0) && images.length === N * m * p * q,
    "ERR_LCONV_SHAPE",
    () => `imageGrid: shape ${showShape(shape)} does not fit ${images.length} values`,
  );
  const [black, white] = options.range ?? range(images);
  const columns = Math.max(1, Math.min(options.columns ?? 10, N));
  const cell = { width: (size * q) / p + 8, height: size + (labels ? 20 : 8) };

  const cells = Array.from({ length: N }, (_, n) => {
    const x = (n % columns) * cell.width + 1;
    const y = Math.floor(n / columns) * cell.height + 1;
    const pixels = toBytes(images.subarray(n * m * p * q, (n + 1) * m * p * q), m, p * q, black, white);
    const below = { x: x + (cell.width - 8) / 2, y: y + size + 13, "text-anchor": "middle", "font-size": 11 };
    const label =
      labels?.[n] === undefined ? "" : element("text", below, escapeText(clip(labels[n], Math.max(2, Math.floor(cell.width / 6)))));
    return picture(pngDataUri({ width: q, height: p, pixels }), x, y, cell.width - 8, size) + label;
  });
  return svg(columns * cell.width, Math.ceil(N / columns) * cell.height, title, element("title", {}, escapeText(title)), ...cells);
}

/** One image [m, d] as bytes [d, 3] or [d, 1]; NaN is black. */
function toBytes(image: Float32Array, m: number, d: number, black: number, white: number): Uint8Array {
  const gain = white > black ? 255 / (white - black) : 0;
  const byte = (value: number): number => Math.min(255, Math.max(0, Math.round((value - black) * gain))) || 0;
  const rgb = m === 3;
  const out = new Uint8Array(rgb ? 3 * d : d);
  for (let mu = 0; mu < d; mu++) {
    if (rgb) for (let c = 0; c < 3; c++) out[3 * mu + c] = byte(image[c * d + mu]);
    else {
      let sum = 0;
      for (let c = 0; c < m; c++) sum += image[c * d + mu];
      out[mu] = byte(sum / m);
    }
  }
  return out;
}
