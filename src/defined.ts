type Optional<T> = { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };
type Certain<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] };

/** `values` without the entries that are undefined: an optional property may be left out, but not be undefined. */
export const defined = <T extends object>(values: T): Certain<T> & Optional<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Certain<T> & Optional<T>;

/** The entries of `values` that have one of these names, in their order. */
export function pick<T extends object, K extends string>(values: T, names: readonly K[]): Pick<T, Extract<keyof T, K>> {
  const found = names.filter((name): name is Extract<keyof T, K> => Object.hasOwn(values, name));
  return Object.fromEntries(found.map((name) => [name, values[name]])) as Pick<T, Extract<keyof T, K>>;
}
