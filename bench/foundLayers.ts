// What generators that `lie.symmetriesFromMoments` finds without labels are worth inside of a network, as JSON lines: the accuracy on the official test images
// of rotated and scrambled images, of which `--labels` have their class known. Networks of one L-conv layer and a linear one, which take the same steps:
//
//   learned              generators that are learned, as of `models.makeModel("lconv")`
//   found, frozen        the steps exp(tL) - 1 at 9 t of `--width` either way as generators, not trained
//   found, start         the same, trained from there
//   found beside learned half of the channels each
//   mean / max of orbit  "learned" on `--count` points of the orbit, its outputs pooled (nn.OrbitPool)
//   max of orbit, flow   the same, and training samples moved along the flow (Augment)
//
//   LCONV_DATA=... npx tsx bench/foundLayers.ts --labels 1000 --seeds 3 --out FILE.jsonl
import { parseArgs } from "node:util";
import type { Dataset } from "../src/data/dataset.js";
import { Augment, data, device, evaluate, fit, lie, nn, ops, type Tensor } from "../src/index.js";
import { linesOf, reportTo } from "./lines.js";
import { machineLine } from "./machine.js";

const { values } = parseArgs({
  options: {
    dataset: { type: "string", default: "mnist" },
    labels: { type: "string", default: "1000" },
    seeds: { type: "string", default: "3" },
    steps: { type: "string", default: "3000" },
    components: { type: "string", default: "100" },
    width: { type: "string", default: "9" },
    count: { type: "string", default: "9" },
    only: { type: "string", default: "" },
    out: { type: "string" },
  },
});
const here = device();
const BATCH = 64;
const CHANNELS = 32;
const LEARNED = { kind: "learned", n_L: 9, d_h: 16 } as const;
const AUGMENT_WIDTH = 3;
const [labels, steps, width, count] = [values.labels, values.steps, values.width, values.count].map(Number);
const keyOf = (row: { labels: number; seed: number; how: string }): string => [row.labels, row.seed, row.how].join("/");
const done = new Set(linesOf<Parameters<typeof keyOf>[0]>(values.out).map(keyOf));
const report = (line: object): void => reportTo(values.out, line);

/** Layers side by side, their channels one after the other. */
class Beside extends nn.Module {
  constructor(readonly layers: readonly nn.Module[]) {
    super();
  }
  override forward(h: Tensor): Tensor {
    return ops.concat(this.layers.map((layer) => layer.forward(h)), 1); // biome-ignore format: one line
  }
}

const first = ({ x, labels, channels, height, width, ...rest }: Dataset, n: number): Dataset => ({
  ...{ ...rest, channels, height, width, count: n },
  ...{ x: x.subarray(0, n * channels * height * width), labels: labels.subarray(0, n) },
});

report(machineLine(here));
const loaded = await data.loadDataset(values.dataset);
for (let seed = 0; seed < Number(values.seeds); seed++) {
  const { train: all, validation, test } = await data.prepare(loaded, { variant: "rotated-scrambled", seed });
  const train = first(all, labels);
  const [m, d] = [all.channels, all.height * all.width];
  const source = { N: all.count, m, d, device: here, read: (a: number, b: number) => all.x.subarray(a * m * d, b * m * d) };
  const { basis, inputs, components } = await lie.symmetriesFromMoments(source, { components: Number(values.components) });
  if (!basis) throw new Error(`seed ${seed}: no generator was found`);
  const orbit = new lie.Orbit(basis, { center: inputs.mean, width, count });
  const weights = new nn.WeightSource(here, seed);
  const layer = (generators: nn.GeneratorSpec, m_out = CHANNELS): nn.Module => new nn.LConv(weights, { d, m_in: m, m_out, generators });
  const network = (hidden: nn.Module): nn.Module =>
    new nn.Sequential(hidden, new nn.Flatten(), new nn.Linear(weights, CHANNELS * d, all.classes));
  const steps9 = (): lie.Basis => new lie.Orbit(basis, { center: inputs.mean, width, count: 9 }).steps();
  const pooled = (pool: "max" | "mean"): nn.Module => new nn.OrbitPool(here, { orbit, inner: network(layer(LEARNED)), pool });
  const networks: [string, () => nn.Module, boolean?][] = [
    ["learned", () => network(layer(LEARNED))],
    ["found, frozen", () => network(layer({ kind: "given", basis: steps9() }))],
    ["found, start", () => network(layer({ kind: "given", basis: steps9(), train: true }))],
    [
      "found beside learned",
      () => network(new Beside([layer(LEARNED, CHANNELS / 2), layer({ kind: "given", basis: steps9() }, CHANNELS / 2)])),
    ],
    ["mean of orbit", () => pooled("mean")],
    ["max of orbit", () => pooled("max")],
    ["max of orbit, flow", () => pooled("max"), true],
  ];
  for (const [how, make, moved] of networks) {
    const row = { dataset: values.dataset, labels, seed, how };
    if (done.has(keyOf(row)) || !how.includes(values.only)) continue;
    const model = make();
    const epochs = Math.max(1, Math.round((steps * BATCH) / train.count));
    const start = performance.now();
    const augment = moved ? { augment: new Augment(basis, { width: AUGMENT_WIDTH, center: inputs.mean }) } : {};
    await fit(model, { train }, { epochs, batch: BATCH, seed, device: here, ...augment });
    const seconds = (performance.now() - start) / 1e3;
    const [onValidation, onTest] = [await evaluate(model, validation), test && (await evaluate(model, test))];
    report({ ...row, components, width, count, steps, epochs, validation: onValidation.accuracy, test: onTest?.accuracy, seconds });
    model.dispose();
  }
}
