// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { type Device, device as deviceOf } from "../../src/engine/device.js";
import { Basis } from "../../src/lie/generators/basis.js";
import { sparse } from "../../src/lie/generators/generator.js";
import {
  type ActivationName,
  LConv,
  LConvMax,
  LConvStrided,
  type LConvStridedOptions,
  type Module,
  WeightSource,
} from "../../src/nn/index.js";
import { mul } from "../../src/ops/arithmetic.js";
import { conv2d, maxPool2d } from "../../src/ops/conv.js";
import { forwardCost } from "../../src/ops/order.js";
import { sum } from "../../src/ops/reduce.js";
import { scope } from "../../src/tensor/scope.js";
import { zeros } from "../../src/tensor/tensor.js";
import { countMultiplyAdds } from "../support/countMultiplyAdds.js";
import { everyDevice } from "../support/everyDevice.js";
import { assertNear, differences, onDevice, toArray64 } from "../support/gradcheck.js";
import { type Array64, array64, build, pointwise, randn, relError } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("nn/pooling");
const source = (device: Device = deviceOf()): WeightSource => new WeightSource(device, 0);

/** Random values for all parameters of `layer`, the bias too; returns them. */
function randomize(layer: Module): Array64[] {
  return [...layer.namedParameters().values()].map((t, i) => {
    const value = randn(t.shape, 40 + i, t.rank > 1 ? 0.5 : 0.2);
    t.set(Float32Array.from(value.data));
    return value;
  });
}

/** Value and all gradients of `layer`, whose parameters are U, V, W and b where it has one, against a float64 reference. */
function checkLayer(layer: Module, h: Array64, reference: (h: Array64, ...parameters: Array64[]) => Array64, device: Device): void {
  scope(() => {
    const inputs = [h, ...randomize(layer)];
    const want = reference(...(inputs as [Array64]));
    const c = randn(want.shape, 4711);
    const x = onDevice(h, device, true);
    const y = layer.forward(x);
    assert.equal(y.shape, want.shape);
    assertNear("value", toArray64(y), want, 1e-5);
    const grads = gradients(sum(mul(y, onDevice(c, device))), [x, ...layer.namedParameters().values()]);
    differences(reference as (...xs: Array64[]) => Array64, inputs, c).forEach((wanted, i) => {
      assertNear(`gradient ${i}`, toArray64(grads[i]), wanted, 1e-4);
    });
  });
  layer.dispose();
}

/** U V h for one generator, [B, m, rows of U], by its sums. */
function apply64(h: Array64, U: Array64, V: Array64, i: number): Array64 {
  const [, rows, d_h] = U.shape;
  const [B, m, d] = h.shape;
  return build([B, m, rows], ([b, c, mu]) => {
    let total = 0;
    for (let k = 0; k < d_h; k++) {
      for (let nu = 0; nu < d; nu++)
        total += U.data[(i * rows + mu) * d_h + k] * V.data[(i * d_h + k) * d + nu] * h.data[(b * m + c) * d + nu];
    }
    return total;
  });
}

/** max_j sum_{i, c} W[i, c, a] (L_j L_i h)[b, c, mu] as it is written: all (n_L + 1)^2 products first. */
function max64(f: (x: number) => number, h: Array64, U: Array64, V: Array64, W: Array64, b?: Array64): Array64 {
  const [n, m, o] = W.shape;
  const times = (x: Array64, i: number): Array64 => (i === 0 ? x : apply64(x, U, V, i - 1));
  const range = Array.from({ length: n }, (_, i) => i);
  const P = range.map((j) => range.map((i) => times(times(h, i), j)));
  return build([h.shape[0], o, h.shape[2]], ([s, a, mu]) => {
    const sums = range.map((j) => {
      let total = 0;
      for (const i of range) for (let c = 0; c < m; c++) total += W.data[(i * m + c) * o + a] * P[j][i].data[(s * m + c) * h.shape[2] + mu];
      return total;
    });
    return f(Math.max(...sums) + (b ? b.data[a] : 0));
  });
}

function strided64(f: (x: number) => number, h: Array64, U: Array64, V: Array64, W: Array64, b?: Array64): Array64 {
  const [n_L, m, o] = W.shape;
  const d_out = U.shape[1];
  const parts = Array.from({ length: n_L }, (_, i) => apply64(h, U, V, i));
  return build([h.shape[0], o, d_out], ([s, a, mu]) => {
    let total = b ? b.data[a] : 0;
    for (let i = 0; i < n_L; i++)
      for (let c = 0; c < m; c++) total += W.data[(i * m + c) * o + a] * parts[i].data[(s * m + c) * d_out + mu];
    return f(total);
  });
}

