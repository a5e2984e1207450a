// also on a GPU
import { inverse, Matrix, pseudoInverse } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Device, device as deviceOf } from "../../src/engine/device.js";
import { exp } from "../../src/lie/functions/exponential.js";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { combination, dense, type Generator, lowRank, sparse, toDense } from "../../src/lie/generators/generator.js";
import { affine, shifts, translation } from "../../src/lie/generators/grids.js";
import { scaling, so } from "../../src/lie/generators/groups.js";
import { cnnAsLConv, deepSetsAsLConv } from "../../src/models/asLConv.js";
import { equivarianceNotes, layerEquivariance } from "../../src/models/equivariance.js";
import { makeModel } from "../../src/models/models.js";
import { Activate, activationNames } from "../../src/nn/activation.js";
import { LConv, LConvMax, type LConvOptions, Sequential, WeightSource } from "../../src/nn/index.js";
import { tanh } from "../../src/ops/elementwise.js";
import { equivarianceDefect } from "../../src/symmetry/defect.js";
import { randn } from "../../src/tensor/random.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { randomLowRank, randomMatrix } from "../lie/random.js";
import { everyDevice } from "../support/everyDevice.js";
import { throwsCode } from "../support/throws.js";

const test = suite("models/equivariance");
const source = (device: Device = deviceOf()): WeightSource => new WeightSource(device, 0);
const linear = { m_in: 2, m_out: 3, activation: "linear" as const };
const make = (device: Device, basis: Basis, options: Partial<LConvOptions> = {}): LConv =>
  new LConv(source(device), { ...linear, d: basis.d, generators: basis, ...options });
const near = (what: string, got: number, want: number): void =>
  assert.ok(Math.abs(got - want) <= 1e-5 * Math.max(1, want), `${what}: ${got} is not ${want}`);
/** Of the layer as it is, on white noise. */
const measured = (layer: LConv, L: Generator, device: Device, N = 400): number =>
  scope(() => equivarianceDefect(layer, L, randn([N, layer.W.shape[1], L.d], { device, seed: 5 })).defect);

everyDevice(test, "shifts under translation, Deep Sets under mixed permutations: nothing to say whatever W is", (device) => {
  const cycle = make(device, shifts([9], [[1], [-1], [3]], { boundary: "circular" }));
  const sets = deepSetsAsLConv(source(device), { d: 5, m_in: 2, m_out: 3 });
  const P = sparse(5, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4], [2, 0, 1, 4, 3, 0, 1, 2, 3, 4], [1, 1, 1, 1, 1, -1, -1, -1, -1, -1]);
  for (const [layer, L] of [
    [cycle, translation(9).generators[0]],
    [sets, P],
  ] as const) {
    layer.b?.set([1, 2, 3]);
    const result = layerEquivariance(layer, L);
    assert.equal(result.notes, []);
    assert.ok(Math.max(...result.commutators, result.linear, result.constant) < 1e-6);
    assert.ok(measured(layer, L, device) < 1e-4);
    layer.dispose();
  }
});

/** The definitions on whole matrices: F = sum_i W^i (x) L_i, the span's share by a least-squares fit of all entries. */
function naive(layer: LConv, basis: Basis, L: Matrix) {
  const [n, m_in, m_out] = layer.W.shape;
  const W = layer.W.dataSync();
  const span = [Matrix.eye(basis.d), ...basis.dense()];
  const weights = span.map((_, i) =>
    Matrix.from1DArray(m_in, m_out, [...W.subarray(i * m_in * m_out, (i + 1) * m_in * m_out)]).transpose(),
  );
  const sum = (of: (i: number) => Matrix): Matrix =>
    Array.from({ length: n }, (_, i) => weights[i].kroneckerProduct(of(i))).reduce((all, part) => all.add(part));
  const bracket = (i: number): Matrix => Matrix.sub(L.mmul(span[i]), span[i].mmul(L));
  const columns = new Matrix(span.map((g) => g.to1DArray())).transpose();
  const f = span.slice(1).map((_, i) =>
    pseudoInverse(columns)
      .mmul(Matrix.columnVector(bracket(i + 1).to1DArray()))
      .to1DArray(),
  );
  const inside = (i: number): Matrix =>
    i === 0 ? Matrix.zeros(L.rows, L.rows) : span.map((g, j) => Matrix.mul(g, f[i - 1][j])).reduce((all, part) => all.add(part));
  const scale = Math.hypot(sum((i) => L.mmul(span[i])).norm(), sum((i) => span[i].mmul(L)).norm());
  return {
    f,
    commutators: span.slice(1).map((g, i) => bracket(i + 1).norm() / Math.hypot(L.mmul(g).norm(), g.mmul(L).norm())),
    linear: sum(bracket).norm() / scale,
    inSpan: sum(inside).norm() / scale,
    outOfSpan: sum((i) => Matrix.sub(bracket(i), inside(i))).norm() / scale,
  };
}

