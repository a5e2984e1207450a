// also on a GPU
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rotate } from "../../src/data/rotate.js";
import { type Device, device as deviceOf } from "../../src/engine/device.js";
import { Philox, streams } from "../../src/engine/random.js";
import { apply, combination, dense, type Generator, scaled, sparse, toDense } from "../../src/lie/generators/generator.js";
import { affine, fractionalShift, shifts, translation } from "../../src/lie/generators/grids.js";
import { scaling, so } from "../../src/lie/generators/groups.js";
import { add, mul, sub } from "../../src/ops/arithmetic.js";
import { conv2d } from "../../src/ops/conv.js";
import { exp, log, relu, scale, tanh } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/matmul.js";
import { argmax, mean, sum } from "../../src/ops/reduce.js";
import { type DefectOptions, type EquivarianceDefect, equivarianceDefect } from "../../src/symmetry/defect.js";
import { derivativeAlong, type Model } from "../../src/symmetry/lieDerivative.js";
import { randn } from "../../src/tensor/random.js";
import { scope } from "../../src/tensor/scope.js";
import { full, type Tensor, tensor, zeros } from "../../src/tensor/tensor.js";
import { blobs, randomMatrix } from "../lie/random.js";
import { everyDevice } from "../support/everyDevice.js";
import { throwsCode } from "../support/throws.js";

const test = suite("lie/defect");

const D = 15;
const [T] = translation(D).generators;
const samples = (device: Device, N = 60, seed = 1, d = D): Tensor => randn([N, 2, d], { seed, device });
/** x A for row vectors x. */
const times = (A: Matrix, device: Device): ((x: Tensor) => Tensor) => {
  const a = tensor(Float32Array.from(A.to1DArray()), { shape: [A.rows, A.columns], device });
  return (x) => matmul(x, a);
};
const within = (what: string, got: number | undefined, want: number, share: number): void =>
  assert.ok(got !== undefined && Math.abs(got - want) <= share * want, `${what}: ${got} is not ${want} to ${share}`);
/** Runs in a scope of its own. */
const defectOf = (model: Model, L: Generator, x: Tensor, options?: DefectOptions): EquivarianceDefect =>
  scope(() => equivarianceDefect(model, L, x, options));

/** P - I for a permutation P of d positions: rows and columns sum to 0. */
const mixing = (places: readonly number[]): Generator =>
  sparse(
    places.length,
    [...places.keys(), ...places.keys()],
    [...places, ...places.keys()],
    [...places.map(() => 1), ...places.map(() => -1)],
  );

everyDevice(test, "derivatives along a direction are exact up to degree 4 of the model, at any step", (device) => {
  scope(() => {
    const f = (x: Tensor): Float32Array => {
      const square = mul(x, x);
      return add(mul(square, square), sub(mul(square, x), scale(x, 2))).dataSync() as Float32Array;
    };
    const [x, v] = [randn([5, 3], { seed: 1, device }), randn([5, 3], { seed: 2, device })];
    const { value, difference } = derivativeAlong(f, x, v, Float64Array.of(1, 0.5, 2, 0.1, 0.05));
    const along = v.dataSync();
    x.dataSync().forEach((at, k) => {
      const want = (4 * at ** 3 + 3 * at ** 2 - 2) * along[k];
      assert.ok(Math.abs(value[k] - want) < 1e-4, `${value[k]} is not ${want}`);
    });
    assert.ok(Math.abs(difference[0]) > 0.01, "two steps differ");
  });
});