const activations: ActivationName[] = ["linear", "relu", "tanh", "gelu"];

// [B, m_in, m_out, d, n_L, d_h]
const sizes: [number, number, number, number, number, number][] = [
  [1, 1, 1, 1, 1, 1],
  [2, 1, 3, 7, 2, 2],
  [2, 3, 2, 6, 3, 5],
  [3, 2, 1, 5, 1, 3],
];

for (const bias of [true, false]) {
  everyDevice(test, `max ${bias ? "with" : "without"} bias: value and gradients equal those of the written-out sum`, (device) => {
    for (const [B, m_in, m_out, d, n_L, d_h] of sizes) {
      for (const activation of activations) {
        const layer = new LConvMax(source(device), { d, m_in, m_out, bias, activation, generators: { kind: "learned", n_L, d_h } });
        checkLayer(layer, randn([B, m_in, d], 1), (h, ...p) => max64(pointwise[activation], h, p[0], p[1], p[2], p[3]), device);
      }
    }
  });
}

// [B, m_in, m_out, d, stride, n_L, d_h]; both orders of contraction are among them
const stridedSizes: [number, number, number, number, number, number, number][] = [
  [1, 1, 1, 1, 1, 1, 1],
  [2, 1, 5, 9, 2, 2, 3],
  [2, 3, 2, 8, 2, 3, 1],
  [3, 2, 3, 7, 3, 1, 2],
  [2, 4, 4, 12, 2, 2, 2],
  [1, 2, 2, 5, 1, 2, 4],
];

for (const bias of [true, false]) {
  everyDevice(test, `strided ${bias ? "with" : "without"} bias: value and gradients`, (device) => {
    for (const [B, m_in, m_out, d, stride, n_L, d_h] of stridedSizes) {
      for (const activation of activations) {
        const generators = { kind: "learned" as const, n_L, d_h };
        const layer = new LConvStrided(source(device), { d, m_in, m_out, stride, bias, activation, generators });
        assert.is(layer.d_out, Math.floor(d / stride));
        checkLayer(layer, randn([B, m_in, d], 1), (h, ...p) => strided64(pointwise[activation], h, p[0], p[1], p[2], p[3]), device);
      }
    }
  });
}

everyDevice(test, "strided: the cheaper order is taken, and products cost what the formula says", (device) => {
  const taken = stridedSizes.map(([B, m_in, m_out, d, stride, n_L, d_h]) => {
    const layer = new LConvStrided(source(device), { d, m_in, m_out, stride, generators: { kind: "learned", n_L, d_h } });
    const count = countMultiplyAdds(device, () => scope(() => layer.forward(zeros([B, m_in, d], { device }))));
    const cost = forwardCost({ n_L, d_h, d: layer.d_out, m: m_in, m_out });
    assert.is(count, B * (n_L * d_h * d * m_in + Math.min(cost.VUW, cost.VWU)));
    layer.dispose();
    return cost.VUW <= cost.VWU ? "VUW" : "VWU";
  });
  assert.equal([...new Set(taken)].sort(), ["VUW", "VWU"]);
});

everyDevice(test, "parameters have names, shapes and counts; frozen generators are not counted", (device) => {
  const [d, m_in, m_out, n_L, d_h, stride] = [10, 2, 3, 2, 3, 3];
  for (const kind of ["learned", "random"] as const) {
    const options = { d, m_in, m_out, generators: { kind, n_L, d_h } };
    const max = new LConvMax(source(device), options);
    const strided = new LConvStrided(source(device), { ...options, stride });
    const shapes = (layer: Module) => Object.fromEntries([...layer.namedParameters()].map(([name, t]) => [name, t.shape]));
    assert.equal(shapes(max), { U: [2, 10, 3], V: [2, 3, 10], W: [3, 2, 3], b: [3] });
    assert.equal(shapes(strided), { U: [2, 3, 3], V: [2, 3, 10], W: [2, 2, 3], b: [3] });
    const trained = kind === "learned";
    assert.is(max.parameterCount(), (trained ? n_L * d_h * (d + d) : 0) + (n_L + 1) * m_in * m_out + m_out);
    assert.is(strided.parameterCount(), (trained ? n_L * d_h * (d + 3) : 0) + n_L * m_in * m_out + m_out);
    for (const layer of [max, strided]) layer.dispose();
  }
});

const P = 3;
const Q = 4;
/** (S h)[r, c] = h[r + u, c + v] on a P x Q torus, as the position that each position reads. */
const torus = (u: number, v: number): number[] =>
  Array.from({ length: P * Q }, (_, mu) => ((Math.floor(mu / Q) + u) % P) * Q + (((mu % Q) + v) % Q));