const forms: [string, (seed: number) => Generator][] = [
  ["dense", (seed) => dense(randomMatrix(6, 6, seed))],
  ["low rank", (seed) => lowRank(randomMatrix(6, 2, seed), randomMatrix(2, 6, seed + 50))],
  ["sparse", (seed) => sparse(6, [0, 1, 3, 5], [seed % 6, 2, 3, 0], [1, -2, 0.5, seed])],
];

for (const [layerForm, generator] of forms) {
  for (const [form, generatorOfGroup] of forms) {
    everyDevice(test, `${layerForm} generators, ${form} L: all figures equal their definition on whole matrices`, (device) => {
      const basis = new Basis([generator(1), generator(2), generator(3)]);
      const layer = make(device, basis);
      const L = generatorOfGroup(9);
      const got = layerEquivariance(layer, L);
      const want = naive(layer, basis, toDense(L));
      for (const name of ["linear", "inSpan", "outOfSpan"] as const) near(name, got[name], want[name]);
      want.commutators.forEach((value, i) => {
        near(`commutator ${i}`, got.commutators[i], value);
        want.f[i].forEach((entry, j) => {
          near(`f ${i} ${j}`, got.f[i][j], entry);
        });
      });
      near("constant", got.constant, toDense(L).mmul(Matrix.ones(6, 1)).norm() / toDense(L).norm());
      assert.ok(got.linear > 0.1 && measured(layer, L, device) > 0.1);
      assert.match(got.notes.join(), "W: L does not commute with 3 of 3 generators");
      layer.dispose();
    });
  }
}

/** W[i] = c[i] A for one random A. */
function setWeights(layer: LConv, c: readonly number[]): void {
  const [, m_in, m_out] = layer.W.shape;
  const A = randomMatrix(m_in, m_out, 4).to1DArray();
  layer.W.set(Float32Array.from(c.flatMap((factor) => A.map((value) => factor * value))));
}

everyDevice(
  test,
  "an algebra: sum_i f_ij W^i = 0 is where the layer is equivariant, and sum_i Ad(g)_ij W^i = W^j then holds for every t",
  (device) => {
    const [Z, Y, X] = so(3).generators.map(toDense);
    const basis = denseBasis([Matrix.add(Z, X), X, Y]); // L = Z in the basis of Z + X, X, Y
    const layer = make(device, basis, { bias: false });
    const L = dense(Z);
    setWeights(layer, [0.3, 1.5, -1.5, 0]); // 1.5 Z
    const kept = layerEquivariance(layer, L);
    assert.ok(kept.commutators.every((value) => value > 0.1));
    assert.ok(kept.linear < 1e-6 && measured(layer, L, device) < 1e-4, `${kept.linear}`);
    assert.is(kept.notes.length, 1);
    assert.match(kept.notes[0], "the present W does, but training may change it");
    // g L_i g^-1 = sum_j Ad(g)_ij L_j
    const columns = new Matrix(basis.dense().map((g) => g.to1DArray())).transpose();
    const g = exp(L, 0.8);
    const Ad = basis.dense().map((M) =>
      pseudoInverse(columns)
        .mmul(Matrix.columnVector(g.mmul(M).mmul(inverse(g)).to1DArray()))
        .to1DArray(),
    );
    const w = [1.5, -1.5, 0];
    for (let j = 0; j < 3; j++)
      near(
        `Ad ${j}`,
        w.reduce((sum, value, i) => sum + value * Ad[i][j], 0),
        w[j],
      );
    for (const c of [
      [0.3, 1.5, 0, 0],
      [0.3, 1.5, -1.5, 1],
    ]) {
      setWeights(layer, c);
      const broken = layerEquivariance(layer, L);
      assert.ok(broken.linear > 0.1 && measured(layer, L, device) > 0.1);
      near("all in the span", broken.inSpan, broken.linear);
      assert.ok(broken.outOfSpan < 1e-6);
      assert.match(broken.notes[0], "could be avoided by sum_i f_ij W^i = 0");
    }
    setWeights(layer, [0.3, 1.5, -1.5, 0]);
    layer.W.requiresGrad = false;
    assert.equal(layerEquivariance(layer, L).notes, []);
    layer.dispose();
  },
);