everyDevice(test, "models that are equivariant or invariant have a defect of rounding alone", (device) => {
  scope(() => {
    const x = samples(device);
    const circulant = shifts([D], [[-2], [0], [1]], { boundary: "circular" }).dense();
    const kernel = circulant.reduce((all, P, k) => all.add(Matrix.mul(P, [0.5, 2, -1][k])), Matrix.zeros(D, D));
    const permuted = (seed: number): Generator => mixing([...new Philox(seed, streams.user).permutation(D)]);
    const mixture = combination([permuted(1), permuted(2), permuted(3)], [0.7, -1.3, 2]);
    const deepSets = (h: Tensor): Tensor => add(scale(h, 0.3), mul(tensor([-0.1, 0.2], { shape: [2, 1], device }), sum(h, 2, true)));
    const length2 = (h: Tensor): Tensor => sum(mul(h, h), 2, true);
    const turn = combination(so(D).generators, new Philox(3, streams.user).normal((D * (D - 1)) / 2));
    const cases: [string, Model, Generator, "invariant" | "equivariant"][] = [
      ["the identity", (h) => h, T, "equivariant"],
      ["a circular convolution under translation", times(kernel, device), T, "equivariant"],
      ["a fractional shift under translation", times(fractionalShift(D, 2.3), device), T, "equivariant"],
      ["an object with forward", { forward: times(kernel, device) }, T, "equivariant"],
      ["a sum over positions", (h) => sum(h, 2), T, "invariant"],
      ["a sum over all", (h) => sum(h, [1, 2]), T, "invariant"],
      ["Deep Sets under mixed permutations", deepSets, mixture, "equivariant"],
      ["x |x|^2 under rotations", (h) => mul(h, length2(h)), turn, "equivariant"],
      ["tanh |x|^2 under rotations", (h) => tanh(scale(sum(mul(h, h), 2), 0.05)), turn, "invariant"],
      ["relu under scaling", relu, scaling(D).generators[0], "equivariant"],
    ];
    for (const [name, model, L, output] of cases) {
      const result = defectOf(model, L, x);
      assert.is(result.output, output, name);
      assert.ok(result.defect < 2e-4, `${name}: ${result.defect}`);
      assert.ok(result.upper >= result.defect + result.numericalError && result.upper < 4e-4, `${name}: at most ${result.upper}`);
      assert.is(result.floor, undefined);
      assert.is(result.aboveFloor, undefined);
      assert.is(result.samples, 60);
    }
    assert.match(defectOf((h) => h, T, x).notes.join(), "within its numerical error");
  });
});

everyDevice(test, "models that have nothing to do with L have a defect of about 1", (device) => {
  scope(() => {
    const x = samples(device);
    const random = times(randomMatrix(D, D, 5), device);
    const scores = times(randomMatrix(D, 10, 6), device);
    const cases: [string, Model][] = [
      ["a random linear map", random],
      ["tanh of one", (h) => tanh(scale(random(h), 0.2))],
      ["scores of classes", (h) => scores(sum(h, 1))],
      ["scores of relu", (h) => scores(relu(random(sum(h, 1))))],
    ];
    for (const [name, model] of cases) {
      const { defect, upper, notes } = defectOf(model, T, x);
      assert.ok(defect > 0.6 && defect < 1.5, `${name}: ${defect}`);
      assert.ok(upper > defect && upper < 1.3 * defect, `${name}: at most ${upper}`);
      assert.equal(notes, []);
    }
  });
});

/** The definition in float64, for f(x) = A tanh(B x) on columns X, whose Jacobian is A diag(1 - tanh^2) B. */
function defect64(
  A: Matrix,
  B: Matrix,
  X: Matrix,
  L: Matrix,
  L_out: Matrix | undefined,
  difference?: { L: Matrix; L_out: Matrix | undefined },
) {
  const total = (M: Matrix): number => M.to1DArray().reduce((all, value) => all + value ** 2, 0);
  const centered = (M: Matrix): Matrix => {
    const out = M.clone();
    for (let i = 0; i < M.rows; i++)
      out.setRow(
        i,
        M.getRow(i).map((value) => value - M.getRow(i).reduce((all, v) => all + v, 0) / M.columns),
      );
    return out;
  };
  const inner = B.mmul(X);
  const slope = inner.clone();
  for (let i = 0; i < inner.rows; i++) for (let j = 0; j < inner.columns; j++) slope.set(i, j, 1 - Math.tanh(inner.get(i, j)) ** 2);
  const F = A.mmul(Matrix.tanh(inner));
  const along = (V: Matrix): Matrix => A.mmul(Matrix.mul(slope, B.mmul(V)));
  const acted = (M: Matrix | undefined): Matrix => (M ? M.mmul(F) : Matrix.zeros(F.rows, F.columns));
  const scale2 = (total(centered(F)) / total(centered(X))) * total(L.mmul(X)) + total(acted(L_out));
  const share = (P: Matrix, Q: Matrix | undefined): number => Math.sqrt(total(Matrix.sub(along(P.mmul(X)), acted(Q))) / scale2);
  return { defect: share(L, L_out), floor: difference && share(difference.L, difference.L_out) };
}

