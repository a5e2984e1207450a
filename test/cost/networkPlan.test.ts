import { suite } from "uvu";
import * as assert from "uvu/assert";
import { gradients } from "../../src/autograd/autograd.js";
import { recordStep } from "../../src/cost/cases.js";
import { type CpuRates, estimateOnCpu, measureCpu } from "../../src/cost/cpuEstimate.js";
import { planGenerators } from "../../src/cost/generatorForms.js";
import { lconvWork } from "../../src/cost/lconvWork.js";
import { planNetwork, planOnGpu, type TrainingOptions } from "../../src/cost/networkPlan.js";
import { imageShapes } from "../../src/data/catalog.js";
import { glyphs } from "../../src/data/glyphs.js";
import { Device, device as deviceOf, planningDevice } from "../../src/engine/device.js";
import { LconvError } from "../../src/errors.js";
import type { Basis } from "../../src/lie/generators/basis.js";
import { shifts } from "../../src/lie/generators/grids.js";
import { type InputSize, type ModelName, type ModelOptions, makeModel, modelNames, pools } from "../../src/models/models.js";
import { WeightSource } from "../../src/nn/init.js";
import { LConv } from "../../src/nn/lconv.js";
import { LConvMax } from "../../src/nn/pooling.js";
import type { GeneratorForm } from "../../src/ops/order.js";
import { sum } from "../../src/ops/reduce.js";
import { makeOptimizer } from "../../src/optim/optimizer.js";
import { toTensors } from "../../src/symmetry/tensors.js";
import { scope } from "../../src/tensor/scope.js";
import { zeros } from "../../src/tensor/tensor.js";
import { countMultiplyAdds } from "../support/countMultiplyAdds.js";
import { skip } from "../support/skip.js";
import { throwsCode } from "../support/throws.js";

const test = suite("experiments/networkPlan");
const cpu = deviceOf("cpu");
const input: InputSize = { channels: 2, height: 7, width: 6, classes: 4 };
const small = { filters: 3, generators: 2, rank: 2, kernel: 2 };

interface Network {
  name: ModelName;
  options: ModelOptions;
}

/** Every model with one and two layers and every pool it takes. */
const networks: readonly Network[] = modelNames.flatMap((name) =>
  ([1, 2] as const).flatMap((layers) =>
    pools.filter((pool) => pool === "none" || name.startsWith("lconv")).map((pool) => ({ name, options: { layers, pool } })),
  ),
);
const label = ({ name, options }: Network): string => `${name} ${options.layers} ${options.pool}`;

/** Records a train step on a device of its own. */
function recorded<T>({ name, options }: Network, of: InputSize, batch: number, read: (device: Device, multiplyAdds: number) => T): T {
  const device = new Device("cpu", 1);
  try {
    const record = () => void recordStep(name, of, { ...options, initializer: "zeros" }, device, { batch, optimizer: "sgd" });
    return read(device, countMultiplyAdds(device, record));
  } finally {
    device.dispose();
  }
}

test("parameters, frozen values and shapes are those of the model", () => {
  for (const { name, options } of networks) {
    const model = makeModel(name, input, cpu, { ...small, ...options });
    const plan = planNetwork(name, input, { ...small, ...options });
    const all = [...model.namedParameters().values()].reduce((n, t) => n + t.size, 0);
    assert.is(plan.params, model.parameterCount(), label({ name, options }));
    assert.is(plan.params + plan.frozen, all);
    assert.is(plan.paramBytes, 4 * all);
    assert.equal(plan.layers.at(-1)?.out, [4]);
    model.dispose();
  }
});

test("flops are twice the multiply-adds of the commands, forward and of the whole step", () => {
  for (const { name, options } of networks) {
    for (const sizes of [small, { ...small, filters: 9, rank: 1, kernel: 3, padding: "same" } as const]) {
      const network = { name, options: { ...sizes, ...options } };
      const plan = planNetwork(name, input, network.options, { batch: 5 });
      assert.is(
        plan.stepFlops,
        recorded(network, input, 5, (_, n) => 2 * n),
        label(network),
      );
      const model = makeModel(name, input, cpu, network.options);
      const forward = countMultiplyAdds(cpu, () => scope(() => void model.forward(zeros([5, 2, 42], { device: cpu }))));
      assert.is(plan.forwardFlops, 2 * forward, label(network));
      model.dispose();
    }
  }
});

