// also on a GPU
import fc from "fast-check";
import { inverse, Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { generatorIn, type Whitening } from "../../src/lie/functions/whitening.js";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { principalAngles } from "../../src/lie/generators/canonical.js";
import { combination, norm, toDense } from "../../src/lie/generators/generator.js";
import { affine } from "../../src/lie/generators/grids.js";
import { gl, se2, so, so13 } from "../../src/lie/generators/groups.js";
import { identify } from "../../src/lie/identify/identify.js";
import { add, broadcastTo, mul, sub } from "../../src/ops/arithmetic.js";
import { log, relu, sqrt, tanh } from "../../src/ops/elementwise.js";
import { matmul } from "../../src/ops/matmul.js";
import { argmax, sum } from "../../src/ops/reduce.js";
import { concat, reshape, slice } from "../../src/ops/shape.js";
import { type Extraction, extractSymmetries } from "../../src/symmetry/extraction.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { taylorExp } from "../lie/naive.js";
import { blobs, difference, randomMatrix } from "../lie/random.js";
import { randn, uniform } from "../support/reference.js";
import { throwsCode } from "../support/throws.js";

const test = suite("lie/extraction");

type Func = (x: Tensor) => Tensor;

const draw = (N: number, m: number, d: number, seed = 1): Tensor =>
  tensor(Float32Array.from(randn([N, m, d], seed).data), { shape: [N, m, d] });
/** Of a rank-1 list a column [N, 1]. */
const column = (values: Tensor): Tensor => reshape(values, [values.size, 1]);
const columns = (...values: Tensor[]): Tensor => concat(values.map(column), 1);
const dot = (a: Tensor, b: Tensor): Tensor => sum(mul(a, b), [1, 2]);
const squared: Func = (x) => dot(x, x);
/** Vector c of x [N, m, d], as [N, 1, d]. */
const vector = (x: Tensor, c: number): Tensor => slice(x, [0, c, 0], [x.shape[0], 1, x.shape[2]]);
const entry = (x: Tensor, mu: number): Tensor => column(slice(x, [0, 0, mu], [x.shape[0], 1, 1]));
const combine = (list: readonly Matrix[], c: readonly number[]): Matrix =>
  list.reduce((sum, L, i) => sum.add(Matrix.mul(L, c[i])), Matrix.zeros(list[0].rows, list[0].rows));
const largestAngle = (found: Extraction, truth: Basis): number => Math.max(...principalAngles(found.basis as Basis, truth));

/** a x b of x = (a, b) [N, 2, 3]. */
function cross(x: Tensor): Tensor {
  const [a, b] = [vector(x, 0), vector(x, 1)];
  const minor = (i: number, j: number): Tensor => sub(mul(entry(a, i), entry(b, j)), mul(entry(a, j), entry(b, i)));
  return concat([minor(1, 2), minor(2, 0), minor(0, 1)], 1);
}

/** Exactly `dimension` symmetries that span those of `truth`, with a wide gap behind them. */
function spans(found: Extraction, truth: Basis): void {
  assert.is(found.dimension, truth.n_L, `residuals ${found.residuals.slice(0, truth.n_L + 2)}`);
  assert.is(found.basis?.n_L, truth.n_L);
  assert.ok(largestAngle(found, truth) < 1e-4, `angle ${largestAngle(found, truth)}`);
  assert.ok(found.residuals[truth.n_L - 1] < 1e-4 && (found.residuals[truth.n_L] ?? 1) > 0.1, `${found.residuals}`);
  for (const L of found.whitened?.generators ?? []) assert.ok(Math.abs(norm(L) - 1) < 1e-9);
}

test("|x|^2 in three dimensions: so(3)", () => {
  const found = extractSymmetries(squared, draw(200, 1, 3));
  spans(found, so(3));
  assert.is(found.residuals.length, 9);
  assert.equal(
    found.residuals,
    [...found.residuals].sort((a, b) => a - b),
  );
  assert.equal([found.labels, found.notes], [[], []]);
  assert.ok(
    found.residuals.slice(3).every((residual) => residual > 0.4 && residual < 3),
    "a generic direction has about 1",
  );
});

test("x^T diag(1, -1, -1, -1) x: so(1, 3), also through tanh", () => {
  const J = (): Tensor => tensor([1, -1, -1, -1]);
  spans(
    extractSymmetries((x) => dot(x, mul(x, J())), draw(300, 1, 4), { bootstrap: 0 }),
    so13(),
  );
  spans(
    extractSymmetries((x) => tanh(mul(dot(x, mul(x, J())), 0.2)), draw(300, 1, 4), { bootstrap: 0 }),
    so13(),
  );
});

test("a function of x_1 + ... + x_d does not depend on the directions across; modulo those nothing keeps it", () => {
  const found = extractSymmetries((x) => tanh(sum(x, [1, 2])), draw(200, 1, 3));
  assert.is(found.dimension, 0);
  assert.is(found.ignored?.columns, 2);
  for (let k = 0; k < 2; k++)
    assert.ok(Math.abs((found.ignored as Matrix).getColumn(k).reduce((total, value) => total + value, 0)) < 1e-6, "they add up to 0");
  assert.match(found.notes[0], /no dependence of f on 2 of 3 directions/);
});

test("W7: |(x_1, x_2, x_3)|^2 of five components has so(3), modulo two that it ignores", () => {
  const found = extractSymmetries((x) => sum(mul(mul(x, x), tensor([1, 1, 1, 0, 0])), [1, 2]), draw(400, 1, 5), { bootstrap: 0 });
  assert.is(found.ignored?.columns, 2);
  assert.is(found.dimension, 3);
  assert.is(found.whitened?.d, 3);
  assert.is(identify(found.whitened as Basis).name, "so(3)");
  for (const L of found.basis?.dense() ?? [])
    for (const row of [3, 4]) for (let nu = 0; nu < 3; nu++) assert.ok(Math.abs(L.get(nu, row)) < 1e-4, "ignored components move nothing");
});

test("W3: the residuals of a function without symmetry do not know in which units an axis is measured", () => {
  const f: Func = (x) => sum(tanh(mul(x, tensor([1, 2, 3]))), [1, 2]);
  const plain = extractSymmetries(f, draw(400, 1, 3, 5));
  const units = [100, 1, 1e-3];
  const x = scope(() => mul(draw(400, 1, 3, 5), tensor(units)));
  const moved = extractSymmetries((t) => f(mul(t, tensor(units.map((u) => 1 / u)))), x);
  assert.is(moved.dimension, 0);
  moved.residuals.forEach(
    (value, k) => void assert.ok(Math.abs(value - plain.residuals[k]) < 1e-3, `${moved.residuals} ${plain.residuals}`),
  );
});

test("units do not matter: x -> A x with cond A = 1000 gives the conjugated span, the same residuals and dimension", () => {
  const next = uniform(5);
  for (let run = 0; run < 4; run++) {
    const [U, V] = [0, 1].map((k) => taylorExp(combine(so(3).dense(), [next(), next(), next()]), 3 + k));
    const A = U.mmul(Matrix.diag([1, 0.03, 1e-3])).mmul(V);
    const back = inverse(A);
    const x = draw(400, 1, 3, run + 1);
    const plain = extractSymmetries(squared, x, { bootstrap: 0 });
    const Ax = scope(() => matmul(x, tensor(A.to2DArray()), { transB: true }));
    const found = extractSymmetries((t) => squared(matmul(t, tensor(back.to2DArray()), { transB: true })), Ax, { bootstrap: 0 });
    assert.is(found.dimension, 3, `${found.residuals}`);
    found.residuals.forEach(
      (value, k) => void assert.ok(Math.abs(value - plain.residuals[k]) < 2e-3, `${found.residuals} ${plain.residuals}`),
    );
    const truth = denseBasis(so(3).dense().map((L) => A.mmul(L).mmul(back))); // biome-ignore format: one call
    const inCoordinates = (basis: Basis): Basis => denseBasis(basis.dense().map((L) => generatorIn(found.inputs as Whitening, L, false)));
    assert.ok(Math.max(...principalAngles(found.whitened as Basis, inCoordinates(truth))) < 2e-3);
    assert.is(identify(found.whitened as Basis, { uncertainty: 0.002 }).name, "so(3)");
  }
});

test("outputs of any size count alike: two squares, one through tanh, have so(2) each, whatever their units", () => {
  const plane = (x: Tensor, mu: number): Tensor => add(mul(entry(x, mu), entry(x, mu)), mul(entry(x, mu + 1), entry(x, mu + 1)));
  for (const unit of [1, 1e4, 1e-4]) {
    const f: Func = (x) => concat([plane(x, 0), mul(tanh(mul(plane(x, 2), 0.5)), unit)], 1);
    const found = extractSymmetries(f, draw(400, 1, 4), { bootstrap: 0 });
    assert.is(found.dimension, 2, `${found.residuals}`); // W2: was 1
    assert.is(identify(found.whitened as Basis).name, "so(2)^2");
  }
});

test("affine: distances of points in the plane have se(2), wherever the origin is", () => {
  const distances: Func = (x) => {
    const [p, q, r] = [0, 1, 2].map((c) => vector(x, c));
    const between = (a: Tensor, b: Tensor): Tensor => column(dot(sub(a, b), sub(a, b)));
    return concat([between(p, q), tanh(mul(between(q, r), 0.2)), mul(between(r, p), between(p, q))], 1);
  };
  for (const origin of [0, 30]) {
    const x = scope(() => add(draw(400, 3, 2), origin));
    const found = extractSymmetries(distances, x, { affine: true, bootstrap: 0 });
    assert.is(found.dimension, 3, `${found.residuals}`);
    assert.is(found.basis?.d, 3);
    assert.ok(Math.max(...principalAngles(found.basis as Basis, se2())) < 1e-2 * Math.max(1, origin / 3));
    assert.is(identify(found.whitened as Basis, { uncertainty: 1e-3 }).name, "se(2)");
  }
  throwsCode(
    () => extractSymmetries(distances, draw(100, 3, 2), { affine: true, within: so(2) }),
    "ERR_LCONV_ARGUMENT",
    "affine",
    "within",
  );
});

test("several functions: what they differ in is noise, and a direction counts against it", () => {
  const rough = (seed: number, size: number): Func => {
    const w = tensor(Float32Array.from(randn([3], seed).data));
    return (x) => add(squared(x), mul(sum(tanh(mul(x, w)), [1, 2]), size));
  };
  const x = draw(400, 1, 3);
  const quiet = extractSymmetries([1, 2, 3, 4, 5].map((seed) => rough(seed, 0.05)), x); // biome-ignore format: one call
  assert.is(quiet.dimension, 3, `${quiet.residuals} ${quiet.noise}`);
  assert.is(quiet.undecided, 0);
  assert.ok(quiet.bound > 0 && quiet.bound < 0.2, `${quiet.bound}`);
  assert.ok(largestAngle(quiet, so(3)) < quiet.bound);
  assert.ok(Number.isNaN(quiet.resampled), "no error bar by samples where there is one by functions");
  const loud = extractSymmetries([1, 2, 3, 4, 5].map((seed) => rough(seed, 8)), x); // biome-ignore format: one call
  assert.is(loud.dimension, 0);
  assert.ok(loud.undecided > 0 && loud.notes.some((note) => note.includes("undecided")), `${loud.residuals} ${loud.noise}`);
  const same = extractSymmetries([1, 1, 1].map((seed) => rough(seed, 4)), x); // biome-ignore format: one call
  assert.is(same.dimension, 0, "they agree that there is none");
  throwsCode(() => extractSymmetries([], x), "ERR_LCONV_ARGUMENT", "at least one model");
});

test("x y: the scaling diag(1, -1) alone", () => {
  const found = extractSymmetries((x) => mul(entry(x, 0), entry(x, 1)), draw(100, 1, 2));
  spans(found, denseBasis([Matrix.diag([1, -1])]));
});

test("several channels move together: products of two vectors have so(3), those of one channel and a fixed vector less", () => {
  const products: Func = (x) => columns(dot(vector(x, 0), vector(x, 1)), dot(vector(x, 0), vector(x, 0)));
  spans(extractSymmetries(products, draw(200, 2, 3)), so(3));
  const fixed: Func = (x) => columns(dot(vector(x, 0), vector(x, 1)), sum(mul(vector(x, 0), tensor([0, 0, 1])), [1, 2]));
  spans(
    extractSymmetries(fixed, draw(200, 2, 3)),
    denseBasis([
      so(3)
        .dense()
        .find((L) => Math.abs(L.get(0, 1)) === 1) as Matrix,
    ]),
  );
});

test("a x b is equivariant under all of gl(3), by L_c = tr(L) I - L^T", () => {
  const found = extractSymmetries(cross, draw(300, 2, 3), { output: "equivariant", bootstrap: 2 });
  spans(found, gl(3));
  assert.is(found.labels.length, 9);
  found.basis?.dense().forEach((L, k) => {
    const want = Matrix.eye(3).mul(L.trace()).sub(L.transpose());
    assert.ok(difference(found.labels[k], want) < 1e-4, `${found.labels[k]} against ${want}`);
  });
});

test("a x b + (a . b) a has two degrees, so only so(3) keeps it, and L_c = L", () => {
  const f: Func = (x) => {
    const [a, b] = [vector(x, 0), vector(x, 1)];
    return add(cross(x), mul(broadcastTo(column(dot(a, b)), [x.shape[0], 3]), reshape(a, [x.shape[0], 3])));
  };
  const found = extractSymmetries(f, draw(300, 2, 3), { output: "equivariant" });
  spans(found, so(3));
  found.basis?.dense().forEach((L, k) => {
    assert.ok(difference(found.labels[k], L) < 1e-4);
  });
  assert.is(extractSymmetries(f, draw(300, 2, 3)).dimension, 0, "and nothing leaves it alone");
});

test("equivariant |x|^2: scaling is found with its degree 2", () => {
  const found = extractSymmetries(squared, draw(200, 1, 3), { output: "equivariant" });
  spans(found, denseBasis([...so(3).dense(), Matrix.eye(3)]));
  found.basis?.dense().forEach((L, k) => {
    assert.ok(Math.abs(found.labels[k].get(0, 0) - (2 * L.trace()) / 3) < 1e-4);
  });
});

/** Radial moments of an image, linear and squared: rotations keep them up to the width of a pixel. */
function radial(p: number): Func {
  const distance = Array.from({ length: p * p }, (_, at) => (Math.floor(at / p) - (p - 1) / 2) ** 2 + ((at % p) - (p - 1) / 2) ** 2);
  const W = [6, 12, 25].map((width) => distance.map((r) => Math.exp(-r / width)));
  return (x) => {
    const image = reshape(x, [x.shape[0], p * p]);
    const moments = tensor(W);
    return concat([matmul(image, moments, { transB: true }), matmul(mul(image, image), moments, { transB: true })], 1);
  };
}

const images = (p: number, N: number): Tensor =>
  tensor(Float32Array.from(blobs(p, N, 3).transpose().to1DArray()), { shape: [N, 1, p * p] });

test("within affine: radial moments of images are kept by rotation, approximately", () => {
  const found = extractSymmetries(radial(12), images(12, 100), { within: affine(12, 12) });
  assert.is(found.dimension, 1, `residuals ${found.residuals}`);
  assert.is(found.residuals.length, 6);
  assert.ok(largestAngle(found, affine(12, 12, { only: ["rotate"] })) < 0.02);
  assert.ok(found.residuals[0] > 1e-5, "the grid keeps it from being exact");
  assert.ok(found.residuals[1] > 0.2);
  assert.ok(found.resampled > 0 && found.resampled < 0.02, `resampled ${found.resampled}`);
  const [least] = found.residuals;
  const strict = extractSymmetries(radial(12), images(12, 100), { within: affine(12, 12), tolerance: least / 2 });
  assert.is(strict.dimension, 0, "the tolerance decides");
});

test("all of `within` may be symmetries; a generator that stands there twice makes none", () => {
  const A = randomMatrix(3, 3, 4);
  const f: Func = (x) => squared(matmul(x, tensor(A.to2DArray()), { transB: true })); // |A x|^2, which rounds
  const conjugate = denseBasis(
    so(3)
      .dense()
      .map((L) => inverse(A).mmul(L).mmul(A)),
  );
  const all = extractSymmetries(f, draw(100, 1, 3), { within: conjugate });
  spans(all, conjugate);
  assert.match(all.notes[0], "none to compare with");
  const { generators } = so(3);
  const twice = extractSymmetries((x) => sum(tanh(x), [1, 2]), draw(100, 1, 3), { within: new Basis([...generators, generators[0]]) });
  assert.is(twice.dimension, 0, `residuals ${twice.residuals}`);
});

test("a function without symmetry: dimension 0, and a note that says how near the nearest is", () => {
  const found = extractSymmetries((x) => sum(tanh(mul(x, tensor([1, 2, 3]))), [1, 2]), draw(400, 1, 3, 5));
  assert.is(found.dimension, 0);
  assert.is(found.basis, undefined);
  assert.ok(Number.isNaN(found.resampled));
  assert.equal(found.labels, []);
  assert.match(found.notes[0], /undecided: no clear gap/);
  const strict = extractSymmetries((x) => sum(tanh(mul(x, tensor([1, 2, 3]))), [1, 2]), draw(400, 1, 3, 5), { tolerance: 0.1 });
  assert.match(strict.notes[0], /no symmetry.*nearest direction has 0\.[1-9]/);
});

test("symmetries of f(A x) are A^-1 L A, and those of data in another basis the same", () => {
  const next = uniform(11);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.boolean(), (seed, rotated) => {
      const x = draw(200, 1, 3, seed);
      const A = rotated ? taylorExp(so(3).dense()[0], 6 * next()) : Matrix.add(Matrix.eye(3), randomMatrix(3, 3, seed).mul(0.15));
      const moved: Func = (t) => matmul(t, tensor(A.to2DArray()), { transB: true });
      const truth = denseBasis(
        so(3)
          .dense()
          .map((L) => inverse(A).mmul(L).mmul(A)),
      );
      spans(
        extractSymmetries((t) => squared(moved(t)), x, { bootstrap: 0 }),
        truth,
      );
      spans(
        extractSymmetries(
          squared,
          scope(() => moved(x)),
          { bootstrap: 0 },
        ),
        so(3),
      );
    }),
    { numRuns: 8, seed: 1 },
  );
});