everyDevice(test, "defect and floor equal their definition in float64", (device) => {
  scope(() => {
    const [d, hidden, n, N] = [7, 9, 5, 40];
    const [A, B, X] = [randomMatrix(n, hidden, 1), randomMatrix(hidden, d, 2).mul(0.3), randomMatrix(d, N, 3)];
    const [L, L2] = [randomMatrix(d, d, 4), randomMatrix(d, d, 5)];
    const [M, M2] = [randomMatrix(n, n, 6), randomMatrix(n, n, 7)];
    const x = tensor(Float32Array.from(X.transpose().to1DArray()), { shape: [N, d], device });
    const [a, b] = [times(A.transpose(), device), times(B.transpose(), device)];
    const model = (h: Tensor): Tensor => a(tanh(b(h)));
    const cases: [string, DefectOptions, ReturnType<typeof defect64>][] = [
      ["invariant", {}, defect64(A, B, X, L, undefined)],
      ["invariant, floor", { floor: dense(L2) }, defect64(A, B, X, L, undefined, { L: Matrix.sub(L, L2), L_out: undefined })],
      ["own L_out", { output: dense(M) }, defect64(A, B, X, L, M)],
      [
        "own L_out, floor of L",
        { output: dense(M), floor: dense(L2) },
        defect64(A, B, X, L, M, { L: Matrix.sub(L, L2), L_out: undefined }),
      ],
      [
        "own L_out, floor of both",
        { output: dense(M), floor: { L: dense(L2), L_out: dense(M2) } },
        defect64(A, B, X, L, M, { L: Matrix.sub(L, L2), L_out: Matrix.sub(M, M2) }),
      ],
    ];
    for (const [name, options, want] of cases) {
      for (const batch of [256, 7]) {
        const got = defectOf(model, dense(L), x, { ...options, batch });
        within(`${name}: defect`, got.defect, want.defect, 1e-4);
        if (want.floor !== undefined) within(`${name}: floor`, got.floor, want.floor, 1e-4);
        assert.ok(got.numericalError < 1e-3, `${name}: numerical error ${got.numericalError}`);
      }
    }
    const square = randomMatrix(d, hidden, 8);
    const output = times(square.transpose(), device);
    const own = defectOf((h) => output(tanh(b(h))), dense(L), x, { floor: dense(L2) });
    const want = defect64(square, B, X, L, L, { L: Matrix.sub(L, L2), L_out: Matrix.sub(L, L2) });
    within("L on the output: defect", own.defect, want.defect, 1e-4);
    within("L on the output: floor", own.floor, want.floor as number, 1e-4);
  });
});

everyDevice(test, "the defect does not depend on units, and a constant in an invariant's output does not hide it", (device) => {
  scope(() => {
    const x = samples(device);
    const scores = times(randomMatrix(D, 4, 6), device);
    const model = (h: Tensor): Tensor => tanh(scale(scores(sum(h, 1)), 0.3));
    const { defect } = defectOf(model, T, x);
    within("t", defectOf(model, scaled(T, 50), x).defect, defect, 1e-3);
    within("f", defectOf((h) => scale(model(h), 1e-3), T, x).defect, defect, 1e-3);
    within("x", defectOf((h) => model(scale(h, 1e-2)), T, scale(x, 100)).defect, defect, 1e-3);
    within("a constant", defectOf((h) => add(model(h), 5), T, x).defect, defect, 1e-3);
  });
});

