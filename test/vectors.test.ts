// also on a GPU
// Reference vectors in float64, one safetensors file a case: LCONV_VECTORS, else the shared set beside the checkout, else test/fixtures/vectors.
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../src/autograd/autograd.js";
import * as commands from "../src/engine/commands.js";
import { native } from "../src/engine/native.js";
import { readSafetensors } from "../src/io/safetensors.js";
import { denseBasis } from "../src/lie/generators/basis.js";
import { principalAngles } from "../src/lie/generators/canonical.js";
import { structure } from "../src/lie/generators/structure.js";
import { covarianceSymmetries } from "../src/lie/regression/covarianceSymmetries.js";
import { applyFunction } from "../src/ops/apply.js";
import { mul, sub } from "../src/ops/arithmetic.js";
import { biasActivation } from "../src/ops/bias.js";
import { conv2d, maxPool2d } from "../src/ops/conv.js";
import type { Fn, FunctionName } from "../src/ops/elementwise.js";
import { lconv } from "../src/ops/lconv.js";
import { crossEntropy } from "../src/ops/loss.js";
import { linear } from "../src/ops/matmul.js";
import type { Order } from "../src/ops/order.js";
import { sum } from "../src/ops/reduce.js";
import { flatten } from "../src/ops/shape.js";
import { makeOptimizer, type OptimizerName, sgd } from "../src/optim/optimizer.js";
import { scope } from "../src/tensor/scope.js";
import { type Tensor, tensor } from "../src/tensor/tensor.js";
import { assertNear } from "./support/gradcheck.js";
import { skip } from "./support/skip.js";

const VALUE = 1e-5;
const GRADIENT = 1e-4;
const TRAJECTORY = 1e-4;

interface Case {
  kind: string;
  attrs: Record<string, unknown>;
  array(name: string): { shape: number[]; data: Float64Array };
  names: string[];
  float(name: string, requiresGrad?: boolean): Tensor;
  labels(name: string): Tensor;
}

function open(path: string): Case {
  const { tensors, metadata } = readSafetensors(path);
  const array = (name: string) => {
    const found = tensors.get(name);
    assert.ok(found, `${path} has no tensor "${name}"`);
    return { shape: found.shape, data: Float64Array.from(found.data as ArrayLike<number | bigint>, Number) };
  };
  return {
    kind: metadata["case"],
    attrs: JSON.parse(metadata["attrs"] ?? "{}"),
    names: [...tensors.keys()],
    array,
    float: (name, requiresGrad = false) => tensor(Float32Array.from(array(name).data), { shape: array(name).shape, requiresGrad }),
    labels: (name) => tensor(Int32Array.from(array(name).data), { shape: array(name).shape }),
  };
}

const near = (what: string, got: Tensor, want: { shape: number[]; data: Float64Array }, tolerance: number): void => {
  assert.equal([...got.shape], want.shape, `shape of ${what}`);
  assertNear(what, { data: got.dataSync() }, want, tolerance);
};

/** y, and d(sum(y c)) / d(input) for every input that the file has a gradient of. */
function checkLayer(given: Case, layer: (x: Record<string, Tensor>) => Tensor): void {
  scope(() => {
    const names = given.names.filter((name) => given.names.includes(`grad.${name}`));
    const inputs = Object.fromEntries(names.map((name) => [name, given.float(name, true)]));
    const y = layer(inputs);
    near("y", y, given.array("y"), VALUE);
    const grads = gradients(sum(mul(y, given.float("c"))), Object.values(inputs));
    names.forEach((name, i) => {
      near(`grad.${name}`, grads[i], given.array(`grad.${name}`), GRADIENT);
    });
  });
}

/** The activation in the kernel where it can be fused, behind the layer where it cannot. */
function activated(name: FunctionName, layer: (fn: Fn | undefined) => Tensor): Tensor {
  return commands.fusable(name) ? layer({ name }) : applyFunction({ name }, layer(undefined));
}

function checkLconv(given: Case): void {
  const activation = given.attrs["activation"] as FunctionName;
  if (given.kind === "lconv.dense") {
    checkLayer(given, ({ h, L, W, b }) => activated(activation, (fn) => lconv(h, { form: "dense", L }, W, b, { fn })));
    return;
  }
  for (const order of ["auto", "VWU", "VUW"] as (Order | "auto")[]) {
    for (const backwardOrder of ["auto", "VWU", "VUW"] as (Order | "auto")[]) {
      checkLayer(given, ({ h, U, V, W, b }) =>
        activated(activation, (fn) => lconv(h, { form: "lowRank", U, V }, W, b, { fn, order, backwardOrder })),
      );
    }
  }
}

function checkCrossEntropy(given: Case): void {
  scope(() => {
    const logits = given.float("logits", true);
    const loss = crossEntropy(logits, given.labels("labels"));
    near("loss", loss, given.array("loss"), VALUE);
    near("grad.logits", gradients(loss, [logits])[0], given.array("grad.logits"), GRADIENT);
  });
}

