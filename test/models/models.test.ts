// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { LconvError } from "../../src/errors.js";
import { type InputSize, type ModelName, type ModelOptions, makeModel } from "../../src/models/models.js";
import { LConvMax, LConvStrided } from "../../src/nn/index.js";
import { randn } from "../../src/tensor/random.js";
import { scope } from "../../src/tensor/scope.js";
import { zeros } from "../../src/tensor/tensor.js";
import { throwsCode } from "../support/throws.js";

const test = suite("models");
const mnist: InputSize = { channels: 1, height: 28, width: 28, classes: 10 };
const cifar10: InputSize = { channels: 3, height: 32, width: 32, classes: 10 };
const cifar100: InputSize = { ...cifar10, classes: 100 };

// The authors gave every L-conv layer one bias per generator, (n_L + 1) m_out, of which only the sum matters; we have m_out.
const spareBiases = (n_L: number, layers: number, m_out = 32): number => layers * n_L * m_out;

const rows: [string, ModelName, InputSize, ModelOptions, number][] = [
  ["Fig 2 L-conv, MNIST", "lconv", mnist, {}, 452_170 - spareBiases(8, 1)],
  ["Fig 2 random L-conv, MNIST, trained part", "lconv-random", mnist, {}, 251_466 - spareBiases(8, 1)],
  ["Fig 2 CNN, MNIST", "cnn", mnist, {}, 216_650],
  ["Fig 2 FC, MNIST", "fc", mnist, {}, 4_001_690],
  ["Fig 2 L-conv, CIFAR10", "lconv", cifar10, {}, 590_986 - spareBiases(8, 1)],
  ["Fig 2 random L-conv, CIFAR10", "lconv-random", cifar10, {}, 328_842 - spareBiases(8, 1)],
  ["Fig 2 CNN, CIFAR10", "cnn", cifar10, {}, 288_906],
  ["Fig 2 FC, CIFAR10", "fc", cifar10, {}, 5_521_562],
  ["Fig 2 L-conv, CIFAR100", "lconv", cifar100, {}, 3_540_196 - spareBiases(8, 1)],
  ["Fig 2 CNN, CIFAR100", "cnn", cifar100, {}, 2_880_996],
  ["Fig 2 FC, CIFAR100", "fc", cifar100, {}, 8_470_772],
  ["Fig 3 L-conv", "lconv", cifar100, { rank: 8 }, 3_409_124 - spareBiases(8, 1)],
  ["Fig 3 two L-conv layers", "lconv", cifar100, { rank: 8, layers: 2 }, 3_549_700 - spareBiases(8, 2)],
  ["Fig 3 two CNN layers, stacked", "cnn", cifar100, { layers: 2 }, 2_519_044],
  ["Fig 3 CNN with pooling", "cnn-pool", cifar100, {}, 2_692_196],
  ["Fig 3 two CNN layers with pooling", "cnn-pool", cifar100, { layers: 2 }, 2_173_444],
  ["Fig 3 FC", "fc", cifar100, { rank: 8 }, 5_890_220],
  ["Fig 3 two FC layers, stacked", "fc", cifar100, { rank: 8, layers: 2 }, 10_641_652],
  ["Fig 3 shallow FC", "fc-shallow", cifar100, { rank: 8 }, 3_411_075],
  ["Fig 3 shallow FC beside two layers", "fc-shallow", cifar100, { rank: 8, layers: 2 }, 3_550_687],
  ["the 188,362 network of the notebooks", "lconv", mnist, { generators: 5, rank: 8, filters: 16 }, 188_362 - spareBiases(5, 1, 16)],
  // d = 784; a strided layer has 8 x 16 (d + d_out) + 8 x 32^2 + 32 values
  ["max pooling costs no parameters", "lconv", mnist, { pool: "max" }, 452_170 - spareBiases(8, 1)],
  ["strided, MNIST", "lconv", mnist, { pool: "strided" }, 201_024 + 158_752 + (392 * 32 + 1) * 10],
  ["strided by 3, MNIST", "lconv", mnist, { pool: "strided", stride: 3 }, 201_024 + 141_984 + (261 * 32 + 1) * 10],
  ["strided, random", "lconv-random", mnist, { pool: "strided" }, 320 + 8_224 + (392 * 32 + 1) * 10],
  ["two layers, strided", "lconv", mnist, { pool: "strided", layers: 2 }, 201_024 + 158_752 + 109_600 + 83_488 + (196 * 32 + 1) * 10],
];

for (const [title, name, input, options, expected] of rows) {
  test(`parameter count: ${title}`, () => {
    const model = makeModel(name, input, device(), { ...options, initializer: "zeros" });
    assert.is(model.parameterCount(), expected);
    model.dispose();
  });
}

test("every model maps [B, m, d] to [B, classes], with one and with two layers", () => {
  const input: InputSize = { channels: 2, height: 7, width: 6, classes: 4 };
  for (const name of ["lconv", "lconv-random", "cnn", "cnn-pool", "fc", "fc-shallow"] as const) {
    for (const layers of [1, 2] as const) {
      scope(() => {
        const model = makeModel(name, input, device(), { layers, filters: 3, generators: 2, rank: 3, kernel: 2 });
        assert.equal(model.forward(randn([5, 2, 42])).shape, [5, 4], `${name} ${layers}`);
        model.dispose();
      });
    }
  }
});

