// also on a GPU
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { device } from "../../src/engine/device.js";
import { LconvError } from "../../src/errors.js";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { type SparseGenerator, sparse as sparseGenerator } from "../../src/lie/generators/generator.js";
import { shifts } from "../../src/lie/generators/grids.js";
import { so } from "../../src/lie/generators/groups.js";
import {
  Activate,
  Conv2d,
  Flatten,
  LConv,
  type LConvOptions,
  Linear,
  MaxPool2d,
  Reshape,
  Sequential,
  WeightSource,
} from "../../src/nn/index.js";
import { mul } from "../../src/ops/arithmetic.js";
import { conv2d } from "../../src/ops/conv.js";
import { sum } from "../../src/ops/reduce.js";
import { reshape } from "../../src/ops/shape.js";
import { fromTensors } from "../../src/symmetry/tensors.js";
import { randn } from "../../src/tensor/random.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { randomLowRank } from "../lie/random.js";

const test = suite("nn/layers");
const source = (seed = 0): WeightSource => new WeightSource(device(), seed);

function close(got: Tensor, want: Tensor, tolerance = 1e-5): void {
  assert.equal(got.shape, want.shape);
  const [a, b] = [got.dataSync(), want.dataSync()];
  let error = 0;
  let norm = 0;
  for (let i = 0; i < a.length; i++) {
    error += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  assert.ok(Math.sqrt(error) <= tolerance * Math.sqrt(norm) + 1e-12, `relative error ${Math.sqrt(error / norm)}`);
}

/** Shift of a p x q image by (u, v) pixels, zeros moving in: (L h)[i, j] = h[i + u, j + v]. */
function shiftMatrix(p: number, q: number, u: number, v: number): SparseGenerator {
  const rows: number[] = [];
  const columns: number[] = [];
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < q; j++) {
      if (i + u < 0 || i + u >= p || j + v < 0 || j + v >= q) continue;
      rows.push(i * q + j);
      columns.push((i + u) * q + j + v);
    }
  }
  return sparseGenerator(
    p * q,
    rows,
    columns,
    rows.map(() => 1),
  );
}

test("L-conv with shift generators is conv2d (Prop 4): values and gradients", () => {
  scope(() => {
    const [p, q, m_in, m_out] = [6, 5, 2, 3];
    const taps: [number, number][] = [];
    for (let u = -1; u <= 1; u++) for (let v = -1; v <= 1; v++) if (u !== 0 || v !== 0) taps.push([u, v]);
    const matrices = taps.map(([u, v]) => shiftMatrix(p, q, u, v));
    const layer = new LConv(source(), {
      d: p * q,
      m_in,
      m_out,
      generators: new Basis(matrices),
      activation: "linear",
      bias: false,
    });
    // W of the layer [9, m_in, m_out], tap (0, 0) first; kernel of conv2d [m_out, m_in, 3, 3]
    const W = layer.W.dataSync();
    const kernel = new Float32Array(m_out * m_in * 9);
    [[0, 0] as [number, number], ...taps].forEach(([u, v], i) => {
      for (let c = 0; c < m_in; c++)
        for (let a = 0; a < m_out; a++) kernel[((a * m_in + c) * 3 + u + 1) * 3 + v + 1] = W[(i * m_in + c) * m_out + a];
    });
    const h = randn([4, m_in, p * q], { seed: 3 });
    h.requiresGrad = true;
    const c = randn([4, m_out, p * q], { seed: 4 });
    const K = tensor(kernel, { shape: [m_out, m_in, 3, 3], requiresGrad: true });
    const byShifts = layer.forward(h);
    const byConvolution = reshape(conv2d(reshape(h, [4, m_in, p, q]), K, { padding: "same" }), [4, m_out, p * q]);
    close(byShifts, byConvolution);
    const project = (y: Tensor): Tensor => sum(mul(y, c));
    const [dh1, dW] = gradients(project(byShifts), [h, layer.W]);
    const [dh2, dK] = gradients(project(byConvolution), [h, K]);
    close(dh1, dh2);
    const dk = dK.dataSync();
    const dw = dW.dataSync();
    [[0, 0] as [number, number], ...taps].forEach(([u, v], i) => {
      for (let cc = 0; cc < m_in; cc++) {
        for (let a = 0; a < m_out; a++)
          assert.ok(Math.abs(dk[((a * m_in + cc) * 3 + u + 1) * 3 + v + 1] - dw[(i * m_in + cc) * m_out + a]) < 1e-4);
      }
    });
    layer.dispose();
  });
});

