// also on a GPU
import { Matrix, pseudoInverse } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients, noGrad } from "../../src/autograd/autograd.js";
import type { Device } from "../../src/engine/device.js";
import { type Generators, parametersOf } from "../../src/ops/generators.js";
import {
  gramOf,
  killingOf,
  type RegularizerName,
  regularization,
  regularizerNames,
  regularizers,
  traceFormOf,
} from "../../src/symmetry/regularize.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { sparseOf } from "../support/csr.js";
import { everyDevice } from "../support/everyDevice.js";
import { assertNear, checkOp, onDevice, toArray64 } from "../support/gradcheck.js";
import { type Array64, array64, build, generators, map, randn, relError } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("lie/regularize");

const matrices = ({ shape: [n, d], data }: Array64): Matrix[] =>
  Array.from({ length: n }, (_, i) => Matrix.from1DArray(d, d, Array.from(data.subarray(i * d * d, (i + 1) * d * d))));
const inner = (A: Matrix, B: Matrix): number => Matrix.mul(A, B).sum();
const squared = (A: Matrix): number => inner(A, A);
const table = (Ls: Matrix[], of: (A: Matrix, B: Matrix) => number): Matrix => new Matrix(Ls.map((A) => Ls.map((B) => of(A, B))));
const killing = (A: Matrix, B: Matrix): number => A.mmul(B).trace() - (A.trace() * B.trace()) / A.rows;

/** The regularisers by their definitions, with d x d matrices L [n_L, d, d]. */
const naive: Record<RegularizerName, (L: Array64) => number> = {
  closure: (L) => {
    const unit = unitMatrices(L);
    const inverse = pseudoInverse(table(unit, inner));
    return meanOf(unit, (A, B) => {
      const commutator = Matrix.sub(A.mmul(B), B.mmul(A));
      const f = inverse.mmul(Matrix.columnVector(unit.map((E) => inner(commutator, E)))).to1DArray();
      return squared(unit.reduce((rest, E, k) => Matrix.sub(rest, Matrix.mul(E, f[k])), commutator));
    });
  },
  killing: (L) => meanOf(unitMatrices(L), (A, B) => (A === B ? 0 : killing(A, B) ** 2)),
  orthogonality: (L) => meanOf(unitMatrices(L), (A, B) => (A === B ? 0 : inner(A, B) ** 2)),
  norm: (L) => matrices(L).reduce((sum, A) => sum + (squared(A) / A.rows - 1) ** 2, 0) / L.shape[0],
};
const unitMatrices = (L: Array64): Matrix[] => matrices(L).map((A) => Matrix.div(A, Math.sqrt(squared(A))));
const meanOf = (Ls: Matrix[], of: (A: Matrix, B: Matrix) => number): number => table(Ls, of).mean();

const lowRank = (U: Tensor, V: Tensor): Generators => ({ form: "lowRank", U, V });
const dense = (L: Tensor): Generators => ({ form: "dense", L });
const factors = (n: number, d: number, h: number, seed = 1): [Array64, Array64] => [randn([n, d, h], seed), randn([n, h, d], seed + 50)];
const trainedLowRank = (U: Array64, V: Array64, device?: Device): Generators =>
  lowRank(onDevice(U, device, true), onDevice(V, device, true));
const trainedDense = (L: Array64, device?: Device): Generators => dense(onDevice(L, device, true));
const measure = (name: RegularizerName, g: Generators): number => scope(() => regularizers[name](g).item());
const gradientsOf = (loss: Tensor, g: Generators): Array64[] => gradients(loss, parametersOf(g)).map(toArray64);

const sizes: [number, number, number][] = [
  [2, 5, 1],
  [3, 6, 2],
  [2, 4, 4],
  [4, 5, 2],
];
for (const name of regularizerNames) {
  everyDevice(test, `${name}: values and gradients are those of the definition, low rank and dense`, (device) => {
    for (const size of sizes) {
      const [U, V] = factors(...size);
      const reference = (L: Array64): Array64 => array64([], [naive[name](L)]);
      checkOp({
        op: (u, v) => regularizers[name](lowRank(u, v)),
        reference: (u, v) => reference(generators(u, v)),
        inputs: [U, V],
        device,
      });
      checkOp({ op: (L) => regularizers[name](dense(L)), reference, inputs: [map(generators(U, V), Math.fround)], device });
    }
  });
}