test("what a step holds is near the device's peak for images of real sizes: within 14 %, with pooling down to a third below", () => {
  for (const [name, batch] of [
    ["mnist", 16],
    ["mnist", 64],
    ["cifar100", 16],
  ] as const) {
    const { count: _count, ...size } = imageShapes[name];
    for (const network of networks) {
      const peak = recorded(network, size, batch, (device) => device.memory().peakBytes);
      const ratio = planNetwork(network.name, size, network.options, { batch, optimizer: "sgd" }).peakBytes / peak;
      const pools = network.name === "cnn-pool" || network.options.pool !== undefined;
      assert.ok(ratio < 1.1 && ratio > (pools ? 0.66 : 0.86), `${label(network)} on ${name}, batch ${batch}: ${ratio}`);
    }
  }
});

/** A GPU that counts, each command by itself, or undefined with the test marked as skipped. */
function counting(): Device | undefined {
  process.env["LCONV_CUDA_GEMM"] = "cublas"; // with it no command with a product is joined with another
  try {
    return planningDevice();
  } catch (error) {
    if (!(error instanceof LconvError && error.code === "ERR_LCONV_CUDA_MODULE")) throw error;
    skip("this build has no CUDA part");
    return undefined;
  } finally {
    delete process.env["LCONV_CUDA_GEMM"];
  }
}

test("bytes moved are within a quarter of what a GPU's program counts; all models are predicted", () => {
  const device = counting();
  if (!device) return;
  const { count: _count, ...size } = imageShapes.mnist;
  for (const { name, options } of networks) {
    const { mb, predictedUsLow, measured } = planOnGpu(device, "h100", name, size, options, { batch: 64, optimizer: "sgd" });
    const ratio = planNetwork(name, size, options, { batch: 64, optimizer: "sgd" }).movedBytes / 1e6 / mb;
    assert.ok(Math.abs(ratio - 1) < 0.25, `${label({ name, options })}: ${ratio}`);
    assert.ok(predictedUsLow > 0 && !measured);
  }
  device.dispose();
});

test("layers add up to the network, and samples and state lie beside it", () => {
  const rules: [TrainingOptions, number][] = [
    [{ optimizer: "sgd" }, 0],
    [{ optimizer: "sgd", momentum: 0.9 }, 1],
    [{ optimizer: "rmsprop" }, 1],
    [{ optimizer: "adam" }, 2],
    [{ optimizer: "adamw" }, 2],
  ];
  for (const [training, slots] of rules) {
    const plan = planNetwork("lconv", input, { ...small, layers: 2 }, { ...training, batch: 3, samples: 10 });
    for (const key of ["params", "forwardFlops", "stepFlops", "paramBytes", "activationBytes", "optimizerBytes"] as const)
      assert.is(
        plan[key],
        plan.layers.reduce((n, layer) => n + layer[key], 0),
        key,
      );
    assert.is(plan.optimizerBytes, 4 * slots * plan.params);
    const w = zeros([7], { device: cpu, requiresGrad: true });
    const made = makeOptimizer(training.optimizer ?? "sgd", [w], training.momentum === undefined ? {} : { momentum: training.momentum });
    assert.is(made.namedState().size, slots + 1, "the step count and as many tensors as are planned");
    for (const thing of [made, w]) thing.dispose();
    assert.is(plan.dataBytes, 4 * 10 * (2 * 42 + 1));
    const one = planNetwork("lconv", input, { ...small, layers: 2 }, { ...training, batch: 3 });
    assert.is(plan.peakBytes - one.peakBytes, plan.dataBytes - one.dataBytes, "more samples change nothing else");
  }
});

