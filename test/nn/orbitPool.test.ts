// also on a GPU
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { device as deviceOf } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { exp } from "../../src/lie/functions/exponential.js";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { dense, lowRank } from "../../src/lie/generators/generator.js";
import { Flatten, LConv, Linear, OrbitPool, Sequential, WeightSource } from "../../src/nn/index.js";
import { sum } from "../../src/ops/reduce.js";
import { Orbit } from "../../src/symmetry/orbit.js";
import { tensor } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { throwsCode } from "../support/throws.js";

const test = suite("nn/orbitPool");
const turn = new Matrix([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -2], [0, 0, 2, 0]]); // biome-ignore format: two planes
const basis = new Basis([lowRank(turn, Matrix.eye(4))]);
const center = [0.5, -1, 2, 0];
const samples = (n: number, seed: number): Float32Array => Float32Array.from(new Philox(seed, 1).normal(n));

everyDevice(test, "max and mean over the elements are those of exp(tL)", async (device) => {
  const orbit = new Orbit(basis, { center, width: 1, count: 5 });
  const x = samples(2 * 3 * 4, 1);
  const h = tensor(x, { shape: [2, 3, 4], device });
  const scale = Math.sqrt(2 / (1 + 4)); // frequencies of root mean square 1
  const moved = Array.from(orbit.times, (t) => {
    const g = exp(dense(Matrix.mul(turn, t * scale)));
    return Array.from({ length: 6 }, (_, i) => {
        const v = Matrix.columnVector([0, 1, 2, 3].map((mu) => x[4 * i + mu]! - center[mu]!));
        return g.mmul(v).to1DArray().map((value, mu) => value + center[mu]!);
      }).flat(); // biome-ignore format: one chain
  });
  for (const pool of ["max", "mean"] as const) {
    const layer = new OrbitPool(device, { orbit, pool });
    const y = await layer.forward(h).data();
    for (let at = 0; at < 24; at++) {
      const list = moved.map((values) => values[at]!);
      const expected = pool === "max" ? Math.max(...list) : list.reduce((s, v) => s + v / list.length, 0);
      assert.ok(Math.abs(y[at]! - expected) < 1e-5, `${pool} ${at}: ${y[at]} for ${expected}`);
    }
    layer.dispose();
  }
});

test("over a whole period the result of any network is the same for all points of an orbit", async () => {
  const device = deviceOf();
  const orbit = new Orbit(basis, { center, count: 9 });
  const source = new WeightSource(device, 1);
  const inner = new Sequential(
    new LConv(source, { d: 4, m_in: 1, m_out: 3, generators: { kind: "learned", n_L: 2, d_h: 2 } }),
    new Flatten(),
    new Linear(source, 12, 2),
  );
  const network = new OrbitPool(device, { orbit, inner });
  const x = samples(5 * 4, 2);
  const scale = Math.sqrt(2 / 5);
  const g = exp(dense(Matrix.mul(turn, orbit.times[7]! * scale)));
  const moved = Float32Array.from({ length: 20 }, (_, at) => {
    const n = Math.floor(at / 4);
    return g.getRow(at % 4).reduce((s, value, mu) => s + value * (x[4 * n + mu]! - center[mu]!), 0) + center[at % 4]!;
  });
  const of = (values: Float32Array) => network.forward(tensor(values, { shape: [5, 1, 4], device })).data();
  const [a, b] = [await of(x), await of(moved)];
  a.forEach((value, i) => void assert.ok(Math.abs(value - b[i]!) < 1e-4 * (1 + Math.abs(value)), `${i}: ${value} ${b[i]}`));
  assert.equal([...network.namedParameters().keys()], [...inner.namedParameters().keys()].map((key) => `inner.${key}`)); // biome-ignore format: one line
  const loss = sum(network.forward(tensor(x, { shape: [5, 1, 4], device })));
  const W = network.parameters()[0]!;
  const [dW] = gradients(loss, [W]);
  assert.ok((await dW!.data()).some((value) => value !== 0));
  network.dispose();
});

test("one element is inner alone; bad input", async () => {
  const device = deviceOf();
  const one = new OrbitPool(device, { orbit: new Orbit(basis, { width: 1, count: 1 }) });
  const h = tensor(samples(8, 3), { shape: [2, 1, 4], device });
  assert.equal([...(await one.forward(h).data())], [...(await h.data())]);
  throwsCode(() => one.forward(tensor(samples(6, 3), { shape: [2, 1, 3], device })), "ERR_LCONV_SHAPE", "h must be [B, m, 4]");
  throwsCode(() => new OrbitPool(device, { orbit: new Orbit(basis), pool: "min" as never }), "ERR_LCONV_ARGUMENT", "min");
  throwsCode(() => new OrbitPool(device, { orbit: new Orbit(basis), pooling: "max" } as never), "ERR_LCONV_OPTION", "pooling");
  throwsCode(() => new OrbitPool(device, {} as never), "ERR_LCONV_ARGUMENT", "orbit must be a lie.Orbit");
  throwsCode(() => new OrbitPool(device, { orbit: new Orbit(basis), inner: 3 as never }), "ERR_LCONV_ARGUMENT", "inner must be a module");
  throwsCode(() => new Orbit(basis, { count: 1 }).steps(), "ERR_LCONV_ARGUMENT", "the identity is the only element");
});

test("the steps of an orbit are g - 1", () => {
  const orbit = new Orbit(denseBasis([turn]), { width: 1, count: 3 });
  const scale = Math.sqrt(2 / 5);
  const expected = [...orbit.times].filter((t) => t !== 0).map((t) => Matrix.sub(exp(dense(Matrix.mul(turn, t * scale))), Matrix.eye(4)));
  orbit.steps().dense().forEach((L, i) => void assert.ok(Matrix.sub(L, expected[i]!).norm() < 1e-9, `${i}`)); // biome-ignore format: one line
});

test.run();
