import * as commands from "../engine/commands.js";
import { type Device, type DType, device as deviceOf, type HostArray, type Ref } from "../engine/device.js";
import { check, LconvError, showShape } from "../errors.js";
import { flatten, type Nested, nested, nestedShape } from "./nested.js";
import { disown, own } from "./scope.js";
import { checkShape, numel, type Shape } from "./shape.js";
import { showValues } from "./show.js";

/** How a tensor was made, for the backward pass. */
export interface GradNode {
  /** Name of the operation. */
  readonly op: string;
  /** The tensors that it was made from. */
  readonly inputs: readonly Tensor[];
  /** Which of them a gradient flowed through at that time; a tensor that is disposed of forgets it. */
  readonly flows: readonly boolean[];
  /** Gradients of the inputs from the gradient of the output; undefined for inputs that need none. */
  readonly backward: (dy: Tensor) => (Tensor | undefined)[];
  /** The same where the gradient of the output is 1, as for a loss; what it returns may be kept by the node, and is not to be changed. */
  readonly backwardOfOne?: () => (Tensor | undefined)[];
}

/** A buffer and how many tensors look at it (reshape shares). */
class Storage {
  readonly device: Device;
  readonly buffer: number;
  #users = 0;

  constructor(device: Device, elements: number, dtype: DType) {
    this.device = device;
    this.buffer = device.alloc(elements, dtype);
  }
  retain(): void {
    this.#users++;
  }
  release(): void {
    if (--this.#users === 0) this.device.free(this.buffer);
  }
}

/** For tensors outside scopes: frees those that were dropped without dispose(), some time after the garbage collector found them. */
const dropped = new FinalizationRegistry<Storage>((storage) => storage.release());

/** A field that structuredClone and postMessage refuse, with this text: the clone would be an object without values. */
const noClone = (): string => "A Tensor lives on its device; send await tensor.data() and tensor.shape, and make a tensor of them";

/** How a tensor is made. */
export interface TensorOptions {
  /** Sizes of the axes. Default: those of nested arrays, or [n] for a typed array of n values. */
  shape?: Shape;
  /** Type of the elements. Default "int32" for an Int32Array, else "float32". */
  dtype?: DType;
  /** Default `device()`. */
  device?: Device;
  /** Whether `backward` gives the tensor a gradient. Default false. */
  requiresGrad?: boolean;
}

/**
 * A dense row-major array on a device, made by `tensor`, `zeros` and the like, and by operations. Its memory is freed by `dispose`, by the
 * `scope` in which it was made, or some time after it became unreachable. Methods that use the memory throw ERR_LCONV_DISPOSED afterwards.
 */
export class Tensor implements Ref {
  /** Sizes of the axes. */
  readonly shape: Shape;
  /** Type of the elements. */
  readonly dtype: DType;
  /** Whether `backward` gives this tensor a gradient; true for parameters. */
  requiresGrad: boolean;
  /** d(loss) / d(this), set by `backward`; undefined before. */
  grad: Tensor | undefined;
  /** @internal */
  node: GradNode | undefined;
  /** @internal */
  readonly noClone = noClone;
  readonly #storage: Storage;
  #disposed = false;

  private constructor(storage: Storage, shape: Shape, dtype: DType, requiresGrad: boolean) {
    storage.retain();
    this.#storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.requiresGrad = requiresGrad;
    dropped.register(this, storage, this);
    own(this);
  }

  /** A tensor whose values are not set yet. Throws ERR_LCONV_OOM. */
  static empty(device: Device, shape: Shape, dtype: DType = "float32"): Tensor {
    return new Tensor(new Storage(device, numel(shape), dtype), shape, dtype, false);
  }

  /** The device that holds the values. */
  get device(): Device {
    return this.#storage.device;
  }
  /** Number of elements. */
  get size(): number {
    return numel(this.shape);
  }
  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }
  /** Whether the tensor was disposed of. */
  get disposed(): boolean {
    return this.#disposed;
  }
  /** Whether a gradient flows through this tensor. */
  get tracked(): boolean {
    return this.requiresGrad || this.node !== undefined;
  }

