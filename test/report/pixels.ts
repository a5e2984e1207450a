import { inflateSync } from "node:zlib";

export interface Pixels {
  width: number;
  height: number;
  /** [height, width]: grey values, or with a palette its indices. */
  values: Uint8Array;
  /** [entries, 3] */
  palette: Uint8Array | undefined;
}

/** Reads an 8-bit PNG of one byte a pixel and unfiltered rows, which is what the reports embed. */
function decodePng(png: Buffer): Pixels {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    chunks.set(png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const header = chunks.get("IHDR")!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const lines = inflateSync(chunks.get("IDAT")!);
  const values = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) values.set(lines.subarray(row * (width + 1) + 1, (row + 1) * (width + 1)), row * width);
  const palette = chunks.get("PLTE");
  return { width, height, values, palette: palette && new Uint8Array(palette) };
}

/** The pictures embedded in a piece of SVG or HTML, in order. */
export const pictures = (markup: string): Pixels[] =>
  [...markup.matchAll(/<image href="data:image\/png;base64,([^"]*)"/g)].map(([, base64]) => decodePng(Buffer.from(base64, "base64")));

/** The `<svg>` of this title in a page. */
export function svgOf(html: string, title: string): string {
  const found = [...html.matchAll(/<svg .*?<\/svg>/gs)].map(([svg]) => svg).filter((svg) => svg.includes(`aria-label="${title}"`));
  if (found.length !== 1) throw new Error(`${found.length} pictures are called "${title}"`);
  return found[0];
}