everyDevice(test, "values with more generators, of which the blocks of all pairs are wider than d", (device) => {
  const [U, V] = factors(9, 20, 4);
  for (const name of regularizerNames) {
    const want = { data: [naive[name](generators(U, V))] };
    assertNear(`${name}, low rank`, { data: [measure(name, trainedLowRank(U, V, device))] }, want, 1e-5);
    assertNear(`${name}, dense`, { data: [measure(name, trainedDense(generators(U, V), device))] }, want, 1e-5);
  }
});

everyDevice(test, "matrices of inner products and traces, and their gradients", (device) => {
  const [U, V] = factors(3, 6, 2);
  const forms: [(g: Generators) => Tensor, (A: Matrix, B: Matrix) => number][] = [
    [gramOf, inner],
    [traceFormOf, (A, B) => A.mmul(B).trace()],
    [killingOf, killing],
  ];
  for (const [op, of] of forms) {
    const reference = (L: Array64): Array64 => array64([3, 3], table(matrices(L), of).to1DArray());
    checkOp({ op: (u, v) => op(lowRank(u, v)), reference: (u, v) => reference(generators(u, v)), inputs: [U, V], device });
    checkOp({ op: (L) => op(dense(L)), reference, inputs: [map(generators(U, V), Math.fround)], device });
  }
});

// (L_i)_jk = -epsilon_ijk = U_i V_i: L_1 = -e_2 e_3^T + e_3 e_2^T and so on.
const unitVector = (k: number): number[] => [0, 1, 2].map((j) => (j === k % 3 ? 1 : 0));
const so3: [Array64, Array64] = [
  build([3, 3, 2], ([i, mu, h]) => (h === 0 ? -unitVector(i + 1)[mu] : unitVector(i + 2)[mu])),
  build([3, 2, 3], ([i, h, nu]) => unitVector(h === 0 ? i + 2 : i + 1)[nu]),
];

everyDevice(test, "so(3) is closed, with tr(L_i L_j) = -2 delta_ij", (device) => {
  for (const g of [trainedLowRank(...so3, device), trainedDense(generators(...so3), device)]) {
    for (const name of ["closure", "killing", "orthogonality"] as const) assert.ok(Math.abs(measure(name, g)) < 1e-6, name);
    const minusTwo = [-2, 0, 0, 0, -2, 0, 0, 0, -2];
    for (const form of [traceFormOf, killingOf])
      assert.equal(
        Array.from(
          scope(() => form(g).dataSync()),
          (x) => x + 0,
        ),
        minusTwo,
      );
    assert.equal(Array.from(scope(() => gramOf(g).dataSync())), minusTwo.map(Math.abs));
  }
});

everyDevice(test, "two of so(3) are not closed: [L_1, L_2] = L_3 is orthogonal to both", (device) => {
  const [U, V] = so3.map(({ shape, data }) => array64([2, ...shape.slice(1)], data.subarray(0, 12)));
  const g = trainedLowRank(U, V, device);
  // |[L^_1, L^_2]|^2 = |L_3 / 2|^2 = 1/2, for two of the four pairs
  assert.ok(Math.abs(measure("closure", g) - 0.25) < 1e-6);
});

test("another basis of so(3) is as closed, but no longer orthogonal", () => {
  const mix = randn([3, 3], 8).data;
  const L = generators(...so3);
  const mixed = build([3, 3, 3], ([i, mu, nu]) => [0, 1, 2].reduce((sum, k) => sum + mix[3 * i + k] * L.data[(3 * k + mu) * 3 + nu], 0));
  assert.ok(Math.abs(measure("closure", trainedDense(mixed))) < 1e-6);
  assert.ok(measure("killing", trainedDense(mixed)) > 1e-3);
});

