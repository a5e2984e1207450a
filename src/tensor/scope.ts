import { AsyncLocalStorage } from "node:async_hooks";

interface Disposable {
  dispose(): void;
}

const current = new AsyncLocalStorage<Set<Disposable>>();

const owners = new WeakMap<Disposable, Set<Disposable>>();

/** Notes that the scope in force, if any, owns `thing`. */
export function own(thing: Disposable): void {
  const scope = current.getStore();
  if (!scope) return;
  scope.add(thing);
  owners.set(thing, scope);
}

/** Takes `thing` away from the scope that owns it, which need not be the one in force: it lives until it is disposed of. */
export function disown(thing: Disposable): void {
  owners.get(thing)?.delete(thing);
}

/**
 * Runs `work` and disposes of every tensor made in it, except those it returns (also in arrays, maps and plain objects), which pass to the
 * scope around it. `work` may be async; scopes follow the chain of awaits. Throws what `work` throws, and then keeps nothing.
 */
export function scope<T>(work: () => T): T {
  const owned = new Set<Disposable>();
  let result: T;
  try {
    result = current.run(owned, work);
  } catch (error) {
    closeScope(owned, undefined);
    throw error;
  }
  if (!(result instanceof Promise)) return closeScope(owned, result);
  return result.then(
    (value) => closeScope(owned, value),
    (error) => {
      closeScope(owned, undefined);
      throw error;
    },
  ) as T;
}

function closeScope<T>(owned: Set<Disposable>, result: T): T {
  const kept = new Set<unknown>();
  collect(result, kept);
  for (const thing of owned) {
    if (kept.has(thing)) own(thing);
    else thing.dispose();
  }
  return result;
}

function collect(value: unknown, into: Set<unknown>): void {
  if (typeof value !== "object" || value === null || into.has(value)) return;
  into.add(value);
  if (Array.isArray(value)) {
    for (const item of value) collect(item, into);
  } else if (value instanceof Map) {
    for (const item of value.values()) collect(item, into);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) collect(item, into);
  }
}