everyDevice(test, "the defect grows with the share that is not equivariant; relu has one of its own", (device) => {
  scope(() => {
    const x = samples(device);
    const [kept, other] = [times(fractionalShift(D, 1), device), times(randomMatrix(D, D, 5).mul(D ** -0.5), device)];
    const defects = [0, 0.01, 0.03, 0.1, 0.3, 1].map(
      (share) => defectOf((h) => add(scale(kept(h), 1 - share), scale(other(h), share)), T, x).defect,
    );
    for (let k = 1; k < defects.length; k++) assert.ok(defects[k] > 2 * defects[k - 1] || defects[k] > 0.4, defects.join(", "));
    within("in proportion while it is small", defects[2], 3 * defects[1], 0.1);
    const bent = defectOf((h) => relu(kept(h)), T, x);
    assert.ok(bent.defect > 0.3 && bent.defect < 1, `relu: ${bent.defect}`);
    assert.ok(bent.numericalError < 0.05, `relu: numerical error ${bent.numericalError}`);
  });
});

const SIDE = 20;
const [rotation] = affine(SIDE, SIDE, { only: ["rotate"] }).generators;
const [differences] = affine(SIDE, SIDE, { only: ["rotate"], kind: "finite-difference" }).generators;
const images = (device: Device, N: number): Tensor =>
  tensor(Float32Array.from(blobs(SIDE, N, 3).transpose().to1DArray()), { shape: [N, 1, SIDE * SIDE], device });
/** A convolution with a bell of these widths along rows and columns. */
function bell(device: Device, height: number, width: number): (x: Tensor) => Tensor {
  const reach = [-3, -2, -1, 0, 1, 2, 3];
  const kernel = reach.flatMap((v) => reach.map((u) => Math.exp(-(v ** 2) / (2 * height ** 2) - u ** 2 / (2 * width ** 2))));
  const K = tensor(Float32Array.from(kernel), { shape: [1, 1, 7, 7], device });
  return (x) => conv2d(x.view([x.shape[0], 1, SIDE, SIDE]), K, { padding: "same" }).view(x.shape);
}

everyDevice(test, "floor: what interpolation does to a round kernel under rotation, and what a kernel that is not round adds", (device) => {
  scope(() => {
    const x = images(device, 24);
    const round = defectOf(bell(device, 1, 1), rotation, x, { floor: differences });
    assert.ok(round.defect > 1e-3 && round.defect <= (round.floor as number), `round: ${round.defect}, floor ${round.floor}`);
    assert.is(round.aboveFloor, 0);
    assert.match(round.notes.join(), "not above the floor");
    const long = defectOf(bell(device, 1, 2), rotation, x, { floor: differences });
    assert.ok(long.defect > 5 * (long.floor as number), `long: ${long.defect}, floor ${long.floor}`);
    within("long: above the floor", long.aboveFloor, long.defect - (long.floor as number) - long.numericalError, 1e-9);
    assert.equal(long.notes, []);
    const same = defectOf(bell(device, 1, 2), rotation, x, { floor: rotation });
    assert.is(same.floor, 0);
    within("no other discretisation", same.aboveFloor, same.defect - same.numericalError, 1e-9);
  });
});

everyDevice(test, "floor: a model that is equivariant under the other discretisation has it for its defect", (device) => {
  scope(() => {
    const x = images(device, 24);
    const L = toDense(differences);
    const polynomial = Matrix.eye(L.rows).add(Matrix.mul(L, 0.2)).add(L.mmul(L).mul(0.05)).transpose();
    const { defect, floor, aboveFloor } = defectOf(times(polynomial, device), rotation, x, { floor: differences });
    assert.ok(defect > 1e-2, `${defect}`);
    within("floor", floor, defect, 1e-3);
    assert.is(aboveFloor, 0);
    assert.ok(defectOf(times(polynomial, device), differences, x).defect < 1e-4);
  });
});

test("finite differences are what bilinear rotation does to first order", () => {
  const degrees = 0.05; // no pixel's source moves by more than 0.01 pixels
  const N = 4;
  const X = blobs(SIDE, N, 3);
  const turned = (by: number): Matrix => {
    const flat = Float32Array.from(X.transpose().to1DArray());
    rotate(flat, SIDE, SIDE, new Float64Array(N).fill(by), { order: 1 });
    return Matrix.from1DArray(N, SIDE * SIDE, flat).transpose();
  };
  // counter-clockwise on the screen, where y points down: -t
  const quotient = Matrix.sub(turned(degrees), turned(-degrees)).mul(-90 / Math.PI / degrees);
  const off = (L: Generator): number => Matrix.sub(quotient, apply(L, X)).norm() / quotient.norm();
  assert.ok(off(differences) < 2e-3, `finite differences are off by ${off(differences)}`);
  assert.ok(off(rotation) > 0.02, `band-limited ones by ${off(rotation)}`);
});