  /** Number of the device buffer. Throws ERR_LCONV_DISPOSED. */
  get buffer(): number {
    check(
      !this.#disposed,
      "ERR_LCONV_DISPOSED",
      () => `this tensor of shape ${showShape(this.shape)} was disposed; keep() what must outlive its scope`,
    );
    return this.#storage.buffer;
  }
  /** Always 0: a tensor begins where its buffer does. */
  readonly offset = 0;

  /** The tensor from element `offset` on, as an operand of a command. */
  at(offset: number): Ref {
    return { buffer: this.buffer, offset };
  }

  /** The same values in another shape. It shares memory and carries no gradient; `ops.reshape` does. Throws ERR_LCONV_SHAPE. */
  view(shape: Shape): Tensor {
    checkShape("reshape", shape);
    check(
      numel(shape) === this.size,
      "ERR_LCONV_SHAPE",
      () => `reshape: ${showShape(this.shape)} has ${this.size} elements, ${showShape(shape)} has ${numel(shape)}`,
    );
    void this.buffer;
    return new Tensor(this.#storage, shape, this.dtype, false);
  }

  /** The same values without the graph that made them; shares memory. */
  detach(): Tensor {
    return this.view(this.shape);
  }

  /**
   * A copy of the values as they are now. The CPU copies at once; a GPU is waited for on another thread. Throws ERR_LCONV_BUSY while a
   * program writes the tensor, ERR_LCONV_RECORDING while one is recorded.
   */
  async data(): Promise<Float32Array | Int32Array> {
    if (!this.device.asynchronous || this.device.recording) return this.dataSync();
    const out = this.#host(this.size);
    const now = Tensor.empty(this.device, this.shape, this.dtype); // what follows may write to this tensor before it is read
    try {
      commands.copy(this.device, [this.size], this, [1], now, [1]);
      await this.device.readAsync(now.buffer, out);
      return out;
    } finally {
      now.dispose();
    }
  }

  /** A copy of the values; blocks until they are computed. Throws as `data` does. */
  dataSync(): Float32Array | Int32Array {
    const out = this.#host(this.size);
    this.device.read(this.buffer, out);
    return out;
  }

  /** A copy of `length` elements from `offset` on; blocks until they are computed. Throws as `data` does. */
  slice(offset: number, length: number): Float32Array | Int32Array {
    const out = this.#host(length);
    this.device.read(this.buffer, out, offset);
    return out;
  }

  #host(length: number): Float32Array | Int32Array {
    return this.dtype === "float32" ? new Float32Array(length) : new Int32Array(length);
  }

  /** The value of a tensor with one element. Throws ERR_LCONV_SHAPE for other tensors, and as `data` does. */
  item(): number {
    check(this.size === 1, "ERR_LCONV_SHAPE", () => `item: needs a tensor with one element, got shape ${showShape(this.shape)}`);
    return this.dataSync()[0];
  }

  /**
   * Replaces all values. Throws ERR_LCONV_SHAPE if the length differs, ERR_LCONV_DTYPE for the wrong array type, ERR_LCONV_BUSY while a
   * program uses the tensor, ERR_LCONV_RECORDING while one is recorded.
   */
  set(values: HostArray | readonly number[]): this {
    this.device.write(this.buffer, hostArray("set", values, this.dtype, this.size));
    return this;
  }

  /** Frees this tensor and its gradient now; using it afterwards throws ERR_LCONV_DISPOSED. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.grad?.dispose();
    this.grad = undefined;
    this.node = undefined;
    disown(this);
    dropped.unregister(this);
    this.#storage.release();
  }
  /** Frees this tensor and its gradient now; using it afterwards throws ERR_LCONV_DISPOSED. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A copy of the values as nested arrays of numbers, a number without axes; blocks until they are computed. Throws as `data` does. */
  toArray(): Nested {
    return nested(this.dataSync(), this.shape);
  }