everyDevice(test, "sizes of generators change the norm alone, and no gradient points along U_i or V_i", (device) => {
  const [n, d, h] = [3, 6, 2];
  const [U, V] = factors(n, d, h);
  const scaled = map(U, (value, k) => value * [1e-3, 7, 50][Math.floor(k / (d * h))]);
  for (const name of ["closure", "killing", "orthogonality"] as const) {
    const [one, other] = [trainedLowRank(U, V, device), trainedLowRank(scaled, V, device)];
    assertNear(name, { data: [measure(name, other)] }, { data: [measure(name, one)] }, 1e-5);
    scope(() => {
      gradientsOf(regularizers[name](one), one).forEach((gradient, which) => {
        const of = [U, V][which].data;
        for (let i = 0; i < n; i++) {
          const range = Array.from({ length: d * h }, (_, k) => i * d * h + k);
          const [along, size] = [
            range.reduce((sum, k) => sum + gradient.data[k] * of[k], 0),
            Math.hypot(...gradient.data) * Math.hypot(...of),
          ];
          assert.ok(Math.abs(along) < 1e-5 * size, `${name}, generator ${i}: ${along} of ${size}`);
        }
      });
    });
  }
  assert.ok(Math.abs(measure("norm", trainedLowRank(scaled, V, device)) / measure("norm", trainedLowRank(U, V, device)) - 1) > 0.5);
});

everyDevice(test, "one generator has nothing to close or to be orthogonal to", (device) => {
  const [U, V] = factors(1, 5, 2);
  for (const g of [trainedLowRank(U, V, device), trainedDense(generators(U, V), device)]) {
    for (const name of ["closure", "killing", "orthogonality"] as const) {
      scope(() => {
        const value = regularizers[name](g);
        assert.ok(Math.abs(value.item()) < 1e-6, `${name} is ${value.item()}`);
        for (const { data } of gradientsOf(value, g)) assert.ok(Math.hypot(...data) < 1e-5);
      });
    }
  }
});

everyDevice(test, "equal, nearly dependent and zero generators: finite, and what the least squares give", (device) => {
  const [U, V] = factors(3, 6, 2);
  const noise = randn(U.shape, 77);
  const secondLike = (distance: number): Array64 =>
    build(U.shape, ([i, mu, h]) => (i === 1 ? U.data[mu * 2 + h] + distance * noise.data[mu * 2 + h] : U.data[(i * 6 + mu) * 2 + h]));
  const secondV = build(V.shape, ([i, h, nu]) => V.data[((i === 1 ? 0 : i) * 2 + h) * 6 + nu]);
  const finite = (g: Generators): number =>
    scope(() => {
      const value = regularization(g, { closure: 1, killing: 1, orthogonality: 1, norm: 1 });
      for (const { data } of gradientsOf(value, g)) assert.ok(data.every(Number.isFinite));
      return value.item();
    });
  for (const distance of [0, 1e-7, 1e-5, 1e-3, 1e-2]) {
    const g = trainedLowRank(secondLike(distance), secondV, device);
    assert.ok(Number.isFinite(finite(g)), `distance ${distance}`);
    const want = naive.closure(generators(secondLike(distance), secondV));
    const got = measure("closure", g);
    assert.ok(got >= want - 1e-6, `distance ${distance}: ${got} is below the least, ${want}`);
    if (distance === 0) assertNear("closure of equal generators", { data: [got] }, { data: [want] }, 1e-5);
  }
  const zeroOf = (x: Array64): Array64 => map(x, (value, k) => (k < x.data.length / 3 ? 0 : value));
  for (const [u, v] of [
    [zeroOf(U), V],
    [U, zeroOf(V)],
    [zeroOf(U), zeroOf(V)],
    [map(U, () => 0), map(V, () => 0)],
  ])
    assert.ok(Number.isFinite(finite(trainedLowRank(u, v, device))));
});

test("closure lies between 0 and 2 (Böttcher and Wenzel)", () => {
  for (let seed = 0; seed < 60; seed++) {
    const value = measure("closure", trainedLowRank(...factors(1 + (seed % 5), 2 + (seed % 7), 1 + (seed % 2), seed)));
    assert.ok(value > -1e-6 && value <= 2, `seed ${seed}: ${value}`);
  }
});