test("the upper bound lies above the true defect in most of repeated draws", () => {
  const device = deviceOf("cpu"); // what is tested are statistics
  scope(() => {
    const other = times(randomMatrix(D, D, 5).mul(D ** -0.5), device);
    const scores = times(randomMatrix(D, 2, 6).mul(D ** -0.5), device);
    const models: [string, Model][] = [
      ["equivariant and a little else", (h) => add(h, scale(tanh(other(h)), 0.2))],
      ["a sum and a little else", (h) => add(mean(sum(h, 2), 1, true), scale(mul(scores(sum(h, 1)), scores(sum(h, 1))), 0.1))],
    ];
    for (const [name, model] of models) {
      const truth = defectOf(model, T, samples(device, 20_000, 99), { batch: 5000 });
      assert.ok(truth.upper < 1.05 * truth.defect);
      let covered = 0;
      let plain = 0;
      const draws = 200;
      for (let seed = 0; seed < draws; seed++) {
        const { defect, upper } = defectOf(model, T, samples(device, 12, 1000 + seed));
        if (upper >= truth.defect) covered++;
        if (defect >= truth.defect) plain++;
      }
      assert.ok(covered / draws >= 0.9, `${name}: ${covered} of ${draws}`);
      assert.ok(plain / draws < 0.75, `${name}: the estimate itself is no bound, ${plain} of ${draws}`);
    }
  });
});

everyDevice(test, "more samples bring the bound down to the defect", (device) => {
  scope(() => {
    const model = times(randomMatrix(D, D, 5), device);
    const margin = (N: number): number => {
      const { defect, upper } = defectOf(model, T, samples(device, N));
      return upper / defect - 1;
    };
    within("20 and 2,000 samples", margin(2000), margin(20) / 10, 0.5);
    const few = defectOf(model, T, samples(device, 7));
    assert.is(few.upper, Number.POSITIVE_INFINITY);
    assert.match(few.notes.join(), "7 samples give no upper bound");
    assert.ok(Number.isFinite(defectOf(model, T, samples(device, 8)).upper));
  });
});

everyDevice(test, "nothing is left behind, no gradient is recorded, parameters stay as they are", (device) => {
  scope(() => {
    const x = samples(device);
    const W = randn([D, D], { device });
    W.requiresGrad = true;
    const before = W.dataSync();
    const tensors = device.memory().tensors;
    const model = (h: Tensor): Tensor => {
      const y = matmul(h, W);
      assert.not(y.tracked);
      return y;
    };
    equivarianceDefect(model, T, x, { floor: scaled(T, 1.1) });
    assert.is(device.memory().tensors, tensors);
    assert.equal(W.dataSync(), before);
    assert.is(W.grad, undefined);
    let calls = 0;
    const fails = (h: Tensor): Tensor => (++calls > 4 ? zeros([3], { device }) : model(h));
    throwsCode(() => equivarianceDefect(fails, T, x), "ERR_LCONV_SHAPE");
    assert.is(device.memory().tensors, tensors);
  });
});

everyDevice(test, "a model that depends on chance, or gives what has no derivative", (device) => {
  scope(() => {
    const x = samples(device);
    let seed = 0;
    const dropout = (h: Tensor): Tensor => mul(h, randn(h.shape, { seed: seed++, device }));
    throwsCode(() => defectOf(dropout, T, x), "ERR_LCONV_ARGUMENT", "chance", "dropout", "%");
    const frozen = (h: Tensor): Tensor => mul(h, randn(h.shape, { seed: 1, device }));
    assert.ok(defectOf(frozen, T, x).defect > 0.1, "a seed is no chance");
    throwsCode(() => defectOf((h) => log(h), T, x), "ERR_LCONV_NONFINITE", "NaN", "sample 0");
    throwsCode(() => defectOf((h) => exp(scale(h, 1e3)), T, x), "ERR_LCONV_NONFINITE", "Infinity");
    const edge = tensor(Float32Array.from(new Philox(1, streams.user).uniform(12 * D)), { shape: [12, D], device });
    assert.ok(defectOf((h) => log(add(h, 0.1)), T, edge).defect > 0.1);
    edge.set(edge.dataSync().map((value, k) => (k === 7 * D + 1 ? 1e-6 : Math.max(value, 0.1))) as Float32Array);
    throwsCode(() => defectOf((h) => log(h), T, edge), "ERR_LCONV_NONFINITE", "next to sample 7");
    throwsCode(() => defectOf((h) => argmax(h), T, x), "ERR_LCONV_DTYPE", "int32", "scores");
    throwsCode(() => defectOf((h) => sum(h, 0), T, x), "ERR_LCONV_SHAPE", "[60, ...]", "[2, 15]");
    throwsCode(() => defectOf((async (h: Tensor) => h) as unknown as Model, T, x), "ERR_LCONV_ARGUMENT", "promise");
  });
});