test("neither the scale of f nor that of x matters, and outputs may differ in scale", () => {
  const rough: Func = (x) => columns(squared(x), sum(tanh(x), [1, 2]));
  const x = draw(200, 1, 3);
  const plain = extractSymmetries(rough, x);
  const scales: Func[] = [(t) => mul(rough(t), 1e-8), (t) => mul(rough(t), 1e8), (t) => mul(rough(t), tensor([1e-4, 1e4]))];
  for (const f of scales) {
    const { residuals } = extractSymmetries(f, x);
    residuals.forEach((value, k) => {
      assert.ok(Math.abs(value - plain.residuals[k]) < 1e-4, `${residuals} against ${plain.residuals}`);
    });
  }
  const far = extractSymmetries(
    (t) => rough(mul(t, 1e-3)),
    scope(() => mul(x, 1e3)),
  );
  assert.ok(far.residuals.every((value, k) => Math.abs(value - plain.residuals[k]) < 1e-4));
});

test("a symmetry that was found moves f by less than order t, another direction by order t", () => {
  const metric = [1, -1, -1, -1];
  const found = extractSymmetries((x) => tanh(mul(dot(x, mul(x, tensor(metric))), 0.1)), draw(300, 1, 4), { bootstrap: 0 });
  const value = (x: Matrix): number => Math.tanh(0.1 * x.to1DArray().reduce((total, entry, k) => total + metric[k] * entry * entry, 0));
  const X = randomMatrix(4, 40, 9);
  /** Root mean square of f(exp(t L) x) - f(x). */
  const change = (L: Matrix, t: number): number => {
    const moved = taylorExp(L, t).mmul(X);
    const squares = Array.from({ length: 40 }, (_, n) => (value(moved.getColumnVector(n)) - value(X.getColumnVector(n))) ** 2);
    return Math.sqrt(squares.reduce((total, square) => total + square, 0) / 40);
  };
  const symmetry = toDense(combination((found.basis as Basis).generators, [0.5, -0.5, 0.5, -0.5, 0.5, 0.5]));
  const [none] = denseBasis([Matrix.diag([0.5, 0.5, 0.5, 0.5])]).dense();
  for (const t of [0.3, 0.03, 0.003]) {
    assert.ok(change(symmetry, t) < 1e-5 * t, `${change(symmetry, t)} at ${t}`);
    assert.ok(change(none, t) > 0.05 * t);
  }
});

