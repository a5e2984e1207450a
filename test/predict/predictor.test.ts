// also on a GPU
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawGlyphs } from "../../src/data/glyphs.js";
import { prepare, scramblePermutation } from "../../src/data/transform.js";
import { Device, device } from "../../src/engine/device.js";
import type { ErrorCode } from "../../src/errors.js";
import { type Classifier, type ModelName, makeModel, modelNames } from "../../src/models/models.js";
import { WeightSource } from "../../src/nn/init.js";
import { Flatten, Linear } from "../../src/nn/layers.js";
import { Module, Sequential } from "../../src/nn/module.js";
import { logSoftmax } from "../../src/ops/softmax.js";
import { type Prediction, Predictor, type PredictorOptions, type RawSamples } from "../../src/predict/index.js";
import { record } from "../../src/tensor/record.js";
import { scope } from "../../src/tensor/scope.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { everyDevice } from "../support/everyDevice.js";
import { rejectsCode, throwsCode } from "../support/throws.js";

const test = suite("predict/predictor");

const [M, P, Q, K] = [2, 5, 4, 7];
const input = { channels: M, height: P, width: Q, classes: K };
const SIZE = M * P * Q;
const bytesOf = (count: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length: count * SIZE }, (_, i) => ((i + 977 * seed) * 2654435761) >>> 24);
const small = (name: ModelName, on: Device): Classifier =>
  makeModel(name, input, on, { generators: 2, rank: 3, filters: 4, kernel: 2, seed: 5 });
const predictorOf = (on: Device = device("cpu"), options: Partial<PredictorOptions> = {}): Predictor<Classifier> =>
  new Predictor(small("lconv", on), { input, scale: 255, ...options });

/** softmax of the logits of pixels / scale - 1/2, in the order of `permutation`, sample by sample on the host, but for the network. */
function expected(network: Module, pixels: ArrayLike<number>, on: Device, scale?: number, permutation?: Int32Array): Float64Array {
  const d = P * Q;
  const x = Float32Array.from({ length: pixels.length }, (_, i) => {
    const pixel = pixels[permutation ? Math.floor(i / d) * d + permutation[i % d] : i];
    return scale === undefined ? pixel : pixel / scale - 0.5;
  });
  return scope(() => {
    const logits = network.forward(tensor(x, { shape: [pixels.length / SIZE, M, d], device: on }));
    return Float64Array.from(logSoftmax(logits).dataSync(), Math.exp);
  });
}

function near(got: ArrayLike<number>, want: ArrayLike<number>, what: string): void {
  assert.is(got.length, want.length, what);
  for (let i = 0; i < want.length; i++) assert.ok(Math.abs(got[i] - want[i]) < 2e-6, `${what}: ${got[i]} at ${i}, expected ${want[i]}`);
}

for (const name of modelNames)
  everyDevice(test, `${name}: the probabilities of the network itself, scaled, scrambled or neither`, async (on) => {
    const network = small(name, on);
    const permutation = scramblePermutation(3, P * Q);
    const all: Partial<PredictorOptions>[] = [{}, { scale: 200 }, { permutation }, { scale: 255, permutation }];
    for (const options of on.asynchronous ? all.slice(-1) : all) {
      const predictor = new Predictor(network, { input, ...options, batch: 4 });
      const pixels = options.scale === undefined ? Float32Array.from(bytesOf(11), (byte) => byte / 255) : bytesOf(11);
      const want = expected(network, pixels, on, options.scale, options.permutation);
      const { classes, probabilities } = await predictor.predict(pixels);
      near(probabilities, want, JSON.stringify(Object.keys(options)));
      classes.forEach((label, i) => {
        const row = [...probabilities.subarray(i * K, (i + 1) * K)];
        assert.is(label, row.indexOf(Math.max(...row)));
      });
      const floats = await predictor.predict(Float32Array.from(pixels));
      near(floats.probabilities, want, "as float32");
    }
    network.dispose();
  });

everyDevice(test, "any number of samples, in batches of any size", async (on) => {
  const network = small("lconv", on);
  const pixels = bytesOf(200);
  const want = expected(network, pixels, on, 255);
  for (const batch of [1, 3, 64, 5000]) {
    const predictor = new Predictor(network, { input, scale: 255, batch });
    for (const n of [1, 2, 3, 63, 64, 65, 200]) {
      const { classes, probabilities } = await predictor.predict(pixels.subarray(0, n * SIZE));
      assert.is(classes.length, n);
      near(probabilities, want.subarray(0, n * K), `${n} samples, batch ${batch}`);
    }
  }
  network.dispose();
});

