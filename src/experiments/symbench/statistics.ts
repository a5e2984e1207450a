/** A count among `of`, with the 95 % interval of the share behind it; all null where there is nothing to count. */
export interface Share {
  count: number;
  of: number;
  share: number | null;
  low: number | null;
  high: number | null;
}

const Z = 1.959964; // 97.5 % quantile of a standard normal

/** Wilson's interval, which stays within [0, 1] and is no point at 0 and 1. */
export function shareOf(count: number, of: number): Share {
  if (of === 0) return { count, of, share: null, low: null, high: null };
  const share = count / of;
  const middle = (share + Z ** 2 / (2 * of)) / (1 + Z ** 2 / of);
  const half = (Z / (1 + Z ** 2 / of)) * Math.sqrt((share * (1 - share)) / of + Z ** 2 / (4 * of ** 2));
  return { count, of, share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** Of how many of `items` this is true. */
export const shareWhere = <T>(items: readonly T[], test: (item: T) => boolean): Share => shareOf(items.filter(test).length, items.length);

/** Linear between the order statistics; null of nothing. */
export function quantile(values: readonly number[], level: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = level * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]);
}

/** Those values that are numbers. */
export const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);

/** Items by a key, in order of its first appearance. */
export function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