test("low-rank, dense and sparse layers of the same generators agree", () => {
  scope(() => {
    const [d, m_in, m_out, n_L, d_h] = [12, 2, 3, 3, 4];
    const low = new LConv(source(), { d, m_in, m_out, generators: { kind: "learned", n_L, d_h }, activation: "tanh" });
    const matrices = fromTensors(low.generators).dense();
    const fixed = new LConv(source(), { d, m_in, m_out, generators: denseBasis(matrices), activation: "tanh" });
    const all = Array.from({ length: d * d }, (_, k) => k);
    const entries = (L: Matrix): SparseGenerator =>
      sparseGenerator(
        d,
        all.map((k) => Math.floor(k / d)),
        all.map((k) => k % d),
        L.to1DArray(),
      );
    const sparse = new LConv(source(), { d, m_in, m_out, generators: new Basis(matrices.map(entries)), activation: "tanh" });
    const given = new LConv(source(), { d, m_in, m_out, generators: fromTensors(low.generators), activation: "tanh" });
    for (const other of [fixed, sparse, given]) {
      other.W.set(low.W.dataSync() as Float32Array);
      close(other.forward(randn([5, m_in, d], { seed: 1 })), low.forward(randn([5, m_in, d], { seed: 1 })));
    }
    assert.equal([...fixed.namedParameters().keys()], ["L", "W", "b"]);
    assert.equal([...given.namedParameters().keys()], ["U", "V", "W", "b"]);
    for (const frozen of [fixed, sparse, given])
      assert.is(frozen.parameterCount(), (n_L + 1) * m_in * m_out + m_out, "given generators are not trained");
    for (const layer of [low, fixed, sparse, given]) layer.dispose();
  });
});

test("given generators may be the start of training, in each form", () => {
  scope(() => {
    const [d, m_in, m_out] = [6, 1, 2];
    for (const basis of [so(d), denseBasis(so(d).dense()), randomLowRank(3, d, 2, 1), mixedRanks(d)]) {
      const layer = new LConv(source(), { d, m_in, m_out, generators: { kind: "given", basis, train: true }, activation: "tanh" });
      const lowRank = layer.generators.form === "lowRank";
      assert.equal(layer.parameters().length, lowRank ? 4 : 3);
      fromTensors(layer.generators)
        .dense()
        .forEach((L, i) => {
          const error = Matrix.sub(L, basis.dense()[i]).norm("frobenius");
          assert.ok(error < 1e-6 * (1 + L.norm("frobenius")), "it starts from the basis");
        });
      const grads = gradients(sum(layer.forward(randn([3, m_in, d], { seed: 1 }))), layer.parameters());
      for (const grad of grads) assert.ok(grad.dataSync().some((x) => x !== 0));
      layer.dispose();
    }
  });
});

const mixedRanks = (d: number): Basis => new Basis([...randomLowRank(1, d, 1, 5).generators, ...randomLowRank(1, d, 3, 7).generators]);

test("sparse generators on 16,384 positions never become dense, and refuse to where they would", () => {
  const basis = shifts([128, 128], [[0, 1]]);
  const layer = new LConv(source(), { d: 16_384, m_in: 1, m_out: 1, generators: basis });
  assert.is(layer.generators.form, "sparse");
  layer.dispose();
  const train = () => new LConv(source(), { d: 16_384, m_in: 1, m_out: 1, generators: { kind: "given", basis, train: true } });
  assert.throws(train, (error: unknown) => error instanceof LconvError && /2\.1 GB.*low rank/.test(error.message));
});

test("frozen random generators get no gradient and stay as drawn", () => {
  scope(() => {
    const layer = new LConv(source(), { d: 9, m_in: 1, m_out: 2, generators: { kind: "random", n_L: 2, d_h: 3 } });
    assert.equal(layer.parameters().length, 2);
    const loss = sum(layer.forward(randn([3, 1, 9])));
    const [dW] = gradients(loss, layer.parameters());
    assert.ok(dW.dataSync().some((x) => x !== 0));
    layer.dispose();
  });
});

test("gelu, which cannot be fused, works in every layer", () => {
  scope(() => {
    const x = randn([2, 1, 16]);
    for (const activation of ["gelu", "leakyRelu", "sigmoid"] as const) {
      const plain = new LConv(source(), {
        d: 16,
        m_in: 1,
        m_out: 2,
        generators: { kind: "learned", n_L: 1, d_h: 2 },
        activation: "linear",
      });
      const fused = new LConv(source(), { d: 16, m_in: 1, m_out: 2, generators: { kind: "learned", n_L: 1, d_h: 2 }, activation });
      close(fused.forward(x), new Activate(activation).forward(plain.forward(x)));
    }
  });
});