test("more samples than a run holds, and the training data of prepare as raw pixels", async () => {
  const raw = drawGlyphsNow();
  const prepared = await prepare(raw, { variant: "default" });
  const size = { channels: 1, height: 28, width: 28, classes: 10 };
  const network = makeModel("lconv", size, device("cpu"), { generators: 2, rank: 3, filters: 4 });
  const { scale } = prepared;
  using predictor = new Predictor(network, { input: size, scale });
  const { probabilities, classes } = await predictor.predict(raw.test.pixels); // 3,000 samples, of which a run takes 1,024
  const want = scope(() => {
    const x = tensor((prepared.test as { x: Float32Array }).x, { shape: [classes.length, 1, 784], device: device("cpu") });
    return Float64Array.from(logSoftmax(network.forward(x)).dataSync(), Math.exp);
  });
  near(probabilities, want, "glyphs");
});

function drawGlyphsNow() {
  const drawing = drawGlyphs({ train: 200, test: 3000 });
  for (;;) {
    const { done, value } = drawing.next();
    if (done) return value;
  }
}

everyDevice(test, "calls at once share their runs, and each gets its own answers", async (on) => {
  const predictor = predictorOf(on, { batch: 16 });
  const calls = Array.from({ length: 30 }, (_, i) => bytesOf(1 + ((i * 7) % 23), i));
  const alone: Prediction[] = [];
  for (const pixels of calls) alone.push(await predictor.predict(pixels));
  const mixed = await Promise.all(calls.map((pixels, i) => predictor.predict(i % 3 === 0 ? Float32Array.from(pixels) : pixels)));
  mixed.forEach((answer, i) => {
    near(answer.probabilities, alone[i].probabilities, `call ${i}`);
    assert.is(answer.classes.length, calls[i].length / SIZE);
  });
  predictor.dispose();
});

test("a long call does not keep short ones waiting", async () => {
  using predictor = predictorOf();
  const ended: string[] = [];
  const long = predictor.predict(bytesOf(300_000)).then(() => ended.push("long"));
  const short = Array.from({ length: 20 }, () => predictor.predict(bytesOf(1)).then(() => ended.push("short")));
  await Promise.all([long, ...short]);
  assert.is(ended.at(-1), "long");
  const late = predictor.predict(bytesOf(300_000)).then(() => ended.push("long"));
  await new Promise((done) => setTimeout(done, 5));
  await predictor.predict(bytesOf(1)).then(() => ended.push("late"));
  await late;
  assert.equal(ended.slice(-2), ["late", "long"]);
});

test("the event loop turns while samples are computed", async () => {
  using predictor = predictorOf();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await predictor.predict(bytesOf(400_000));
  clearInterval(timer);
  assert.ok(turns > 3, `${turns} turns`);
});

function shared(pixels: Uint8Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(pixels.length);
  new Uint8Array(memory).set(pixels);
  return memory;
}

test("an array of a class of one's own is read as the values that it has", async () => {
  class Image extends Uint8Array {
    constructor(width: number, height: number) {
      super(width * height);
    }
  }
  using predictor = predictorOf();
  const image = new Image(SIZE, 1);
  image.set(bytesOf(1, 4));
  const want = await predictor.predict(bytesOf(1, 4));
  await predictor.predict(new Uint8Array(SIZE).fill(200));
  near((await predictor.predict(image)).probabilities, want.probabilities, "alone");
  near((await predictor.predict([image, image])).probabilities.subarray(0, K), want.probabilities, "in a list");
});

test("memory that is taken away during a call is an error of that call alone", async () => {
  using predictor = predictorOf();
  const want = await predictor.predict(bytesOf(2));
  for (const pixels of [bytesOf(3), Float32Array.from(bytesOf(3))]) {
    for (const turns of [0, 1, 2, 3]) {
      const doomed = pixels.slice();
      const call = predictor.predict(doomed).catch((error: Error & { code?: string }) => error);
      for (let i = 0; i < turns; i++) await null;
      const other = predictor.predict(bytesOf(2));
      structuredClone(doomed, { transfer: [doomed.buffer] });
      near((await other).probabilities, want.probabilities, "the other call");
      const outcome = (await call) as { code?: string; classes?: Int32Array };
      assert.ok(outcome.classes?.length === 3 || outcome.code === "ERR_LCONV_DATA", `${turns}: ${JSON.stringify(outcome)}`);
    }
  }
});

