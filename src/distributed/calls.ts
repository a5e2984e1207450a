import { native } from "../engine/native.js";
import { check, LconvError } from "../errors.js";

/** How values of all ranks become one: their sum, least or greatest, or that of rank 0. */
export type Agreement = "sum" | "min" | "max" | "first";

/** In the order of `reduce` of the native engine; "first" is none of it. */
export const agreements: readonly Agreement[] = ["sum", "min", "max", "first"];
const MOST = 2;

/**
 * What ranks exchange on the host, each call as soon as it is made: the next one has to wait for it. Reject with ERR_LCONV_RANKS where ranks do not call the
 * same with as many values, and with ERR_LCONV_COLLECTIVE where one does not come.
 */
export class Calls {
  readonly rank: number;
  readonly size: number;

  constructor(rank: number, size: number) {
    this.rank = rank;
    this.size = size;
  }

  async agree(values: ArrayLike<number>, how: Agreement): Promise<Float64Array> {
    const own = Float64Array.from(values);
    if (how === "first") return new Float64Array((await this.broadcast(new Uint8Array(own.buffer), 0)).buffer);
    await this.#checkSame(agreements.indexOf(how), own.length);
    return new Float64Array(await native().reduce(agreements.indexOf(how) as 0 | 1 | 2, own));
  }

  async broadcast(bytes: Uint8Array, root: number): Promise<Uint8Array> {
    await this.#checkSame(agreements.length + root, bytes.length);
    return new Uint8Array(await native().broadcast(bytes, root));
  }

  async text(own: string, root: number): Promise<string> {
    const bytes = new TextEncoder().encode(own);
    const [length] = await this.agree([this.rank === root ? bytes.length : 0], "max");
    return new TextDecoder().decode(await this.broadcast(this.rank === root ? bytes : new Uint8Array(length), root));
  }

  async first<T>(task: () => T | Promise<T>): Promise<T> {
    let failure: unknown;
    let message = "";
    if (this.rank === 0) {
      try {
        message = JSON.stringify({ value: await task() });
      } catch (error) {
        failure = error;
        const code = error instanceof LconvError ? error.code : "ERR_LCONV_COLLECTIVE";
        message = JSON.stringify({ error: { code, message: error instanceof Error ? error.message : String(error) } });
      }
    }
    const { value, error } = JSON.parse(await this.text(message, 0)) as { value: T; error?: { code: LconvError["code"]; message: string } };
    if (failure !== undefined) throw failure;
    if (error) throw new LconvError(error.code, `rank 0: ${error.message}`);
    return value;
  }

  /** MPI itself takes 3 values for 5, and a sum for a maximum. */
  async #checkSame(what: number, length: number): Promise<void> {
    const own = what * 2 ** 40 + length;
    const [most, least] = new Float64Array(await native().reduce(MOST, Float64Array.of(own, -own)));
    check(
      most === -least,
      "ERR_LCONV_RANKS",
      () =>
        "the ranks of a group do not call the same: other methods, or lists or bytes of other lengths; call all in the same order on every rank",
    );
  }
}