everyDevice(test, "commutators outside the span: no W but 0 helps", (device) => {
  const [Z, Y, X] = so(3).generators;
  const layer = make(device, new Basis([X]), { bias: false });
  const result = layerEquivariance(layer, Z);
  assert.ok(result.inSpan < 1e-6 && result.outOfSpan > 0.1);
  setWeights(layer, [1, 0]);
  assert.ok(layerEquivariance(layer, Z).linear < 1e-6);
  layer.dispose();
  const both = make(device, new Basis([X, Y]), { bias: false });
  assert.ok(layerEquivariance(both, Z).outOfSpan < 1e-6, "[Z, X] and [Z, Y] are Y and -X");
  both.dispose();
});

everyDevice(test, "activations: what is said is what is measured", (device) => {
  const d = 6;
  const scales = sparse(d, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [1, -2, 0.5, 3, 0.1, 1]);
  const projections = new Basis([sparse(d, [0, 3], [0, 3], [2, 1]), sparse(d, [5], [5], [1])]); // commute with all scales
  const cycle = shifts([d], [[1], [2]], { boundary: "circular" });
  const [T] = translation(d).generators;
  for (const activation of activationNames) {
    const onScales = make(device, projections, { activation, bias: false });
    const onCycle = make(device, cycle, { activation, bias: false });
    const keepsScales = ["linear", "relu", "leakyRelu"].includes(activation);
    for (const [layer, L, keeps] of [
      [onScales, scales, keepsScales],
      [onScales, scaling(d).generators[0], keepsScales],
      [onCycle, T, activation === "linear"],
    ] as const) {
      const { notes } = layerEquivariance(layer, L);
      const defect = measured(layer, L, device, 40);
      assert.is(notes.length, keeps ? 0 : 1, `${activation}: ${notes.join()}`);
      assert.ok(keeps ? defect < 2e-4 : defect > 0.01, `${activation}: ${defect}`);
      if (!keeps) assert.match(notes[0], new RegExp(`^${activation}: commutes .* only where L .*(is diagonal|= 0)`));
    }
    for (const layer of [onScales, onCycle]) layer.dispose();
  }
});

everyDevice(test, "activations: what they break on a smooth function goes away as its grid gets finer", (device) => {
  const defects = [9, 17, 33].map((n) =>
    scope(() => {
      const wave = (k: number): number[] =>
        Array.from({ length: n }, (_, mu) => {
          const u = (2 * Math.PI * mu) / n;
          return Math.sin(u + k) + 0.5 * Math.cos(2 * u - k * k);
        });
      const x: Tensor = tensor(
        Array.from({ length: 12 }, (_, k) => wave(k)),
        { device },
      );
      return equivarianceDefect(tanh, translation(n).generators[0], x).defect;
    }),
  );
  assert.ok(defects[0] > 1e-2 && defects[1] < defects[0] / 4 && defects[2] < defects[1] / 4, defects.join(", "));
});

everyDevice(test, "bias: kept where L 1 = 0", (device) => {
  const n = 8;
  const [cut] = affine(2, n, { only: ["translate-x"], kind: "finite-difference" }).generators; // zeros come in at the edge
  for (const [L, breaks] of [
    [cut, true],
    [scaling(2 * n).generators[0], true],
    [translation(2 * n).generators[0], false],
  ] as const) {
    const commuting = new Basis([L]);
    const [layer, without] = [make(device, commuting), make(device, commuting, { bias: false })];
    layer.b?.set([1, -1, 2]);
    const { notes, constant } = layerEquivariance(layer, L);
    assert.equal(
      notes.map((note) => note.slice(0, 5)),
      breaks ? ["bias:"] : [],
    );
    assert.is(constant > 1e-3, breaks);
    assert.is(measured(layer, L, device, 40) > 1e-3, breaks);
    assert.equal(layerEquivariance(without, L).notes, []);
    for (const used of [layer, without]) used.dispose();
  }
});

