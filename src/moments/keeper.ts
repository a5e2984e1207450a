import { keep, type Tensor } from "../tensor/tensor.js";

/** Tensors that live until they are disposed of together. */
export class Keeper {
  readonly #tensors: Tensor[] = [];

  keep(t: Tensor): Tensor {
    this.#tensors.push(keep(t));
    return t;
  }
  dispose(): void {
    for (const t of this.#tensors.splice(0)) t.dispose();
  }
}

/** What `work` returns, with a keeper that its result disposes of; where it throws, nothing is kept. */
export async function keeping<T>(work: (keeper: Keeper) => Promise<T>): Promise<T> {
  const keeper = new Keeper();
  try {
    return await work(keeper);
  } catch (error) {
    keeper.dispose();
    throw error;
  }
}
