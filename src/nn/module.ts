import { clip, LconvError, showShape } from "../errors.js";
import { numel, sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/** The values of one parameter. */
export interface ParameterValues {
  /** Sizes of the axes. */
  shape: readonly number[];
  /** Row-major. */
  data: Float32Array;
}

/** Values by the name of their parameter, as `Module.save` returns them, or a file of them, as `io.readSafetensors` does. */
export type Weights = ReadonlyMap<string, WeightsEntry> | { readonly tensors: ReadonlyMap<string, WeightsEntry> };
/** Values to load, of a type that is checked. */
export interface WeightsEntry {
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** Row-major; a Float32Array, else `load` throws. */
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

/**
 * A part of a network: it maps a tensor to a tensor and may have parameters. Tensors in its fields are its parameters, modules in its
 * fields its sub-modules, and so are those in arrays, maps and plain objects in its fields, by the path to them: "W", "layers.0". Private
 * `#fields` cannot be seen, so a subclass with parts there, or with tensors that are no parameters, overrides `ownParameters` or
 * `children`; what trains, is in a visible field and is missing there throws ERR_LCONV_ARGUMENT as soon as parameters are asked for.
 *
 * @example
 * ```ts
 * import { nn, ops, type Tensor } from "lconv";
 *
 * class Residual extends nn.Module {
 *   constructor(readonly inner: nn.Module) { super(); }
 *   override forward(x: Tensor): Tensor { return ops.add(x, this.inner.forward(x)); }
 * }
 * ```
 */
export abstract class Module {
  /** The result for x; shapes are stated with each module. */
  abstract forward(x: Tensor): Tensor;

  /** Its own parameters by name, trained or frozen, in a fixed order. Default: the tensors in its fields that no gradient leads on from. */
  protected ownParameters(): Record<string, Tensor> {
    const isLeaf = (field: [string, unknown]): field is [string, Tensor] => field[1] instanceof Tensor && field[1].node === undefined;
    return byName(this, [...fieldsOf(this)].filter(isLeaf));
  }
  /** Sub-modules by name, in a fixed order. Default: the modules in its fields. */
  protected children(): Record<string, Module> {
    return byName(
      this,
      [...fieldsOf(this)].filter((field): field is [string, Module] => field[1] instanceof Module),
    );
  }

  /** This module and all below it, each once, in a fixed order. */
  modules(): Module[] {
    return [...modulesBelow(this, (module) => module.children()).keys()];
  }

  /**
   * All parameters, trained or frozen, under names such as "0.U": the path of sub-modules, then the symbol. What two modules share has the
   * first name alone. Throws ERR_LCONV_ARGUMENT where two have the same name, and where a field holds a module or a trained tensor that `children` or `ownParameters` leave out.
   */
  namedParameters(): Map<string, Tensor> {
    const named = new Map<string, Tensor>();
    const seen = new Set<unknown>();
    const below = modulesBelow(this, (module) => module.children());
    for (const [module, path] of below) {
      for (const [name, t] of Object.entries(module.ownParameters())) {
        if (seen.has(t)) continue;
        if (named.has(path + name)) throw twice(this, path + name);
        named.set(path + name, t);
        seen.add(t);
      }
    }
    for (const module of below.keys()) {
      for (const [name, part] of fieldsOf(module)) {
        if (part instanceof Tensor ? part.requiresGrad && !seen.has(part) : !below.has(part)) throw leftOut(module, name, part);
      }
    }
    return named;
  }

  /** The parameters that are trained (requiresGrad). */
  parameters(): Tensor[] {
    return [...this.namedParameters().values()].filter((t) => t.requiresGrad);
  }

  /** Number of trained values. */
  parameterCount(): number {
    return this.parameters().reduce((n, t) => n + t.size, 0);
  }

  /**
   * Sets all parameters by name, from what `save` or `io.readSafetensors` returned. Throws ERR_LCONV_CHECKPOINT for a name that is missing or
   * unknown and for another shape, length or type, ERR_LCONV_ARGUMENT for what holds no values by name, ERR_LCONV_BUSY while a program uses a parameter; then nothing was changed.
   */
  load(weights: Weights): void {
    const values = weights instanceof Map ? weights : (weights as { tensors?: unknown } | null)?.tensors;
    if (!(values instanceof Map))
      throw new LconvError("ERR_LCONV_ARGUMENT", `load: takes what save() or io.readSafetensors() returned, got ${clip(String(weights))}`);
    const named = this.namedParameters();
    for (const [name, t] of named) {
      const value = values.get(name);
      if (!value)
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: parameter "${name}" of shape ${showShape(t.shape)} is missing; the file holds ${[...values.keys()].slice(0, 10).map(clip).join(", ")}`,
        );
      if (!sameShape(value.shape, t.shape))
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: parameter "${name}" has shape ${showShape(t.shape)} in this model and ${showShape(value.shape)} in the file; was the model built with other sizes?`,
        );
      if (!(value.data instanceof Float32Array) || value.data.length !== numel(t.shape))
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: parameter "${name}" needs a Float32Array of ${numel(t.shape)} values, got a ${value.data?.constructor?.name} of ${value.data?.length}`,
        );
    }
    for (const name of values.keys()) {
      if (!named.has(name))
        throw new LconvError(
          "ERR_LCONV_CHECKPOINT",
          `load: this model has no parameter "${clip(name)}"; it has ${[...named.keys()].join(", ")}`,
        );
    }
    const before = new Map<Tensor, Float32Array>();
    for (const [name, t] of named) {
      try {
        const old = t.dataSync() as Float32Array;
        t.set((values.get(name) as ParameterValues).data);
        before.set(t, old);
      } catch (error) {
        for (const [changed, old] of before) changed.set(old);
        if (error instanceof LconvError) throw new LconvError(error.code, `load: parameter "${name}": ${error.message}`);
        throw error;
      }
    }
  }

  /** Copies of all parameters, by name. */
  save(): Map<string, ParameterValues> {
    return new Map([...this.namedParameters()].map(([name, t]) => [name, { shape: t.shape, data: t.dataSync() as Float32Array }]));
  }

  /** Frees all parameters. */
  dispose(): void {
    for (const t of this.namedParameters().values()) t.dispose();
  }
  /** Frees all parameters. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** `top` and the modules below it, each once, with the path to its parameters: "", "0.", "0.inner.". */
function modulesBelow(top: Module, childrenOf: (module: Module) => Record<string, Module>): Map<Module, string> {
  const found = new Map<Module, string>();
  const walk = (module: Module, path: string): void => {
    if (found.has(module)) return;
    found.set(module, path);
    for (const [name, child] of Object.entries(childrenOf(module))) walk(child, `${path}${name}.`);
  };
  walk(top, "");
  return found;
}

/** Tensors and modules in the fields of `module`, with the path to each, in the order of the fields. */
function* fieldsOf(module: Module): Generator<[path: string, part: Tensor | Module]> {
  const seen = new Set<unknown>([module]);
  function* walk(value: unknown, path: string): Generator<[string, Tensor | Module]> {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof Tensor || value instanceof Module) yield [path, value];
    else if (Array.isArray(value) || value instanceof Set) yield* each([...value].entries(), path);
    else if (value instanceof Map) yield* each(value.entries(), path);
    else if (Object.getPrototypeOf(value) === Object.prototype) yield* each(dataOf(value), path);
  }
  function* each(entries: Iterable<[unknown, unknown]>, path: string): Generator<[string, Tensor | Module]> {
    for (const [key, value] of entries) yield* walk(value, path === "" ? String(key) : `${path}.${String(key)}`);
  }
  yield* each(dataOf(module), "");
}

/** The fields of an object without its accessors, which may have effects. */
const dataOf = (object: object): [string, unknown][] =>
  Object.entries(Object.getOwnPropertyDescriptors(object)).map(([name, { value }]) => [name, value]);

function byName<T>(module: Module, parts: readonly (readonly [string, T])[]): Record<string, T> {
  const named = Object.fromEntries(parts);
  const lost = parts.find(([name, part]) => named[name] !== part);
  if (lost) throw twice(module, lost[0]);
  return named;
}

const twice = (module: Module, name: string): LconvError =>
  new LconvError("ERR_LCONV_ARGUMENT", `${module.constructor.name}: two of its parts are called "${name}"; rename a field`);

function leftOut(module: Module, name: string, part: Tensor | Module): LconvError {
  const [what, where] = part instanceof Tensor ? ["a tensor that is trained", "ownParameters()"] : ["a module", "children()"];
  return new LconvError(
    "ERR_LCONV_ARGUMENT",
    `${module.constructor.name}: its field "${name}" holds ${what}, which ${where} leaves out, so it would be neither trained nor saved; return it there, or keep it in a private #field`,
  );
}

/**
 * Modules one after the other; the parameters of the k-th have names that begin with "k.".
 *
 * @example
 * ```ts
 * import { device, nn, randn } from "lconv";
 *
 * const source = new nn.WeightSource(device(), 0);
 * const network = new nn.Sequential(
 *   new nn.Flatten(),
 *   new nn.Linear(source, 784, 64, { activation: "relu" }),
 *   new nn.Linear(source, 64, 10),
 * );
 * const logits = network.forward(randn([32, 1, 784])); // [32, 10]
 * ```
 */
export class Sequential extends Module {
  /** The modules, from the input on. */
  readonly layers: readonly Module[];

  /** The modules remain the caller's to share; `dispose` frees their parameters all the same. */
  constructor(...layers: Module[]) {
    super();
    this.layers = layers;
  }
  override forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y), x);
  }
  protected override children(): Record<string, Module> {
    return Object.fromEntries(this.layers.map((layer, i) => [String(i), layer]));
  }
}