everyDevice(test, "a maximum over generators is named", (device) => {
  const options = { ...linear, d: 9, bias: false, generators: shifts([9], [[1]], { boundary: "circular" }) };
  const layer = new LConvMax(source(device), options);
  const [T] = translation(9).generators;
  assert.match(layerEquivariance(layer, T).notes.join(), /^maximum:/);
  assert.ok(measured(layer, T, device, 40) > 0.05);
  assert.equal(layerEquivariance(layer, scaling(9).generators[0]).notes, []);
  assert.ok(measured(layer, scaling(9).generators[0], device, 40) < 1e-4);
  layer.dispose();
});

everyDevice(test, "tolerance: generators that are only nearly right", (device) => {
  const d = 9;
  const [S] = shifts([d], [[1]], { boundary: "circular" }).dense();
  const noisy = denseBasis([Matrix.add(S, randomMatrix(d, d, 3).mul(1e-4))]);
  const layer = make(device, noisy);
  const [T] = translation(d).generators;
  assert.match(layerEquivariance(layer, T).notes.join(), "L_1");
  assert.equal(layerEquivariance(layer, T, { tolerance: 1e-2 }).notes, []);
  layer.dispose();
});

everyDevice(test, "models: the notes of every layer, in their order", (device) => {
  const input = { channels: 1, height: 4, width: 4, classes: 3 };
  const [L] = affine(4, 4, { only: ["rotate"] }).generators;
  const model = makeModel("lconv", input, device, { layers: 2, filters: 3, generators: 2, rank: 2 });
  const notes = equivarianceNotes(model, L);
  const kinds = notes.map((note) => note.slice(0, note.indexOf(":", 16)));
  assert.equal(
    kinds,
    [1, 2].flatMap((layer) => ["W", "relu", "bias"].map((kind) => `L-conv layer ${layer}: ${kind}`)),
  );
  assert.equal(equivarianceNotes(makeModel("fc", input, device), L), []);
  const strided = makeModel("lconv", input, device, { filters: 3, generators: 2, rank: 2, pool: "strided", layers: 2 });
  const said = equivarianceNotes(strided, L).join("\n");
  assert.match(said, "strided layer: leaves 8 positions");
  assert.match(said, "L-conv layer 2: has 8 positions, L acts on 16");
  const stack = new Sequential(
    cnnAsLConv(source(device), { shape: [9], m_in: 1, m_out: 2, padding: "circular" }),
    new Activate("tanh"),
    new Activate("linear"),
  );
  const told = equivarianceNotes(stack, translation(9).generators[0]);
  assert.is(told.length, 1);
  assert.match(told[0], /^tanh:/);
  for (const used of [model, strided, stack]) used.dispose();
});

test("misuse, and generators that diverged", () => {
  const layer = make(deviceOf(), randomLowRank(2, 6, 2, 1), { generators: { kind: "learned", n_L: 2, d_h: 2 } });
  const L = dense(randomMatrix(6, 6, 1));
  throwsCode(() => layerEquivariance(layer, translation(5).generators[0]), "ERR_LCONV_SHAPE", "5 positions", "layer on 6");
  throwsCode(() => layerEquivariance(layer, combination([L], [0])), "ERR_LCONV_ARGUMENT", "L is zero");
  throwsCode(() => layerEquivariance(layer, L, { tolerence: 1 } as object), "ERR_LCONV_OPTION", 'did you mean "tolerance"?');
  throwsCode(() => equivarianceNotes(layer, L, { tolerence: 1 } as object), "ERR_LCONV_OPTION", "equivarianceNotes");
  (layer.namedParameters().get("U") as Tensor).set(new Float32Array(24).fill(Number.NaN));
  throwsCode(() => layerEquivariance(layer, L), "ERR_LCONV_ARGUMENT", "diverged");
  layer.dispose();
});

test.run();
