import { defined } from "../defined.js";
import * as commands from "../engine/commands.js";
import { check, LconvError, showShape } from "../errors.js";
import { type GradNode, keep, Tensor } from "../tensor/tensor.js";

let enabled = true;

/** Runs `work` without recording how its tensors are made, so that no gradients flow through them. Returns what `work` returns. */
export function noGrad<T>(work: () => T): T {
  const before = enabled;
  enabled = false;
  try {
    return work();
  } finally {
    enabled = before;
  }
}

/**
 * Attaches to `output` how it was made. `backward` gets d(loss)/d(output) and returns d(loss)/d(input) for each input, in order;
 * it may return undefined where the input is not tracked. `backwardOfOne`, for operations that make losses, serves where d(loss)/d(output) is 1.
 */
export function attach(
  op: string,
  inputs: readonly Tensor[],
  output: Tensor,
  backward: GradNode["backward"],
  backwardOfOne?: GradNode["backwardOfOne"],
): Tensor {
  const flows = inputs.map((input) => input.tracked);
  if (enabled && flows.includes(true)) output.node = { op, inputs, flows, backward, ...defined({ backwardOfOne }) };
  return output;
}

/**
 * d(loss) / d(x) for each x in `xs`, in their order and of their shapes; zeros for an x that the loss does not depend on.
 * Throws ERR_LCONV_SHAPE for a loss with more than one element, ERR_LCONV_ARGUMENT for one that has no gradient, ERR_LCONV_DISPOSED where a
 * tensor that the loss was made from is gone, as after a `scope` around a part of the loss.
 */
export function gradients(loss: Tensor, xs: readonly Tensor[]): Tensor[] {
  check(
    loss.size === 1,
    "ERR_LCONV_SHAPE",
    () => `gradients: the loss must have one element, got shape ${showShape(loss.shape)}; take its mean or sum`,
  );
  check(
    loss.tracked,
    "ERR_LCONV_ARGUMENT",
    () => "gradients: the loss depends on no tensor with requiresGrad (was it computed inside noGrad?)",
  );
  return noGrad(() => {
    const { found, lent } = walkBack(loss, new Set(xs));
    const taken = new Set(lent.map((t) => t.buffer));
    return xs.map((x) => {
      const dx = found.get(x) ?? filled(x, 0);
      // The backward of a + b returns one tensor for both inputs, and a loss lends what it keeps: who comes second gets a copy, so that each can be
      // changed or disposed of alone.
      const own = taken.has(dx.buffer) ? copyOf(dx) : dx;
      taken.add(own.buffer);
      return own;
    });
  });
}

/** Adds d(loss) / d(x) to `x.grad` of every x with requiresGrad that the loss depends on, as PyTorch does. Throws as `gradients` does. */
export function backward(loss: Tensor): void {
  const leaves = reverseOrder(loss).filter((t) => t.requiresGrad);
  const grads = gradients(loss, leaves);
  leaves.forEach((leaf, i) => {
    const before = leaf.grad;
    leaf.grad = keep(before ? sumOf(before, grads[i]) : grads[i]);
    before?.dispose();
  });
}

/** The gradients that are wanted, and tensors among them that still belong to the node of the loss. */
interface Found {
  found: Map<Tensor, Tensor>;
  lent: Tensor[];
}

function walkBack(loss: Tensor, wanted: ReadonlySet<Tensor>): Found {
  const found = new Map<Tensor, Tensor>();
  const lent: Tensor[] = [];
  const give = (node: GradNode, inputGrads: readonly (Tensor | undefined)[]): void =>
    node.inputs.forEach((input, i) => {
      const dx = inputGrads[i];
      if (!dx || !input.tracked) return;
      const before = found.get(input);
      found.set(input, before ? sumOf(before, dx) : dx);
    });
  const fromOne = wanted.has(loss) ? undefined : loss.node?.backwardOfOne;
  if (!fromOne) found.set(loss, filled(loss, 1));
  for (const t of reverseOrder(loss)) {
    const { node } = t;
    if (!node) continue;
    const dy = found.get(t);
    if (dy) {
      give(
        node,
        gradientsOf(node, () => node.backward(dy)),
      );
    } else if (t === loss && fromOne) {
      const own = gradientsOf(node, fromOne);
      lent.push(...own.filter((dx) => dx !== undefined));
      give(node, own);
    }
    if (!wanted.has(t)) found.delete(t);
  }
  return { found, lent };
}

/** What the backward pass of one operation returns. Throws ERR_LCONV_DISPOSED with its name where it needs a tensor that is gone. */
function gradientsOf(node: GradNode, backward: () => (Tensor | undefined)[]): (Tensor | undefined)[] {
  const gone = (what: string): LconvError =>
    new LconvError(
      "ERR_LCONV_DISPOSED",
      `gradients: the backward pass of ${node.op} needs ${what} that was disposed of; a scope() around a part of a loss frees what its gradient needs: call gradients() in the same scope()`,
    );
  const cut = node.inputs.find((input, i) => node.flows[i] && input.disposed);
  if (cut) throw gone(`a tensor of shape ${showShape(cut.shape)}`);
  try {
    const found = backward();
    if (found.some((dx) => dx?.disposed)) throw gone("a tensor");
    return found;
  } catch (error) {
    throw error instanceof LconvError && error.code === "ERR_LCONV_DISPOSED" ? gone("a tensor") : error;
  }
}

/** All tensors the loss was made from, each after everything that was made from it. Iterative: graphs may be deep. */
function reverseOrder(loss: Tensor): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>([loss]);
  const stack: { t: Tensor; next: number }[] = [{ t: loss, next: 0 }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const input = top.t.node?.inputs[top.next++];
    if (!input) {
      order.push(top.t);
      stack.pop();
    } else if (input.tracked && !seen.has(input)) {
      seen.add(input);
      stack.push({ t: input, next: 0 });
    }
  }
  return order.reverse();
}

function filled(like: Tensor, value: number): Tensor {
  const out = Tensor.empty(like.device, like.shape);
  commands.fill(out.device, out.size, value, out);
  return out;
}

function copyOf(t: Tensor): Tensor {
  const out = Tensor.empty(t.device, t.shape);
  commands.copy(out.device, [out.size], t, [1], out, [1]);
  return out;
}

/** total += term, in place and without a gradient. */
export function addTo(total: Tensor, term: Tensor): void {
  commands.binary(total.device, "add", [total.size], total, [1], term, [1], total);
}

function sumOf(a: Tensor, b: Tensor): Tensor {
  const out = Tensor.empty(a.device, a.shape);
  commands.binary(out.device, "add", [out.size], a, [1], b, [1], out);
  return out;
}