/** The generators (L_i h)[mu] = h[reads_i[mu]]. */
const permutationBasis = (...reads: number[][]): Basis =>
  new Basis(
    reads.map((places) =>
      sparse(
        places.length,
        [...places.keys()],
        places,
        places.map(() => 1),
      ),
    ),
  );
/** (g h)[b, c, mu] = h[b, c, reads[mu]] */
const moved = (h: Array64, reads: readonly number[]): Array64 => {
  const d = h.shape[2];
  return array64([h.shape[0], h.shape[1], reads.length], (n) => h.data[Math.floor(n / reads.length) * d + reads[n % reads.length]]);
};
const outputs = (layer: Module, h: Array64, device: Device): Array64 => scope(() => toArray64(layer.forward(onDevice(h, device))));

const taps = permutationBasis(torus(0, 1), torus(1, 0));

everyDevice(test, "max: permutations that commute with every L_i are left, others are not", (device) => {
  for (const activation of activations) {
    const layer = new LConvMax(source(device), { d: P * Q, m_in: 2, m_out: 3, activation, generators: taps });
    randomize(layer);
    const h = randn([2, 2, P * Q], 5);
    const y = outputs(layer, h, device);
    for (let u = 0; u < P; u++) {
      for (let v = 0; v < Q; v++)
        assertNear(`shift ${u}, ${v}`, outputs(layer, moved(h, torus(u, v)), device), moved(y, torus(u, v)), 1e-6);
    }
    const mirror = Array.from({ length: P * Q }, (_, mu) => mu - (mu % Q) + Q - 1 - (mu % Q));
    assert.ok(relError(outputs(layer, moved(h, mirror), device).data, moved(y, mirror).data) > 0.1, "a mirror turns the shifts around");
    assert.match(layer.symmetryLeft, "commute with every L_i");
    layer.dispose();
  }
});

everyDevice(test, "max: fractional shifts, which linear L-conv keeps, are lost; scales stay without a bias", (device) => {
  const fractional = (h: Array64): Array64 => {
    const whole = moved(h, torus(0, 1));
    return array64(h.shape, (n) => 0.6 * h.data[n] + 0.4 * whole.data[n]);
  };
  const times = (h: Array64, factor: number): Array64 => array64(h.shape, (n) => factor * h.data[n]);
  const error = (layer: Module, g: (h: Array64) => Array64): number => {
    const h = randn([2, 2, P * Q], 5);
    return relError(outputs(layer, g(h), device).data, g(outputs(layer, h, device)).data);
  };
  const options = { d: P * Q, m_in: 2, m_out: 3, generators: taps, bias: false, activation: "linear" as const };
  const [linear, largest] = [new LConv(source(device), options), new LConvMax(source(device), options)];
  for (const layer of [linear, largest]) randomize(layer);
  assert.ok(error(linear, fractional) < 1e-5);
  assert.ok(error(largest, fractional) > 0.1);
  assert.ok(error(largest, (h) => times(h, 3)) < 1e-5);
  assert.ok(error(largest, (h) => times(h, -1)) > 0.1);
  const biased = new LConvMax(source(device), { ...options, bias: true });
  randomize(biased);
  assert.ok(error(biased, (h) => times(h, 3)) > 0.1);
  for (const layer of [linear, largest, biased]) layer.dispose();
});

everyDevice(test, "max: with the shifts of a 2 x 2 window it is a convolution and max pooling of stride 1", (device) => {
  const [B, m_in, m_out] = [2, 2, 3];
  const generators = permutationBasis(torus(0, 1), torus(1, 0), torus(1, 1));
  const layer = new LConvMax(source(device), { d: P * Q, m_in, m_out, generators, bias: false, activation: "linear" });
  const [W] = randomize(layer);
  const kernel = build([m_out, m_in, 2, 2], ([a, c, u, v]) => W.data[((2 * u + v) * m_in + c) * m_out + a]);
  const h = randn([B, m_in, P * Q], 5);
  const pooled = scope(() =>
    toArray64(maxPool2d(conv2d(onDevice({ ...h, shape: [B, m_in, P, Q] }, device), onDevice(kernel, device)), { size: 2, stride: 1 })),
  );
  const y = outputs(layer, h, device);
  const inside = build(pooled.shape, ([b, a, r, c]) => y.data[(b * m_out + a) * P * Q + r * Q + c]);
  assertNear("where the window does not wrap around", inside, pooled, 1e-5);
  layer.dispose();
});