test("a network of gigabytes is planned without memory for it", () => {
  const before = cpu.memory();
  const plan = planNetwork("fc", { channels: 3, height: 512, width: 512, classes: 1000 }, { layers: 2 }, { batch: 4096 });
  assert.ok(plan.peakBytes > 100e9);
  const after = cpu.memory();
  assert.ok(after.bytes <= before.bytes && after.peakBytes - before.peakBytes < 1000);
});

const positions = shifts(
  [6, 7],
  [
    [0, 1],
    [1, 0],
  ],
  { boundary: "circular" },
);

test("the work of dense and sparse generators is that of the commands, with a maximum behind them too", () => {
  const forms: [GeneratorForm, { kind: "dense"; n_L: number } | Basis][] = [
    [{ form: "dense" }, { kind: "dense", n_L: 2 }],
    [{ form: "sparse", nnz: 42 }, positions],
  ];
  for (const [g, generators] of forms) {
    for (const layer of ["lconv", "lconv-max"] as const) {
      for (const tracked of [false, true]) {
        const sizes = { d: 42, m_in: 2, m_out: 5 };
        const work = lconvWork({ layer, options: { ...sizes, generators: { kind: "learned", n_L: 2, d_h: 1 } } }, g, tracked);
        const Layer = layer === "lconv" ? LConv : LConvMax;
        const made = new Layer(new WeightSource(cpu, 0), { ...sizes, generators });
        scope(() => {
          const h = zeros([3, 2, 42], { device: cpu, requiresGrad: tracked });
          let y = h;
          const forward = countMultiplyAdds(cpu, () => {
            y = made.forward(h);
          });
          const leaves = [...made.parameters(), ...(tracked ? [h] : [])];
          const backward = countMultiplyAdds(cpu, () => gradients(sum(y), leaves));
          assert.equal([3 * work.forward, 3 * work.backward], [forward, backward], `${g.form} ${layer} ${tracked}`);
        });
        made.dispose();
      }
    }
  }
});

test("generators: the own form first, its flops those of the layer, bytes those of the tensors", () => {
  for (const pool of ["none", "max"] as const) {
    const options = { ...small, layers: 2, pool } as const;
    const plans = planGenerators("lconv", input, options, 5);
    const { layers } = planNetwork("lconv", input, options, { batch: 5 });
    assert.equal(
      plans.map(({ layer, m_in }) => [layer, m_in]),
      [
        [1, 2],
        [2, 3],
      ],
    );
    for (const { layer, forms } of plans) {
      assert.is(forms[0].stepFlops, layers[layer - 1].stepFlops);
      assert.equal(
        forms.map(({ form, trained }) => [form, trained]),
        [
          ["lowRank", true],
          ["dense", true],
          ["sparse", false],
          ["sparse", false],
        ],
      );
      assert.equal([forms[0].generatorBytes, forms[1].generatorBytes], [4 * 2 * 2 * 42 * 2, 4 * 2 * 42 * 42]);
      const shift = toTensors(cpu, positions, false);
      const csr = shift.form === "sparse" ? shift.matrices.flatMap(({ forward, transposed }) => [forward, transposed]) : [];
      const values = csr.reduce((n, { rowStart, column, value }) => n + rowStart.size + column.size + value.size, 0);
      assert.is(forms[2].generatorBytes, 4 * values);
    }
  }
  assert.ok(planGenerators("lconv-random", input, small).every(({ forms }) => forms.every(({ trained }) => !trained)));
  assert.equal(planGenerators("cnn", input, small), []);
  assert.is(planGenerators("lconv", input, { ...small, layers: 2, pool: "strided" }).length, 2, "strided layers have no other forms");
});