test("a convolution without bias keeps its activation", () => {
  scope(() => {
    const x = randn([2, 1, 5, 5], { seed: 1 });
    for (const activation of ["relu", "gelu"] as const) {
      const plain = new Conv2d(source(), 1, 2, { bias: false });
      const active = new Conv2d(source(), 1, 2, { bias: false, activation });
      close(active.forward(x), new Activate(activation).forward(plain.forward(x)));
    }
  });
});

test("Sequential: shapes through a small CNN, names by position", () => {
  scope(() => {
    const model = new Sequential(
      new Reshape(1, 6, 6),
      new Conv2d(source(), 1, 2, { kernel: 3, activation: "relu" }),
      new MaxPool2d(),
      new Flatten(),
      new Linear(source(), 8, 3),
    );
    assert.equal(model.forward(randn([4, 1, 36])).shape, [4, 3]);
    assert.equal([...model.namedParameters().keys()], ["1.W", "1.b", "4.W", "4.b"]);
    const saved = model.save();
    const before = model.forward(randn([4, 1, 36])).dataSync();
    for (const t of model.parameters()) t.set(new Float32Array(t.size));
    model.load(saved);
    assert.equal(model.forward(randn([4, 1, 36])).dataSync(), before);
    model.dispose();
  });
});

test("modules: a module and all below it, each once", () => {
  const [shared, other] = [new Linear(source(), 2, 2), new Linear(source(), 2, 2)];
  const inner = new Sequential(shared, other);
  const outer = new Sequential(inner, shared);
  const [all, found] = [[outer, inner, shared, other], outer.modules()];
  assert.is(found.length, 4);
  all.forEach((module, i) => {
    assert.is(found[i], module);
  });
  assert.is(shared.modules().length, 1);
  for (const layer of [shared, other]) layer.dispose();
});

test("load refuses missing, foreign and misshapen parameters, and then changes nothing", () => {
  const model = new Linear(source(), 3, 2);
  const good = model.save();
  const code = (values: typeof good): string => {
    try {
      model.load(values);
      return "";
    } catch (error) {
      return error instanceof LconvError ? error.message : String(error);
    }
  };
  assert.match(code(new Map([...good].slice(1))), /"W" of shape \[3, 2\] is missing/);
  assert.match(code(new Map([...good, ["c", { shape: [1], data: new Float32Array(1) }]])), /no parameter "c"/);
  assert.match(code(new Map([...good, ["W", { shape: [2, 3], data: new Float32Array(6) }]])), /\[3, 2\].*\[2, 3\]/);
  assert.equal(model.save(), good);
  model.dispose();
});

const make = (options: Partial<LConvOptions>) => () =>
  new LConv(source(), { d: 9, m_in: 1, m_out: 2, generators: { kind: "learned", n_L: 2, d_h: 3 }, ...options });
const misuse: [string, () => unknown, string, RegExp][] = [
  ["rank 0", make({ generators: { kind: "learned", n_L: 2, d_h: 0 } }), "ERR_LCONV_ARGUMENT", /d_h/],
  ["rank beyond d", make({ generators: { kind: "learned", n_L: 2, d_h: 10 } }), "ERR_LCONV_ARGUMENT", /1 to 9, got 10/],
  ["negative n_L", make({ generators: { kind: "dense", n_L: -1 } }), "ERR_LCONV_ARGUMENT", /n_L/],
  ["given generators on other positions", make({ generators: so(3) }), "ERR_LCONV_SHAPE", /3 positions.*d = 9/],
  ["an unknown kind of generators", make({ generators: { kind: "lerned" } as never }), "ERR_LCONV_ARGUMENT", /"lerned".*learned/],
  ["unknown activation", make({ activation: "rleu" as "relu" }), "ERR_LCONV_ARGUMENT", /did you mean "relu"/],
  ["unknown option", make({ baias: true } as object), "ERR_LCONV_OPTION", /did you mean "bias"/],
  [
    "order VWU for dense",
    () =>
      scope(() =>
        new LConv(source(), { d: 4, m_in: 1, m_out: 1, generators: { kind: "dense", n_L: 1 }, order: "VWU" }).forward(randn([1, 1, 4])),
      ),
    "ERR_LCONV_ARGUMENT",
    /low-rank/,
  ],
  ["wrong d", () => scope(() => make({})().forward(randn([1, 1, 8]))), "ERR_LCONV_SHAPE", /\[1, 1, 8\].*d = 8.*d = 9/],
  ["wrong channels", () => scope(() => make({})().forward(randn([1, 2, 9]))), "ERR_LCONV_SHAPE", /\[3, 2, 2\]|\[3, 1, 2\]/],
];
for (const [title, act, code, message] of misuse) {
  test(`misuse: ${title}`, () => {
    assert.throws(act, (error: unknown) => error instanceof LconvError && error.code === code && message.test(error.message));
  });
}

test.run();