test("bootstrap: small spread, decided by the seed; none without", () => {
  const noisy: Func = (x) => add(squared(x), mul(sum(tanh(mul(x, tensor([3, 1, 2]))), [1, 2]), 0.05));
  const run = (options: object): number => extractSymmetries(noisy, draw(300, 1, 3), options).resampled;
  assert.is(extractSymmetries(noisy, draw(300, 1, 3)).dimension, 3);
  assert.ok(run({}) > 1e-4 && run({}) < 0.1, `spread ${run({})}`);
  assert.is(run({ seed: 3 }), run({ seed: 3 }));
  assert.is.not(run({ seed: 3 }), run({ seed: 4 }));
  assert.ok(Number.isNaN(run({ bootstrap: 0 })));
  assert.ok(extractSymmetries(squared, draw(200, 1, 3)).resampled < 1e-5, "an exact symmetry has none");
});

test("what the data never show is no symmetry: positions that are always 0, outputs that depend on each other", () => {
  const flat = Float32Array.from(randn([200, 1, 3], 2).data, (value, k) => (k % 3 === 2 ? 0 : value));
  const f: Func = (x) => add(squared(x), sum(mul(x, tensor([0, 0, 1])), [1, 2]));
  const plane = denseBasis([
    so(3)
      .dense()
      .find((L) => Math.abs(L.get(0, 1)) === 1) as Matrix,
  ]);
  spans(extractSymmetries(f, tensor(flat, { shape: [200, 1, 3] })), plane);
  const twice: Func = (x) => columns(squared(x), mul(squared(x), 2));
  spans(extractSymmetries(twice, draw(200, 1, 3), { output: "equivariant" }), denseBasis([...so(3).dense(), Matrix.eye(3)]));
});