everyDevice(test, "a model without an output to speak of", (device) => {
  scope(() => {
    const x = samples(device);
    const constant = defectOf((h) => full([h.shape[0], 3], 7, { device }), T, x);
    assert.equal([constant.defect, constant.upper, constant.numericalError], [0, 0, 0]);
    assert.match(constant.notes.join(), "the same for all samples");
    const flat = add(scale(x, 0), full([60, 1, 1], 1, { device }));
    const shifted = add(flat, randn([60, 1, 1], { device }));
    throwsCode(() => defectOf((h) => sum(h, 2), T, shifted), "ERR_LCONV_DATA", "L x = 0");
  });
});

test("misuse: samples, generators, options", () => {
  const device = deviceOf();
  scope(() => {
    const x = samples(device);
    const same = (h: Tensor): Tensor => h;
    const [T4] = translation(4).generators;
    throwsCode(() => defectOf(same, T4, x), "ERR_LCONV_SHAPE", "4 positions", "[60, 2, 15]");
    throwsCode(() => defectOf(same, T, zeros([D])), "ERR_LCONV_SHAPE", "[15]");
    throwsCode(() => defectOf(same, T, samples(device, 1)), "ERR_LCONV_DATA", "2 samples", "got 1");
    throwsCode(() => defectOf(same, T, zeros([9, D])), "ERR_LCONV_DATA", "all equal");
    const holed = tensor(
      Float32Array.from({ length: 9 * D }, (_, k) => (k === 3 * D + 2 ? Number.NaN : k)),
      { shape: [9, D] },
    );
    throwsCode(() => defectOf(same, T, holed), "ERR_LCONV_DATA", "sample 3", "NaN");
    throwsCode(() => defectOf(same, T, zeros([9, D], { dtype: "int32" })), "ERR_LCONV_DTYPE", "int32");
    throwsCode(() => defectOf(same, scaled(T, 0), x), "ERR_LCONV_ARGUMENT", "L is zero");
    throwsCode(() => defectOf((h) => sum(h, 1), T, x), "ERR_LCONV_SHAPE", "[60, 15]", 'output: "invariant"');
    throwsCode(() => defectOf((h) => sub(h, h).view([60, 3, 10]), T, x), "ERR_LCONV_SHAPE", "[60, 3, 10]");
    throwsCode(() => defectOf(same, T, x, { output: T4 }), "ERR_LCONV_SHAPE", "L_out acts on 4", "[60, 2, 15]");
    throwsCode(() => defectOf(same, T, x, { floor: T4 }), "ERR_LCONV_SHAPE", "floor", "4");
    throwsCode(() => defectOf(same, T, x, { floor: { L: T, L_out: T4 } }), "ERR_LCONV_SHAPE", "L_out", "4");
    throwsCode(() => defectOf(same, T, x, { step: 0 }), "ERR_LCONV_ARGUMENT", "step", "got 0");
    throwsCode(() => defectOf(same, T, x, { batch: 0 }), "ERR_LCONV_ARGUMENT", "batch", "got 0");
    throwsCode(() => defectOf(same, T, x, { flor: T } as object), "ERR_LCONV_OPTION", 'did you mean "floor"?');
    assert.is(defectOf((h) => sum(h, 1), T, x, { output: "invariant" }).output, "invariant");
  });
});

test.run();
