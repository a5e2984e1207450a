import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import { decodeImages, type Images, readImages } from "../../data/arrays.js";
import { check } from "../../errors.js";
import { allocate, ioError } from "../../io/files.js";
import { writeNpz } from "../../io/npz.js";
import { loadModel, type Prediction, type Predictor } from "../../predict/index.js";
import { checkedSamples } from "../../predict/samples.js";
import { deviceFlag, flag, progressFlag, runPrecisionFlag, threadsFlag } from "../run/flags.js";
import { type Context, withReporter } from "../terminal/context.js";
import { type Given, text } from "../terminal/flags.js";
import { count, percent, seconds } from "../terminal/output.js";

export const predictFlags = {
  out: flag("FILE", text("an .npz file", /\.npz$/), "also write classes and probabilities to an .npz file"),
  device: deviceFlag,
  precision: runPrecisionFlag,
  threads: threadsFlag,
  progress: progressFlag,
} as const;

const BLOCK = 4096; // samples between two looks at the progress
const DIGITS = 6;

/** `lconv predict`: what a trained network says about images, a line for each. */
export async function predict(
  { run, input, out: file, progress, ...wanted }: Given<typeof predictFlags> & { run: string; input: string },
  context: Context,
): Promise<void> {
  const { out, signal } = context;
  if (file !== undefined) checkWritable(file, input);
  await withReporter(progress, async (reporter) => {
    const model = await loadModel(run, wanted);
    try {
      const images = input === "-" ? decodeImages(await standardInput(signal), "standard input") : readImages(input);
      const total = (await checkedSamples(images, model.input)).count;
      const note = rangeNote(images, model.scale);
      if (note !== undefined) reporter.line(note);
      const start = performance.now();
      const all = file === undefined ? undefined : roomFor(total, model.input.classes);
      out.text("sample  class  probability");
      for (let from = 0; from < total; from += BLOCK) {
        await predictBlock(model, { images, total }, from, all, context);
        reporter.event({ type: "task", name: "predict", value: Math.min(from + BLOCK, total), total, unit: "samples" });
      }
      const spent = (performance.now() - start) / 1e3;
      if (file !== undefined && all) write(file, all, model.input.classes);
      const done = { event: "done", run, samples: total, classes: model.input.classes, seconds: spent, device: model.device.name };
      out.emit({ ...done, out: file ?? null, notes: note === undefined ? [] : [note] });
      reporter.line(
        `${count(total)} samples in ${seconds(spent)} on ${model.device.name}${file === undefined ? "" : `, written to ${file}`}`,
      );
    } finally {
      model.dispose();
    }
  });
}

/** Predicts the samples from `from` on, prints them, and puts them into `all`. */
async function predictBlock(
  model: Predictor,
  { images: { data }, total }: { images: Images; total: number },
  from: number,
  all: Prediction | undefined,
  { out, signal }: Context,
): Promise<void> {
  const size = data.length / total;
  const { classes, probabilities } = await model.predict(data.subarray(from * size, (from + BLOCK) * size), { signal });
  const K = model.input.classes;
  all?.classes.set(classes, from);
  all?.probabilities.set(probabilities, from * K);
  for (const [i, label] of classes.entries()) {
    const row = probabilities.subarray(i * K, (i + 1) * K);
    out.text(`${String(from + i).padStart(6)}  ${String(label).padStart(5)}  ${percent(row[label]).padStart(11)}`);
    out.emit({
      ...{ event: "prediction", sample: from + i, class: label, probability: rounded(row[label]) },
      probabilities: Array.from(row, rounded),
    });
  }
  await out.drained(signal);
}

const FAR = 4;

/** What makes confident answers wrong most easily: images that were scaled already, or otherwise than those of the training. */
function rangeNote({ data }: Images, scale: number | undefined): string | undefined {
  if (scale === undefined) return undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of data) if (value > most) most = value;
  if (most <= FAR * scale && FAR * most >= scale) return undefined;
  return `note: the largest value of these images is ${rounded(most)}, that of the training images was ${rounded(scale)}; give raw pixels of the same kind`;
}

const rounded = (probability: number): number => Number(probability.toPrecision(DIGITS));

/** Throws ERR_LCONV_OOM. */
const roomFor = (N: number, K: number): Prediction => ({
  classes: new Int32Array(allocate(4 * N, "classes").buffer),
  probabilities: new Float32Array(allocate(4 * N * K, "probabilities").buffer),
});

/** Before the work, not after it. Throws ERR_LCONV_IO. */
function checkWritable(file: string, input: string): void {
  check(resolve(file) !== resolve(input), "ERR_LCONV_ARGUMENT", () => `lconv predict: --out ${file} would replace the images of --input`);
  try {
    accessSync(dirname(resolve(file)), constants.W_OK);
    const there = statSync(file, { throwIfNoEntry: false });
    check(!there || there.isFile(), "ERR_LCONV_IO", () => `cannot write ${file}: it is no file`);
  } catch (error) {
    throw ioError("write", file, error);
  }
}

function write(file: string, { classes, probabilities }: Prediction, K: number): void {
  const N = classes.length;
  writeNpz(file, [
    ["classes", { shape: [N], data: classes }],
    ["probabilities", { shape: [N, K], data: probabilities }],
  ]);
}

async function standardInput(signal: AbortSignal): Promise<Uint8Array> {
  check(!process.stdin.isTTY, "ERR_LCONV_ARGUMENT", () => "lconv predict: --input - reads images from a pipe, such as < images.npz");
  const chunks: Buffer[] = [];
  addAbortSignal(signal, process.stdin);
  try {
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  } catch (error) {
    signal.throwIfAborted();
    throw ioError("read", "standard input", error);
  }
  return new Uint8Array(Buffer.concat(chunks)); // aligned
}
