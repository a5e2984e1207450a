// What a symmetry that was found without labels is worth to training with few of them, as JSON lines: the accuracy on the official test images of an L-conv
// network that was trained on rotated (and, with --scrambled, scrambled) images of `--labels` classes known, plain; moved along the generator that
// `lie.symmetriesFromMoments` finds in all training images, by several widths; and turned by the true rotation, up to 30 degrees either way, 16 copies of
// each image (before the scrambling: what knows the answer). All runs take the same number of steps. The width that the validation images prefer is noted.
//
//   LCONV_DATA=... npx tsx bench/augment.ts --dataset mnist --labels 1000 --seeds 3
import { parseArgs } from "node:util";
import type { Dataset } from "../src/data/dataset.js";
import { Augment, data, device, evaluate, fit, lie, models, Philox } from "../src/index.js";
import { linesOf, reportTo } from "./lines.js";
import { machineLine } from "./machine.js";

const { values } = parseArgs({
  options: {
    dataset: { type: "string", default: "mnist" },
    labels: { type: "string", default: "1000" },
    seeds: { type: "string", default: "3" },
    steps: { type: "string", default: "3000" },
    components: { type: "string", default: "100" },
    scrambled: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const here = device();
const BATCH = 64;
const WIDTHS = [0.5, 1, 2, 3];
const TURN = 30; // degrees
const COPIES = Number(values.labels) > 20_000 ? 4 : 16; // of images, as memory allows
const variant = values.scrambled ? "rotated-scrambled" : "rotated";
const [labels, steps] = [Number(values.labels), Number(values.steps)];

const done = new Set(linesOf<Row>(values.out).map(keyOf));
const report = (line: object): void => reportTo(values.out, line);

interface Row {
  dataset: string;
  variant: string;
  labels: number;
  seed: number;
  how: string;
}

function keyOf({ dataset, variant, labels, seed, how }: Row): string {
  return [dataset, variant, labels, seed, how].join("/");
}

const first = ({ x, labels, channels, height, width, ...rest }: Dataset, count: number): Dataset => ({
  ...{ ...rest, channels, height, width, count },
  ...{ x: x.subarray(0, count * channels * height * width), labels: labels.subarray(0, count) },
});

/** Each image `COPIES` times, turned by random angles; the pixels of scrambled images are put in order for that, and out of it again. */
function turnedCopies(train: Dataset, permutation: Int32Array | undefined, seed: number): Dataset {
  const { channels, height, width, count } = train;
  const d = height * width;
  const size = channels * d;
  const x = new Float32Array(COPIES * count * size);
  for (let copy = 0; copy < COPIES; copy++) x.set(train.x, copy * count * size);
  if (permutation) {
    const back = new Int32Array(d);
    for (let mu = 0; mu < d; mu++) back[permutation[mu]] = mu;
    data.scramble(x, back);
  }
  const angles = new Philox(seed, 90).uniform(COPIES * count).map((u) => (2 * u - 1) * TURN);
  data.rotate(x, height, width, angles, { channels });
  if (permutation) data.scramble(x, permutation);
  return { ...train, count: COPIES * count, x, labels: Int32Array.from({ length: COPIES * count }, (_, i) => train.labels[i % count]) };
}

report(machineLine(here));
const loaded = await data.loadDataset(values.dataset);
for (let seed = 0; seed < Number(values.seeds); seed++) {
  const prepared = await data.prepare(loaded, { variant, seed });
  const { train: all, validation, test, permutation } = prepared;
  const d = all.height * all.width;
  const train = first(all, labels);
  const source = {
    N: all.count,
    m: all.channels,
    d,
    device: here,
    read: (a: number, b: number) => all.x.subarray(a * all.channels * d, b * all.channels * d),
  };
  const found = await lie.symmetriesFromMoments(source, { components: Number(values.components) });
  const runs: [string, Dataset, Augment | undefined][] = [
    ["plain", train, undefined],
    ["true rotation", turnedCopies(train, permutation, seed), undefined],
  ];
  if (found.basis)
    for (const width of WIDTHS) runs.push([`found, width ${width}`, train, new Augment(found.basis, { width, center: found.inputs.mean })]);
  for (const [how, samples, augment] of runs) {
    const row: Row = { dataset: values.dataset, variant, labels, seed, how };
    if (done.has(keyOf(row))) continue;
    const network = models.makeModel("lconv", samples, here, { generators: 9, rank: 16, filters: 32, seed });
    const epochs = Math.max(1, Math.round((steps * BATCH) / samples.count));
    const start = performance.now();
    await fit(network, { train: samples }, { epochs, batch: BATCH, seed, device: here, ...(augment && { augment }) });
    const seconds = (performance.now() - start) / 1e3;
    const [onValidation, onTest] = [await evaluate(network, validation), test && (await evaluate(network, test))];
    report({ ...row, components: found.components, steps, epochs, validation: onValidation.accuracy, test: onTest?.accuracy, seconds });
    network.dispose();
  }
}
