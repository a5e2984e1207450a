// What a program can call in the native engine, as the binary itself tells: nobody has to add a new function to a list.

// biome-ignore lint/complexity/noBannedTypes: anything that can be called
export type Callable = Function;

export interface Target {
  /** "native.philox", "NativeDevice.alloc", "get NativeProgram.commands", "new NativeDevice". */
  name: string;
  /** The class whose instances it is meant for; "native" for the functions of the binary itself. */
  of: string;
  kind: "method" | "get" | "set" | "new";
  call: Callable;
}

type Kind = Target["kind"];

/** After which no program is to start any more (test/engine/leave calls it), and what begins MPI (test/distributed). */
const elsewhere = ["native.endThreads", "native.openGroup"];

/** Every function among the exports but for those, and every method, accessor, static function and constructor of the classes of `instances`. */
export function surface(native: object, instances: readonly object[]): Target[] {
  return [...functionsOf("native", native).filter(({ name }) => !elsewhere.includes(name)), ...instances.flatMap(classOf)];
}

function functionsOf(of: string, holder: object): Target[] {
  return Reflect.ownKeys(holder).flatMap((key) => {
    const { value, get, set } = Object.getOwnPropertyDescriptor(holder, key)!;
    const target = (kind: Kind, prefix: string, call: unknown): Target[] =>
      typeof call === "function" ? [{ name: `${prefix}${of}.${String(key)}`, of, kind, call }] : [];
    return [...(key === "constructor" ? [] : target("method", "", value)), ...target("get", "get ", get), ...target("set", "set ", set)];
  });
}

/** Members along the prototypes of `instance` down to those of JavaScript. */
function classOf(instance: object): Target[] {
  const found: Target[] = [];
  for (let at = Object.getPrototypeOf(instance); at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    const made: Callable = at.constructor;
    const { name } = made;
    found.push({ name: `new ${name}`, of: name, kind: "new", call: made }, ...functionsOf(name, at));
    found.push(...functionsOf(`${name} (static)`, made).filter(({ name }) => !name.endsWith(".prototype")));
  }
  return found;
}