test("pooling: shapes, positions and frozen parts, and which layers count as L-conv", () => {
  const input: InputSize = { channels: 2, height: 7, width: 6, classes: 4 };
  for (const name of ["lconv", "lconv-random"] as const) {
    for (const layers of [1, 2] as const) {
      scope(() => {
        const sizes = { layers, filters: 3, generators: 2, rank: 2 };
        const max = makeModel(name, input, device(), { ...sizes, pool: "max" });
        assert.equal(max.forward(randn([5, 2, 42])).shape, [5, 4]);
        assert.ok(max.lconvLayers().every((layer) => layer instanceof LConvMax));
        assert.is(max.lconvLayers().length, layers);
        const strided = makeModel(name, input, device(), { ...sizes, pool: "strided", stride: 4 });
        assert.equal(strided.forward(randn([5, 2, 42])).shape, [5, 4]);
        assert.is(strided.lconvLayers().length, layers);
        const positions = strided.hidden.map((layer) => (layer instanceof LConvStrided ? layer.d_out : "L-conv"));
        assert.equal(positions, ["L-conv", 10, "L-conv", 2].slice(0, 2 * layers));
        const frozen = [...strided.namedParameters()].filter(([, t]) => !t.requiresGrad).map(([key]) => key);
        assert.equal(frozen, name === "lconv" ? [] : strided.hidden.flatMap((_, i) => [`${i}.U`, `${i}.V`]));
        for (const model of [max, strided]) model.dispose();
      });
    }
  }
});

test("the same seed gives the same weights, another seed others", () => {
  const weights = (seed: number): number[] => {
    const model = makeModel("lconv", { channels: 1, height: 4, width: 4, classes: 3 }, device(), {
      filters: 2,
      generators: 2,
      rank: 2,
      seed,
    });
    const values = [...model.namedParameters().values()].flatMap((t) => [...t.dataSync()]);
    model.dispose();
    return values;
  };
  assert.equal(weights(1), weights(1));
  assert.not.equal(weights(1), weights(2));
});

test("parameters have the names of the design", () => {
  const model = makeModel("lconv", { channels: 1, height: 4, width: 4, classes: 3 }, device(), {
    layers: 2,
    filters: 2,
    generators: 2,
    rank: 2,
  });
  assert.equal([...model.namedParameters().keys()], ["0.U", "0.V", "0.W", "0.b", "1.U", "1.V", "1.W", "1.b", "3.W", "3.b"]);
  assert.equal(model.namedParameters().get("0.U")?.shape, [2, 16, 2]);
  assert.equal(model.namedParameters().get("0.V")?.shape, [2, 2, 16]);
  assert.equal(model.namedParameters().get("1.W")?.shape, [3, 2, 2]);
  model.dispose();
});

const misuse: [string, () => unknown, string, RegExp][] = [
  ["rank 0", () => makeModel("lconv", mnist, device(), { rank: 0 }), "ERR_LCONV_ARGUMENT", /rank \(d_h\).*1 to 784.*got 0/],
  ["rank beyond d", () => makeModel("lconv", mnist, device(), { rank: 785 }), "ERR_LCONV_ARGUMENT", /785/],
  ["no generators", () => makeModel("lconv", mnist, device(), { generators: 0 }), "ERR_LCONV_ARGUMENT", /generators/],
  [
    "unknown option",
    () => makeModel("lconv", mnist, device(), { filter: 3 } as ModelOptions),
    "ERR_LCONV_OPTION",
    /did you mean "filters"/,
  ],
  ["unknown model", () => makeModel("lcon" as ModelName, mnist, device()), "ERR_LCONV_ARGUMENT", /did you mean "lconv"/],
  [
    "unknown pool",
    () => makeModel("lconv", mnist, device(), { pool: "mean" as "max" }),
    "ERR_LCONV_ARGUMENT",
    /"mean".*none, max, strided/,
  ],
  ["pool of a CNN", () => makeModel("cnn", mnist, device(), { pool: "max" }), "ERR_LCONV_ARGUMENT", /lconv-random.*cnn-pool/],
  ["pool of fc", () => makeModel("fc", mnist, device(), { pool: "strided" }), "ERR_LCONV_ARGUMENT", /pool "strided" is for lconv/],
  ["stride 0", () => makeModel("lconv", mnist, device(), { pool: "strided", stride: 0 }), "ERR_LCONV_ARGUMENT", /stride/],
  [
    "stride beyond d",
    () => makeModel("lconv", mnist, device(), { pool: "strided", stride: 785 }),
    "ERR_LCONV_ARGUMENT",
    /stride.*1 to 784/,
  ],
  [
    "rank beyond the positions that are left",
    () => makeModel("lconv", mnist, device(), { pool: "strided", stride: 50, rank: 16 }),
    "ERR_LCONV_ARGUMENT",
    /rank \(d_h\).*1 to 15, got 16/,
  ],
  ["three layers", () => makeModel("cnn", mnist, device(), { layers: 3 as 2 }), "ERR_LCONV_ARGUMENT", /layers/],
  ["kernel that eats the image", () => makeModel("cnn", mnist, device(), { kernel: 28, layers: 2 }), "ERR_LCONV_ARGUMENT", /leave nothing/],
];
for (const [title, make, code, message] of misuse) {
  test(`misuse: ${title}`, () => {
    assert.throws(make, (error: unknown) => error instanceof LconvError && error.code === code && message.test(error.message));
  });
}

test("signals: models without a kernel take images of height 1", () => {
  const signal = { channels: 1, height: 1, width: 20, classes: 2 };
  for (const name of ["lconv", "lconv-random", "fc"] as const) {
    const model = makeModel(name, signal, device(), { filters: 3, generators: 2, rank: 3 });
    assert.equal(model.forward(zeros([4, 1, 20])).shape, [4, 2], name);
    model.dispose();
  }
  throwsCode(() => makeModel("cnn", signal, device()), "ERR_LCONV_ARGUMENT", "kernel must be an integer from 1 to 1");
});

test.run();