test("an output that is constant says nothing; f that depends on nothing is refused", () => {
  const constant: Func = (x) => add(mul(sum(x, [1, 2]), 0), 1);
  spans(
    extractSymmetries((x) => columns(squared(x), constant(x)), draw(200, 1, 3)),
    so(3),
  );
  throwsCode(() => extractSymmetries(constant, draw(200, 1, 3)), "ERR_LCONV_ARGUMENT", "does not depend on x");
});

test("misuse: functions", () => {
  const x = draw(100, 1, 3);
  const chance: Func = (t) => mul(squared(t), 1 + Math.random());
  throwsCode(() => extractSymmetries(chance, x), "ERR_LCONV_ARGUMENT", "chance");
  throwsCode(() => extractSymmetries((t) => mul(chance(t), 1e-6), x), "ERR_LCONV_ARGUMENT", "chance");
  throwsCode(() => extractSymmetries((t) => log(sum(t, [1, 2])), x), "ERR_LCONV_NONFINITE", "NaN");
  throwsCode(() => extractSymmetries((t) => sum(sqrt(relu(t)), [1, 2]), x), "ERR_LCONV_NONFINITE", "gradient of output 0");
  throwsCode(() => extractSymmetries((t) => sum(t), x), "ERR_LCONV_SHAPE", "100");
  throwsCode(() => extractSymmetries((t) => slice(t, [0, 0, 0], [99, 1, 3]), x), "ERR_LCONV_SHAPE", "99");
  throwsCode(() => extractSymmetries((t) => argmax(reshape(t, [100, 3])), x), "ERR_LCONV_DTYPE", "int32");
  throwsCode(() => extractSymmetries((() => 1) as unknown as Func, x), "ERR_LCONV_ARGUMENT", "Tensor");
});