test("what the caller changes after construction does not count", async () => {
  const permutation = scramblePermutation(2, P * Q);
  const own = { ...input };
  const network = small("fc", device("cpu"));
  using predictor = new Predictor(network, { input: own, scale: 255, permutation });
  const want = await predictor.predict(bytesOf(5));
  permutation.fill(0);
  own.height = 1;
  near((await predictor.predict(bytesOf(5))).probabilities, want.probabilities, "the same size");
  near((await predictor.predict(bytesOf(2))).probabilities, want.probabilities.subarray(0, 2 * K), "another size");
});

test("NaN is an error, not class 0", async () => {
  using predictor = predictorOf();
  const [W] = predictor.network.parameters();
  W.set(new Float32Array(W.size).fill(Number.NaN));
  await rejectsCode(predictor.predict(bytesOf(3)), "ERR_LCONV_NONFINITE", "sample 0");
});

test("every form of samples that has the same pixels gives the same answer", async () => {
  using predictor = predictorOf();
  const pixels = bytesOf(3);
  const want = await predictor.predict(pixels);
  const d = P * Q;
  const numbers = [...pixels];
  const nested = (...shape: number[]): RawSamples =>
    tensor(numbers, { shape: [numbers.length] })
      .view(shape)
      .toArray() as RawSamples;
  const forms: Record<string, RawSamples> = {
    clamped: Uint8ClampedArray.from(pixels),
    int16: Int16Array.from(pixels),
    float64: Float64Array.from(pixels),
    int64: BigInt64Array.from(pixels, BigInt),
    buffer: Buffer.from(pixels),
    "rows of buffers and bytes": [Buffer.from(pixels.subarray(0, SIZE)), pixels.subarray(SIZE, 2 * SIZE), pixels.subarray(2 * SIZE)],
    "shape with numbers": { shape: [3, SIZE], data: numbers },
    "shared memory": new Uint8Array(shared(pixels)),
    "rows of bytes": [0, 1, 2].map((i) => pixels.subarray(i * SIZE, (i + 1) * SIZE)),
    "shape [N, m, p, q]": { shape: [3, M, P, Q], data: pixels },
    "shape [N, m, d]": { shape: [3, M, d], data: Int32Array.from(pixels) },
    "shape [N, m d]": { shape: [3, SIZE], data: Float32Array.from(pixels) },
    tensor: tensor(Float32Array.from(pixels), { shape: [3, M, P, Q] }),
    "int32 tensor": tensor(Int32Array.from(pixels), { shape: [3, M, d] }),
    "nested arrays": nested(3, M, P, Q),
  };
  for (const [name, x] of Object.entries(forms)) near((await predictor.predict(x)).probabilities, want.probabilities, name);
  for (const one of [nested(3, M, P, Q), nested(3, SIZE)] as (readonly number[])[][])
    assert.equal((await predictor.predict(one[1])).classes, want.classes.slice(1, 2), "one sample");
  const gray = { channels: 1, height: 4, width: 5, classes: 3 };
  using images = new Predictor(makeModel("fc", gray, device("cpu"), { generators: 1, rank: 2, filters: 2 }), { input: gray });
  const rows = Array.from({ length: 4 }, () => [1, 2, 3, 4, 5]);
  assert.equal((await images.predict([rows, rows])).classes.length, 2);
  assert.equal((await images.predict(rows)).classes.length, 1);
});

function withHole(): unknown[] {
  const list: unknown[] = [new Uint8Array(SIZE)];
  list[2] = new Uint8Array(SIZE);
  return list;
}

function itself(): unknown[] {
  const list: unknown[] = [];
  list[0] = list;
  return list;
}