everyDevice(test, "a weighted sum has the weighted values and gradients", (device) => {
  const g = trainedLowRank(...factors(3, 6, 2), device);
  const weights = { closure: 0.5, killing: 2, orthogonality: 3, norm: 0.25 };
  scope(() => {
    const whole = regularization(g, weights);
    const each = regularizerNames.map((name) => ({ weight: weights[name], value: regularizers[name](g) }));
    assertNear("value", toArray64(whole), { data: [each.reduce((sum, { weight, value }) => sum + weight * value.item(), 0)] }, 1e-5);
    const parts = each.map(({ weight, value }) => gradientsOf(value, g).map((gradient) => map(gradient, (x) => weight * x)));
    gradientsOf(whole, g).forEach((gradient, which) => {
      const want = map(gradient, (_, k) => parts.reduce((sum, part) => sum + part[which].data[k], 0));
      assertNear(`gradient ${which}`, gradient, want, 1e-4);
    });
  });
});

test("weights of 0 are as if left out", () => {
  const g = trainedLowRank(...factors(3, 6, 2));
  scope(() => {
    assert.is(regularization(g, { closure: 1, killing: 0 }).item(), regularization(g, { closure: 1 }).item());
    assert.is(regularization(g, { norm: 0 }).item(), 0);
    assert.is(regularization(g, {}).item(), 0);
  });
});

test("where one factor is frozen, the other gets the gradient it had", () => {
  const [U, V] = factors(3, 6, 2);
  scope(() => {
    const [both, one] = [trainedLowRank(U, V), lowRank(onDevice(U, undefined, true), onDevice(V))];
    const weights = { closure: 1, killing: 1, norm: 1 };
    const [want] = gradientsOf(regularization(both, weights), both);
    const [got] = gradients(regularization(one, weights), parametersOf(one).slice(0, 1)).map(toArray64);
    assert.ok(relError(got.data, want.data) < 1e-6);
  });
});

everyDevice(test, "a recorded program gives what is computed at once", async (device) => {
  const g = trainedLowRank(...factors(3, 6, 2), device);
  const trace = (): Tensor[] => {
    const value = regularization(g, { closure: 1, killing: 1, orthogonality: 1, norm: 1 });
    return [value, ...gradients(value, parametersOf(g))];
  };
  await scope(async () => {
    let recorded: Tensor[] = [];
    const program = record(() => {
      recorded = trace();
      return recorded;
    }, device);
    await program.run();
    trace().forEach((want, i) => {
      assertNear(`result ${i}`, toArray64(recorded[i]), toArray64(want), 1e-6);
    });
    program.dispose();
  });
});

test("misuse: weights, and generators that are not trained", () => {
  const [U, V] = factors(2, 4, 2);
  scope(() => {
    const g = trainedLowRank(U, V);
    throwsCode(() => regularization(g, { closur: 1 } as object), "ERR_LCONV_OPTION", '"closur"', 'did you mean "closure"?');
    for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY, "1"])
      throwsCode(() => regularization(g, { killing: bad as number }), "ERR_LCONV_ARGUMENT", "weight of killing", String(bad));
    const L = generators(U, V);
    for (const frozen of [lowRank(onDevice(U), onDevice(V)), dense(onDevice(L))])
      for (const name of regularizerNames) throwsCode(() => regularizers[name](frozen), "ERR_LCONV_ARGUMENT", "frozen");
    const fixed = sparseOf(L);
    throwsCode(() => regularization(fixed, { closure: 1 }), "ERR_LCONV_ARGUMENT", "sparse and fixed");
    throwsCode(() => gramOf(fixed), "ERR_LCONV_ARGUMENT", "gramOf", "sparse");
    throwsCode(() => regularizers.norm(trainedLowRank(U, randn([2, 2, 3], 1))), "ERR_LCONV_SHAPE", "[2, 2, 3]", "[2, 2, 4]");
    assert.ok(Number.isFinite(noGrad(() => regularizers.closure(g)).item()), "the values alone can be had");
  });
});

test.run();