/** 25 steps on f(w) = 0.5 sum(s (w - w0)^2). */
function checkOptimizer(given: Case): void {
  const {
    name,
    lr,
    momentum,
    nesterov,
    weight_decay: weightDecay,
    betas,
    eps: epsilon,
    alpha: rho,
  } = given.attrs as Record<string, number> & { name: string; betas?: number[]; nesterov?: boolean };
  const options = { lr, momentum, nesterov, weightDecay, beta1: betas?.[0], beta2: betas?.[1], epsilon, rho };
  const known = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { shape, data } = given.array("trajectory");
  const [rows, n] = shape;
  scope(() => {
    const [s, w0] = [given.float("s"), given.float("w0")];
    const w = tensor(Float32Array.from(data.subarray(0, n)), { requiresGrad: true });
    const optimizer = makeOptimizer(name.split("_")[0] as OptimizerName, [w], known);
    const got = [...w.dataSync()];
    for (let step = 1; step < rows; step++) {
      scope(() => {
        const difference = sub(w, w0);
        optimizer.step(gradients(mul(sum(mul(s, mul(difference, difference))), 0.5), [w]));
      });
      got.push(...w.dataSync());
    }
    assertNear("trajectory", { data: got }, { data }, TRAJECTORY);
    optimizer.dispose();
  });
}

/** L-conv, ReLU, a linear classifier; the loss before each of the SGD steps, and the weights after all. */
function checkNetwork(given: Case): void {
  const names = ["U", "V", "W", "b", "Wc", "bc"];
  scope(() => {
    const [x, labels] = [given.float("x"), given.labels("labels")];
    const parameters = names.map((name) => given.float(`init.${name}`, true));
    const [U, V, W, b, Wc, bc] = parameters;
    const optimizer = sgd(parameters, { lr: given.attrs["lr"] as number, momentum: given.attrs["momentum"] as number });
    const { data: want } = given.array("losses");
    const losses = Array.from(want, () =>
      scope(() => {
        const y = lconv(x, { form: "lowRank", U, V }, W, b, { fn: { name: "relu" } });
        const loss = crossEntropy(linear(flatten(y), Wc, bc), labels);
        optimizer.step(gradients(loss, parameters));
        return loss.item();
      }),
    );
    assertNear("losses", { data: losses }, { data: want }, TRAJECTORY);
    names.forEach((name, i) => {
      near(`final.${name}`, parameters[i], given.array(`final.${name}`), TRAJECTORY);
    });
    optimizer.dispose();
  });
}

function checkRotation(given: Case): void {
  const { shape, data } = given.array("image");
  const image = Float32Array.from(data);
  native().rotate(image, 1, shape[0], shape[1], Float64Array.of(given.attrs["degrees"] as number), 1, given.attrs["order"] as number, 1);
  assertNear("rotated", { data: image }, given.array("rotated"), VALUE);
}

/** A tensor [..., rows, columns] as a list of matrices. */
function matrices(given: Case, name: string): Matrix[] {
  const { shape, data } = given.array(name);
  const [rows, columns] = shape.slice(-2);
  const size = rows * columns;
  return Array.from({ length: data.length / size }, (_, i) => Matrix.from1DArray(rows, columns, data.subarray(i * size, (i + 1) * size)));
}

/** All L with L H + H L^T = 0 for H = X X^T / n: the same span as the reference, every L of which is a member. */
function checkCovarianceSymmetry(given: Case): void {
  const [X] = matrices(given, "X");
  const [reference, found] = [matrices(given, "L"), covarianceSymmetries(X, { center: false })];
  assertNear("H", { data: found.covariance.H.to1DArray() }, given.array("H"), VALUE);
  assert.is(found.dimension, reference.length);
  for (const L of reference) assert.ok(found.contains(L, VALUE));
  assert.ok(Math.max(...principalAngles(found.basis(), denseBasis(reference))) < VALUE);
}

/** Structure constants and Killing form of generators in a random basis of their span. */
function checkStructure(given: Case): void {
  const { f, killing, closureResidual } = structure(denseBasis(matrices(given, "L")));
  assertNear("f", { data: f.flat(2) }, given.array("f"), 1e-9);
  assertNear("killing", { data: killing.to1DArray() }, given.array("killing"), 1e-9);
  assert.ok(closureResidual < 1e-6, `${closureResidual}`);
}

const checks: Record<string, (given: Case) => void> = {
  "lconv.lowrank": checkLconv,
  "lconv.dense": checkLconv,
  conv2d: (given) => checkLayer(given, ({ x, W, b }) => biasActivation(conv2d(x, W, { padding: given.attrs["padding"] as number }), b)),
  maxpool2d: (given) => checkLayer(given, ({ x }) => maxPool2d(x, given.attrs as { size: number; stride: number })),
  linear: (given) => checkLayer(given, ({ x, W, b }) => linear(x, W, b)),
  "fc.lowrank": (given) =>
    checkLayer(given, ({ x, V, bV, Z, bZ }) =>
      activated(given.attrs["activation"] as FunctionName, (fn) =>
        linear(
          activated(given.attrs["activation"] as FunctionName, (inner) => linear(x, V, bV, inner)),
          Z,
          bZ,
          fn,
        ),
      ),
    ),
  cross_entropy: checkCrossEntropy,
  optim: checkOptimizer,
  network: checkNetwork,
  rotate: checkRotation,
  covariance_symmetry: checkCovarianceSymmetry,
  structure: checkStructure,
};

const root = fileURLToPath(new URL("../", import.meta.url));
const shared = join(root, "../shared/vectors/v1");
const folder = process.env["LCONV_VECTORS"]
  ? resolve(process.env["LCONV_VECTORS"])
  : existsSync(shared)
    ? shared
    : join(root, "test/fixtures/vectors");

const test = suite("vectors");
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".safetensors")) : [];

test(`${folder} holds vectors`, () => {
  assert.ok(files.length > 0, `no .safetensors file in ${folder}`);
});

for (const name of files.sort()) {
  test(name, () => {
    const given = open(join(folder, name));
    const check = checks[given.kind];
    if (!check) return skip(`${name}: nobody here knows the case "${given.kind}"`);
    check(given);
  });
}

test.run();