const refused: [string, unknown, ErrorCode, string][] = [
  ["no samples", new Uint8Array(0), "ERR_LCONV_DATA", "at least one sample"],
  ["no samples in a list", [], "ERR_LCONV_DATA", "at least one sample"],
  ["no samples in a shape", { shape: [0, M, P, Q], data: new Float32Array(0) }, "ERR_LCONV_DATA", "at least one sample"],
  ["a part of a sample", new Uint8Array(SIZE + 1), "ERR_LCONV_SHAPE", `[N, ${M}, ${P}, ${Q}]`],
  ["another shape of as many values", { shape: [1, M, Q, P], data: new Uint8Array(SIZE) }, "ERR_LCONV_SHAPE", `got [1, ${M}, ${Q}, ${P}]`],
  ["a shape that the data do not fill", { shape: [2, M, P, Q], data: new Uint8Array(SIZE) }, "ERR_LCONV_SHAPE", `needs ${2 * SIZE} values`],
  ["ragged arrays", [[1, 2], [3]], "ERR_LCONV_SHAPE", "rectangular"],
  ["rows of two types", [new Uint8Array(SIZE), new Float32Array(SIZE)], "ERR_LCONV_SHAPE", "number 1 a Float32Array"],
  [
    "NaN",
    Float32Array.from({ length: 2 * SIZE }, (_, i) => (i === SIZE + 3 ? Number.NaN : 1)),
    "ERR_LCONV_DATA",
    "sample 1 has NaN at position 3",
  ],
  ["Infinity as float64", new Float64Array(SIZE).fill(1e39), "ERR_LCONV_DATA", "sample 0 has Infinity"],
  ["text", "image", "ERR_LCONV_DTYPE", "got image"],
  ["nothing", undefined, "ERR_LCONV_DTYPE", "got undefined"],
  ["null", null, "ERR_LCONV_DTYPE", "got null"],
  ["a proxy of an array", new Proxy(new Uint8Array(SIZE), {}), "ERR_LCONV_DTYPE", "got Uint8Array"],
  ["what only looks like an array", Object.create(Uint8Array.prototype), "ERR_LCONV_DTYPE", "samples are"],
  ["a view of other bytes", new DataView(new ArrayBuffer(SIZE)), "ERR_LCONV_DTYPE", "got DataView"],
  ["a list with a hole", withHole(), "ERR_LCONV_DTYPE", "number 1 of a list of arrays is undefined"],
  ["an array that holds itself", itself(), "ERR_LCONV_SHAPE", "more than 32 deep"],
  ["a shape that is no list of sizes", { shape: [1n, SIZE], data: new Uint8Array(SIZE) }, "ERR_LCONV_SHAPE", "a shape is a list of sizes"],
  ["a shape of fractions", { shape: [0.5, 2 * SIZE], data: new Uint8Array(SIZE) }, "ERR_LCONV_SHAPE", "a shape is a list of sizes"],
  ["a shape of a million axes", { shape: new Array(1e6).fill(1), data: new Uint8Array(SIZE) }, "ERR_LCONV_SHAPE", "needs 1 values"],
  ["a buffer", new ArrayBuffer(SIZE), "ERR_LCONV_DTYPE", "got ArrayBuffer"],
  ["rows of text", [new Uint8Array(SIZE), "row"], "ERR_LCONV_DTYPE", "number 1 of a list of arrays is row"],
];
for (const [name, x, code, text] of refused)
  test(`refuses ${name}`, async () => {
    using predictor = predictorOf();
    await rejectsCode(predictor.predict(x as RawSamples), code, text);
    assert.is((await predictor.predict(bytesOf(1))).classes.length, 1);
  });

test("a call is aborted alone; others and later ones are answered", async () => {
  using predictor = predictorOf();
  const controller = new AbortController();
  const want = await predictor.predict(bytesOf(5));
  const [aborted, other] = [predictor.predict(bytesOf(400_000), { signal: controller.signal }), predictor.predict(bytesOf(5))];
  setTimeout(() => controller.abort(new Error("enough")), 10);
  await aborted.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "enough"),
  );
  near((await other).probabilities, want.probabilities, "the other call");
  await predictor.predict(bytesOf(1), { signal: controller.signal }).then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "enough"),
  );
  near((await predictor.predict(bytesOf(5))).probabilities, want.probabilities, "a later call");
});

test("a signal that says no reason ends a call all the same; what is no signal is an error", async () => {
  using predictor = predictorOf();
  const bare = Object.assign(new EventTarget(), { aborted: false }) as unknown as AbortSignal;
  const call = predictor.predict(bytesOf(400_000), { signal: bare });
  setTimeout(() => bare.dispatchEvent(new Event("abort")), 5);
  await call.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.name, "AbortError"),
  );
  for (const signal of [{}, 5, null])
    await rejectsCode(predictor.predict(bytesOf(1), { signal: signal as unknown as AbortSignal }), "ERR_LCONV_ARGUMENT", "AbortSignal");
  await rejectsCode(predictor.predict(bytesOf(1), null as unknown as object), "ERR_LCONV_ARGUMENT", "options must be an object");
});

test("many calls share a signal without a warning", async () => {
  using predictor = predictorOf();
  const { signal } = new AbortController();
  const warnings: Error[] = [];
  const listener = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listener);
  await Promise.all(Array.from({ length: 100 }, () => predictor.predict(bytesOf(1), { signal })));
  await new Promise((done) => setImmediate(done));
  process.off("warning", listener);
  assert.equal(warnings, []);
});