/** A strided layer with (L_i h)[mu] = h[stride mu + t_i] on a cycle: U_i = I, V_i picks. */
function stridedShifts(device: Device, d: number, stride: number, shifts: readonly number[], activation: ActivationName): LConvStrided {
  const d_out = d / stride;
  const generators = { kind: "learned" as const, n_L: shifts.length, d_h: d_out };
  const layer = new LConvStrided(source(device), { d, m_in: 2, m_out: 3, stride, generators, activation });
  randomize(layer);
  layer.U.set(Float32Array.from(build(layer.U.shape, ([, mu, k]) => (mu === k ? 1 : 0)).data));
  layer.V.set(Float32Array.from(build(layer.V.shape, ([i, k, nu]) => (nu === (stride * k + shifts[i]) % d ? 1 : 0)).data));
  return layer;
}

const permutations = (n: number): number[][] =>
  n === 0 ? [[]] : permutations(n - 1).flatMap((p) => Array.from({ length: n }, (_, at) => [...p.slice(0, at), n - 1, ...p.slice(at)]));

everyDevice(test, "strided shifts: shifts by multiples of the stride are left and no others", (device) => {
  const cycle = (d: number, by: number): number[] => Array.from({ length: d }, (_, mu) => (mu + by) % d);
  for (const [d, stride] of [
    [12, 3],
    [8, 2],
  ]) {
    const layer = stridedShifts(device, d, stride, [0, 1, 5], "tanh");
    const h = randn([2, 2, d], 6);
    const y = outputs(layer, h, device);
    for (let by = 0; by < d; by++) {
      const there = outputs(layer, moved(h, cycle(d, by)), device);
      const nearest = Math.min(...permutations(d / stride).map((p) => relError(there.data, moved(y, p).data)));
      if (by % stride === 0) assertNear(`shift by ${by}`, there, moved(y, cycle(d / stride, by / stride)), 1e-6);
      else assert.ok(nearest > 0.1, `no permutation of what comes out stands for the shift by ${by}, the nearest is off by ${nearest}`);
    }
    assert.match(layer.symmetryLeft, `multiples of ${stride}`);
    assert.match(layer.symmetryLeft, `${d} positions`);
    layer.dispose();
  }
});

const make =
  (options: Partial<LConvStridedOptions> = {}): (() => LConvStrided) =>
  () =>
    new LConvStrided(source(), { d: 9, m_in: 1, m_out: 2, stride: 2, generators: { kind: "learned", n_L: 2, d_h: 3 }, ...options });

test("misuse: code, what was expected and what came", () => {
  throwsCode(make({ stride: 0 }), "ERR_LCONV_ARGUMENT", "stride", "from 1 to 9, got 0");
  throwsCode(make({ stride: 10 }), "ERR_LCONV_ARGUMENT", "got 10");
  throwsCode(make({ stride: 1.5 }), "ERR_LCONV_ARGUMENT", "got 1.5");
  throwsCode(make({ generators: { kind: "learned", n_L: 2, d_h: 5 } }), "ERR_LCONV_ARGUMENT", "d_h", "from 1 to 4, got 5");
  throwsCode(make({ generators: { kind: "learned", n_L: 0, d_h: 1 } }), "ERR_LCONV_ARGUMENT", "n_L");
  throwsCode(make({ generators: { kind: "dense" as "random", n_L: 1, d_h: 1 } }), "ERR_LCONV_ARGUMENT", '"dense"', "learned, random");
  throwsCode(make({ activation: "rleu" as "relu" }), "ERR_LCONV_ARGUMENT", 'did you mean "relu"?');
  throwsCode(make({ strid: 2 } as object), "ERR_LCONV_OPTION", 'did you mean "stride"?');
  scope(() => {
    const layer = make()();
    throwsCode(() => layer.forward(zeros([1, 1, 8])), "ERR_LCONV_SHAPE", "[1, 1, 9]", "[1, 1, 8]");
    throwsCode(() => layer.forward(zeros([1, 2, 9])), "ERR_LCONV_SHAPE", "m_in = 1", "[1, 2, 9]");
    throwsCode(() => layer.forward(zeros([1, 9])), "ERR_LCONV_SHAPE", "[1, 9]");
    const max = new LConvMax(source(), { d: 9, m_in: 1, m_out: 2, generators: { kind: "learned", n_L: 2, d_h: 3 } });
    throwsCode(() => max.forward(zeros([1, 1, 8])), "ERR_LCONV_SHAPE", "d = 8", "d = 9");
    for (const used of [layer, max]) used.dispose();
  });
});

test.run();
