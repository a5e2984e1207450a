/** Evenly spaced anchors of a colour map, interpolated linearly. */
type Anchors = readonly (readonly [r: number, g: number, b: number])[];

/** ColorBrewer RdBu, blue for negative, white at zero, red for positive: told apart by every kind of colour vision. */
const diverging: Anchors = [
  [5, 48, 97],
  [33, 102, 172],
  [67, 147, 195],
  [146, 197, 222],
  [209, 229, 240],
  [247, 247, 247],
  [253, 219, 199],
  [244, 165, 130],
  [214, 96, 77],
  [178, 24, 43],
  [103, 0, 31],
];

/** Viridis. */
const sequential: Anchors = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [109, 205, 89],
  [180, 222, 44],
  [253, 231, 37],
];

/** An odd number of levels, so that zero has the middle one for itself. */
export const levels = 255;

/** The palette entry after the levels, for values that are NaN. */
const missing = levels;

const missingColor = [128, 128, 128] as const;

/** [levels + 1, 3]: the levels from the smallest value to the largest, then the colour of NaN. */
export function colormap(kind: "diverging" | "sequential"): Uint8Array {
  const anchors = kind === "diverging" ? diverging : sequential;
  const out = new Uint8Array(3 * (levels + 1));
  for (let level = 0; level < levels; level++) {
    const at = (level / (levels - 1)) * (anchors.length - 1);
    const left = Math.min(Math.floor(at), anchors.length - 2);
    for (let c = 0; c < 3; c++) out[3 * level + c] = Math.round(anchors[left][c] + (at - left) * (anchors[left + 1][c] - anchors[left][c]));
  }
  out.set(missingColor, 3 * missing);
  return out;
}

/** The level of each value in [min, max]; values outside take the end levels. */
export function quantize(values: ArrayLike<number>, min: number, max: number): Uint8Array {
  const out = new Uint8Array(values.length);
  const slope = max > min ? (levels - 1) / (max - min) : 0;
  for (let i = 0; i < values.length; i++) {
    const level = slope === 0 ? (levels - 1) / 2 : Math.round((values[i] - min) * slope);
    out[i] = Number.isNaN(values[i]) ? missing : Math.min(levels - 1, Math.max(0, level));
  }
  return out;
}
