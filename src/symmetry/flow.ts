import { check, clip, showShape } from "../errors.js";

/** Thousands of turns: beyond, t is no more than a random angle. */
const WIDEST = 1e4;

/** Throws ERR_LCONV_ARGUMENT for a greatest t that is not positive or above 10,000. */
export function checkWidth(where: string, width: unknown): void {
  check(
    typeof width === "number" && width > 0 && width <= WIDEST,
    "ERR_LCONV_ARGUMENT",
    () => `${where}: width must be positive and at most ${WIDEST}, got ${clip(String(width))}`,
  );
}

/** The point that a flow leaves in its place, [d]. Throws ERR_LCONV_ARGUMENT for what is no list of finite numbers, ERR_LCONV_SHAPE. */
export function checkedCenter(where: string, center: ArrayLike<number>, d: number): Float64Array {
  const numbers = typeof center === "object" && center !== null && Array.from(center).every((value) => Number.isFinite(value));
  check(numbers, "ERR_LCONV_ARGUMENT", () => `${where}: center must be finite numbers`);
  check(center.length === d, "ERR_LCONV_SHAPE", () => `${where}: center must be [${d}], got ${showShape([center.length])}`);
  return Float64Array.from(center);
}