test("misuse: sizes and options", () => {
  throwsCode(
    () =>
      extractSymmetries(
        squared,
        scope(() => reshape(draw(10, 2, 3), [20, 3])),
      ),
    "ERR_LCONV_SHAPE",
    "[N, m, d]",
    "[20, 3]",
  );
  throwsCode(() => extractSymmetries(squared, draw(10, 1, 3)), "ERR_LCONV_ARGUMENT", "10 equations", "9 unknowns", "at least 18 samples");
  throwsCode(() => extractSymmetries(squared, draw(400, 1, 34)), "ERR_LCONV_ARGUMENT", "d = 34", "1156 unknowns", "`within`");
  throwsCode(() => extractSymmetries(squared, draw(50, 1, 3), { within: so(4) }), "ERR_LCONV_SHAPE", "within acts on 4", "d = 3");
  const bad: [object, string][] = [
    [{ tolerance: 0 }, "tolerance"],
    [{ tolerance: 1 }, "tolerance"],
    [{ tolerance: Number.NaN }, "tolerance"],
    [{ bootstrap: -1 }, "bootstrap"],
    [{ bootstrap: 1.5 }, "bootstrap"],
    [{ output: "both" }, "output"],
  ];
  for (const [options, text] of bad) throwsCode(() => extractSymmetries(squared, draw(50, 1, 3), options), "ERR_LCONV_ARGUMENT", text);
  throwsCode(() => extractSymmetries(squared, draw(50, 1, 3), { tolerence: 0.1 } as object), "ERR_LCONV_OPTION", "tolerance");
});

test.run();
