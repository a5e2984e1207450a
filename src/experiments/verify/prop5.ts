import { Matrix } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { graphFlow } from "../../lie/generators/groups.js";
import { gcnAsLConv } from "../../models/asLConv.js";
import { WeightSource } from "../../nn/init.js";
import { Module } from "../../nn/module.js";
import { tanh } from "../../ops/elementwise.js";
import { matmul } from "../../ops/matmul.js";
import { reshape, transpose } from "../../ops/shape.js";
import { randn } from "../../tensor/random.js";
import { scope } from "../../tensor/scope.js";
import { keep, type Tensor, tensor } from "../../tensor/tensor.js";
import { train } from "./prop3.js";
import { atMost, type Check, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

const [NODES, M_IN, M_OUT, STEPS] = [12, 3, 4, 25];

/** tanh(A h W) by two matrix products, with a dense A. */
class GraphConvolution extends Module {
  readonly #A: Tensor;
  readonly W: Tensor;

  constructor(A: Tensor, W: Tensor) {
    super();
    this.#A = A;
    this.W = W;
  }
  /** h [B, m_in, d] */
  override forward(h: Tensor): Tensor {
    const moved = matmul(h, this.#A, { transB: true }); // [B, m_in, d]
    return tanh(transpose(matmul(transpose(moved), this.W)));
  }
  protected override ownParameters(): Record<string, Tensor> {
    return { W: this.W };
  }
}

/** A graph convolution with each normalisation, and the L-conv layer with the one generator A - I and W^0 = W^1. */
export function prop5(setting: Setting): Verdict {
  return verdict(
    "prop5",
    "A graph convolution with propagation rule A is an L-conv layer with the generator A - I and equal weights for it and for the identity.",
    (["none", "symmetric", "randomWalk"] as const).flatMap((normalization) => compare(setting, normalization)),
  );
}

function compare({ device }: Setting, normalization: "none" | "symmetric" | "randomWalk"): Check[] {
  return scope(() => {
    const edges = randomGraph();
    const model = gcnAsLConv(new WeightSource(device, 1), {
      flow: graphFlow(NODES, edges, { normalization }),
      m_in: M_IN,
      m_out: M_OUT,
      activation: "tanh",
      bias: false,
    });
    const A = tensor(Float32Array.from(normalized(edges, normalization).to1DArray()), { shape: [NODES, NODES], device });
    const W = keep(tensor(model.W.dataSync() as Float32Array, { shape: [M_IN, M_OUT], device, requiresGrad: true }));
    const plain = new GraphConvolution(A, W);
    const [x, target] = [randn([8, M_IN, NODES], { seed: 3, device }), randn([8, M_OUT, NODES], { seed: 4, device })];
    const [one, other] = [train(plain, x, target, STEPS), train(model, reshape(x, [8, M_IN, NODES]), target, STEPS)];
    for (const module of [model, plain]) module.dispose();
    return [
      atMost(`${normalization}: relative error of values`, relativeError(other.values, one.values), 1e-5),
      atMost(`${normalization}: relative error of gradients`, relativeError(other.gradients, one.gradients), 1e-5),
      atMost(`${normalization}: relative error of the losses of ${STEPS} steps`, relativeError(other.losses, one.losses), 1e-4),
    ];
  });
}

type Edge = readonly [row: number, column: number, weight: number];

/** A ring, so that no node is alone, with chords of random weight; both directions of every edge. */
function randomGraph(): Edge[] {
  const random = new Philox(5, streams.user).uniform(NODES);
  const one = Array.from({ length: NODES }, (_, a): Edge => [a, (a + 1) % NODES, 1]);
  const chords = Array.from(random, (weight, a): Edge => [a, (a + 2 + (a % 5)) % NODES, weight]);
  return [...one, ...chords].flatMap(([a, b, w]): Edge[] => [
    [a, b, w],
    [b, a, w],
  ]);
}

/** A, D^-1/2 A D^-1/2 or D^-1 A, from the definition. */
function normalized(edges: readonly Edge[], normalization: "none" | "symmetric" | "randomWalk"): Matrix {
  const A = Matrix.zeros(NODES, NODES);
  for (const [a, b, weight] of edges) A.set(a, b, A.get(a, b) + weight);
  const degrees = A.sum("row");
  if (normalization === "none") return A;
  if (normalization === "randomWalk") return Matrix.diag(degrees.map((x) => 1 / x)).mmul(A);
  const half = Matrix.diag(degrees.map((x) => 1 / Math.sqrt(x)));
  return half.mmul(A).mmul(half);
}