  /** Type, shape and device, without values. */
  toString(): string {
    return `Tensor(${this.dtype}, ${showShape(this.shape)}, ${this.device.name})`;
  }
  /** Prints what `console.log` shows: type, shape, device and values, of more than 1,000 the first and last three of each axis. */
  print(): void {
    console.log(this);
  }
  /** What `console.log` shows; why there are no values where they cannot be read now. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const about = `${this.dtype}, ${showShape(this.shape)}, ${this.device.name}${this.requiresGrad ? ", requiresGrad" : ""}`;
    if (this.#disposed) return `Tensor(${about}, disposed)`;
    try {
      return `Tensor(${about})\n${showValues(this.dataSync(), this.shape)}`;
    } catch (error) {
      if (error instanceof LconvError) return `Tensor(${about}, no values: ${error.code})`;
      throw error;
    }
  }
}

/** Takes `t` out of the scope that owns it, so that it lives until `dispose`. Returns `t`. */
export function keep<T extends Tensor>(t: T): T {
  disown(t);
  return t;
}

export type { Nested };

/**
 * A tensor with the given values: a number, nested arrays, or a Float32Array or Int32Array with `shape`.
 * Throws ERR_LCONV_SHAPE if the values do not fill the shape, ERR_LCONV_DTYPE if the array type is not that of `dtype`, ERR_LCONV_OOM.
 */
export function tensor(values: HostArray | Nested, options: TensorOptions = {}): Tensor {
  const typed = ArrayBuffer.isView(values) ? (values as HostArray) : undefined;
  const flat: HostArray | number[] = typed ?? flatten("tensor", values as Nested);
  const shape = options.shape ?? (typed ? [typed.length] : nestedShape(values as Nested));
  checkShape("tensor", shape);
  const dtype = options.dtype ?? (typed instanceof Int32Array ? "int32" : "float32");
  const host = hostArray("tensor", flat, dtype, numel(shape));
  const made = Tensor.empty(options.device ?? deviceOf(), [...shape], dtype);
  made.set(host);
  made.requiresGrad = options.requiresGrad ?? false;
  return made;
}

/** A tensor with `value` in every place. Throws ERR_LCONV_SHAPE, ERR_LCONV_OOM. */
export function full(shape: Shape, value: number, options: Omit<TensorOptions, "shape"> = {}): Tensor {
  checkShape("full", shape);
  const { device = deviceOf(), dtype = "float32", requiresGrad = false } = options;
  const made = Tensor.empty(device, [...shape], dtype);
  if (dtype === "float32") commands.fill(device, made.size, value, made);
  else made.set(new Int32Array(made.size).fill(value));
  made.requiresGrad = requiresGrad;
  return made;
}
/** A tensor of zeros. Throws as `full` does. */
export const zeros = (shape: Shape, options: Omit<TensorOptions, "shape"> = {}): Tensor => full(shape, 0, options);
/** A tensor of ones. Throws as `full` does. */
export const ones = (shape: Shape, options: Omit<TensorOptions, "shape"> = {}): Tensor => full(shape, 1, options);

function hostArray(where: string, values: HostArray | readonly number[], dtype: DType, size: number): HostArray {
  check(values.length === size, "ERR_LCONV_SHAPE", () => `${where}: expected ${size} values, got ${values.length}`);
  if (Array.isArray(values)) return dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values);
  const fits = dtype === "float32" ? values instanceof Float32Array : values instanceof Int32Array;
  if (fits) return values as HostArray;
  const wanted = dtype === "float32" ? "Float32Array" : "Int32Array";
  throw new LconvError(
    "ERR_LCONV_DTYPE",
    `${where}: a ${dtype} tensor takes a ${wanted}, got ${values.constructor.name}; convert with ${wanted}.from(values)`,
  );
}