test("break-even rank and entries: no more work there, more work at one more", () => {
  for (const { name, options } of networks.filter((network) => network.name.startsWith("lconv"))) {
    planGenerators(name, input, { ...small, ...options }).forEach(({ d, breakEvenRank: rank, forms }, i) => {
      const flops = (d_h: number) => planGenerators(name, input, { ...small, ...options, rank: d_h })[i].forms[0].stepFlops;
      const [own, dense, one, nine] = forms.map(({ stepFlops }) => stepFlops);
      assert.ok(rank > 0 && rank < d);
      // A strided layer takes no rank above the positions that leave it.
      if (options.pool !== "strided") assert.ok(flops(rank) <= dense && flops(rank + 1) > dense, label({ name, options }));
      const nnz = planGenerators(name, input, { ...small, ...options })[i].breakEvenNnz;
      const sparse = (n: number): number => one + ((n - 1) * (nine - one)) / 8;
      assert.ok((nnz === 0 || sparse(nnz) <= own) && sparse(nnz + 1) > own, `${label({ name, options })}: ${nnz}`);
    });
  }
});

test("many channels: even a shift takes more than low rank, whose order mixes them at n_L d_h places instead of n_L d", () => {
  const [, second] = planGenerators("lconv", { channels: 3, height: 32, width: 32, classes: 100 }, { layers: 2, rank: 8 });
  assert.is(second.breakEvenNnz, 0);
});

const rates: CpuRates = { peakGflops: 100, gbPerSecond: 10, updateNs: 2, maximumNs: 3 };

test("an estimate is the sum of products, bytes, maxima, and the update", () => {
  for (const { name, options } of networks) {
    const plan = planNetwork(name, input, { ...small, ...options }, { batch: 5 });
    const { estimatedMs, layerMs } = estimateOnCpu(plan, rates);
    const bytes = plan.movedBytes - plan.updateBytes;
    const ns = plan.stepFlops / 100 + bytes / 10 + 2 * plan.params + 3 * plan.maxima;
    assert.ok(Math.abs(estimatedMs - ns / 1e6) < 1e-9 * estimatedMs, label({ name, options }));
    assert.is(layerMs.length, plan.layers.length);
    assert.ok(layerMs.every((ms) => ms > 0));
  }
});

test("an estimate grows with the batch", () => {
  const ms = (batch: number): number => estimateOnCpu(planNetwork("lconv", input, small, { batch }), rates).estimatedMs;
  assert.ok(ms(1) > 0 && ms(2) > ms(1) && ms(64) > 10 * ms(2));
});

test("the rates of this machine are positive, that of a maximum only where there is one", async () => {
  const pooled = await measureCpu(cpu, planNetwork("cnn-pool", input, small));
  assert.ok(Object.values(pooled).every((rate) => rate > 0));
  const { maximumNs, ...others } = await measureCpu(cpu, planNetwork("fc", input, small));
  assert.is(maximumNs, 0);
  assert.ok(Object.values(others).every((rate) => rate > 0));
});

test("sizes that are known without the data are those of the data", () => {
  const { count, channels, height, width, classes } = glyphs().train;
  assert.equal(imageShapes.glyphs, { count, channels, height, width, classes });
});

test("misuse", () => {
  const plan = (training: object) => () => planNetwork("lconv", input, small, training);
  throwsCode(plan({ batchSize: 3 }), "ERR_LCONV_OPTION", "batchSize", "batch");
  throwsCode(plan({ batch: 0 }), "ERR_LCONV_ARGUMENT", "batch");
  throwsCode(plan({ batch: 8, samples: 7 }), "ERR_LCONV_ARGUMENT", "samples");
  throwsCode(plan({ optimizer: "adam", momentum: 0.9 }), "ERR_LCONV_OPTION", "momentum");
  throwsCode(plan({ optimizer: "sdg" }), "ERR_LCONV_ARGUMENT", "sdg");
  throwsCode(() => planNetwork("lcnov" as ModelName, input), "ERR_LCONV_ARGUMENT", "lcnov");
  throwsCode(() => planNetwork("cnn", input, { pool: "max" }), "ERR_LCONV_ARGUMENT", "cnn-pool");
  throwsCode(() => planNetwork("lconv", input, { rank: 43 }), "ERR_LCONV_ARGUMENT", "d_h");
  throwsCode(() => planGenerators("lconv", input, { rank: 0 }), "ERR_LCONV_ARGUMENT", "d_h");
  throwsCode(() => planOnGpu(cpu, "h100", "lconv", input, small), "ERR_LCONV_DEVICE", "does not count");
});

test.run();