everyDevice(test, "dispose ends what waits, frees everything, and may come during a run", async ({ name, threads }) => {
  const on = new Device(name, threads); // its own: the shared one has what other tests left to the garbage collector
  const predictor = predictorOf(on);
  await predictor.predict(bytesOf(70));
  const long = bytesOf(on.asynchronous ? 4000 : 300_000);
  const calls = [predictor.predict(long), predictor.predict(long)];
  await new Promise((done) => setTimeout(done, 1));
  predictor.dispose();
  predictor.dispose();
  for (const call of calls) await rejectsCode(call, "ERR_LCONV_DISPOSED", "disposed of");
  await rejectsCode(predictor.predict(bytesOf(1)), "ERR_LCONV_DISPOSED");
  for (let i = 0; i < 200 && on.memory().tensors > 0; i++) await new Promise((done) => setTimeout(done, 5));
  assert.is(on.memory().tensors, 0);
  on.dispose();
});

test("memory does not grow with calls", async () => {
  const on = new Device("cpu", 1);
  const predictor = predictorOf(on);
  await predictor.predict(bytesOf(3));
  await Promise.all(Array.from({ length: 9 }, () => predictor.predict(bytesOf(1))));
  const { tensors, bytes } = on.memory();
  for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 9 }, () => predictor.predict(bytesOf(1))));
  const after = on.memory();
  assert.equal([after.tensors, after.bytes], [tensors, bytes]);
  predictor.dispose();
  on.dispose();
});

test("a network of one's own; one that returns something else is an error of each call", async () => {
  const source = new WeightSource(device("cpu"), 0);
  const network = new Sequential(new Flatten(), new Linear(source, SIZE, K));
  using predictor = new Predictor(network, { input, scale: 255 });
  near((await predictor.predict(bytesOf(4))).probabilities, expected(network, bytesOf(4), device("cpu"), 255), "own");
  class Wrong extends Module {
    override forward(x: Tensor): Tensor {
      return x;
    }
  }
  const wrong = new Predictor(new Wrong(), { input });
  await rejectsCode(wrong.predict(bytesOf(2)), "ERR_LCONV_SHAPE", `logits [2, ${K}], got [2, ${M}, ${P * Q}]`);
  await rejectsCode(wrong.predict(bytesOf(2)), "ERR_LCONV_SHAPE");
});

test("a network whose weights another program writes is busy, and answers afterwards", async () => {
  using predictor = predictorOf();
  const want = await predictor.predict(bytesOf(2));
  const [W] = predictor.network.parameters();
  const before = W.dataSync() as Float32Array;
  const writing = record(() => {
    W.device.execute("fill", [W.size, 0], [W]);
  }, W.device);
  const run = writing.run({ steps: 2_000_000 });
  await rejectsCode(predictor.predict(bytesOf(2)), "ERR_LCONV_BUSY");
  await run;
  W.set(before);
  near((await predictor.predict(bytesOf(2))).probabilities, want.probabilities, "afterwards");
  writing.dispose();
});

test("wrong options are errors", () => {
  const network = small("fc", device("cpu"));
  const make = (options: object) => () => new Predictor(network, { input, ...options } as PredictorOptions);
  throwsCode(make({ scales: 1 }), "ERR_LCONV_OPTION", "scale");
  throwsCode(make({ batch: 0 }), "ERR_LCONV_ARGUMENT", "batch");
  throwsCode(make({ scale: 0 }), "ERR_LCONV_ARGUMENT", "scale must be a positive number of float32, got 0");
  throwsCode(make({ scale: Number.NaN }), "ERR_LCONV_ARGUMENT", "got NaN");
  throwsCode(make({ permutation: Int32Array.of(0, 1) }), "ERR_LCONV_ARGUMENT", `each of the ${P * Q} pixels once`);
  throwsCode(make({ permutation: new Int32Array(P * Q) }), "ERR_LCONV_ARGUMENT");
  throwsCode(make({ scale: 1e-300 }), "ERR_LCONV_ARGUMENT", "of float32");
  throwsCode(make({ permutation: null }), "ERR_LCONV_ARGUMENT", "got null");
  throwsCode(make({ input: undefined }), "ERR_LCONV_ARGUMENT", "input must be");
  throwsCode(() => new Predictor({} as unknown as Module, { input }), "ERR_LCONV_ARGUMENT", "must be a Module");
  throwsCode(() => new Predictor(network, undefined as unknown as PredictorOptions), "ERR_LCONV_ARGUMENT", "options must be an object");
  throwsCode(make({ input: { ...input, height: 0 } }), "ERR_LCONV_ARGUMENT", "input.height");
  network.dispose();
});

test.run();
