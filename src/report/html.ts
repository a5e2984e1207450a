import { defined } from "../defined.js";
import { check, showShape } from "../errors.js";
import { type EpochMetrics, learningCurve, percent } from "./curves.js";
import { generatorSection } from "./generatorSection.js";
import { checkLayer, type GeneratorLayer } from "./generators.js";
import { imageGrid } from "./images.js";
import { page, scroll, section } from "./page.js";
import { element, escapeText } from "./svg.js";

/** One trained model of a run. */
export interface ModelReport {
  /** Name of the model. */
  name: string;
  /** Number of trained values. */
  params: number;
  /** Number of trained values before the classifier. */
  layerParams: number;
  /** One entry an epoch, in order. */
  history: readonly EpochMetrics[];
  /** Accuracy on the official test file, in [0, 1]; null or undefined if it was not measured. */
  testAccuracy?: number | null;
  /** Training time in seconds. */
  seconds: number;
  /** Training samples per second. */
  samplesPerSecond: number;
  /** The L-conv layers, from the input on; shown as pictures with their norms. */
  generators?: readonly GeneratorLayer[];
}

/** Some inputs, before any normalisation that would make them hard to recognise. */
export interface SampleImages {
  /** [N, m, p, q]; the first 10 are shown. */
  shape: readonly [N: number, m: number, p: number, q: number];
  /** [N, m, p, q], as the networks get them. */
  seen: Float32Array;
  /** [N, m, p, q]. Default: `seen` with `permutation` undone. */
  unscrambled?: Float32Array;
  /** A caption for each image. */
  labels?: readonly string[];
}

/** What a report shows of a run. */
export interface ReportInput {
  /** Title of the page. */
  title: string;
  /** One sentence under the title. */
  summary?: string;
  /** Date and machine as they are to be printed. */
  created?: string;
  /** The settings of the run, shown as a table. */
  config: Readonly<Record<string, unknown>>;
  /** The models, compared in this order. */
  models: readonly ModelReport[];
  /** Some input images. Default: none. */
  samples?: SampleImages;
  /** The scrambling of the data, [d]: scrambled[mu] = image[permutation[mu]]. It is undone in a second view of samples and generators. */
  permutation?: ArrayLike<number>;
}

const maxSamples = 10;

/**
 * The report of a training run as one self-contained HTML page. Throws ERR_LCONV_SHAPE if an array does not fit its sizes,
 * ERR_LCONV_ARGUMENT if `permutation` is none.
 */
export function renderReport(input: ReportInput): string {
  checkInput(input);
  const { title, summary, created, models, samples, permutation } = input;
  const withGenerators = models.filter((model) => model.generators?.length);
  return page({ title, summary, created }, [
    section("Comparison", comparison(models)),
    section("Learning curves", curves(models)),
    ...(samples ? [section("Input images", sampleRows(samples, permutation))] : []),
    ...withGenerators.map((model) => section(`Generators of ${model.name}`, generatorSection(model.generators ?? [], permutation))),
    section("What was run", configTable(input.config)),
  ]);
}

function checkInput({ models, samples, permutation }: ReportInput): void {
  for (const model of models) {
    for (const layer of model.generators ?? []) {
      checkLayer(layer);
      if (permutation && layer.pixels !== false) checkPermutation(permutation, layer.d, `layer "${layer.name}"`);
    }
  }
  if (!samples) return;
  const [N, m, p, q] = samples.shape;
  for (const images of [samples.seen, samples.unscrambled]) {
    const fits = !images || images.length === N * m * p * q;
    check(fits, "ERR_LCONV_SHAPE", () => `report: samples of shape ${showShape(samples.shape)} do not fit ${images?.length} values`);
  }
  if (permutation) checkPermutation(permutation, p * q, "the samples");
}

function checkPermutation(permutation: ArrayLike<number>, d: number, what: string): void {
  const message = (): string => `report: permutation must hold each of 0..${d - 1} once to fit ${what}, got ${permutation.length} entries`;
  check(permutation.length === d, "ERR_LCONV_SHAPE", message);
  const seen = new Uint8Array(d);
  for (let mu = 0; mu < d; mu++) {
    const to = permutation[mu];
    check(Number.isInteger(to) && to >= 0 && to < d && seen[to] === 0, "ERR_LCONV_ARGUMENT", message);
    seen[to] = 1;
  }
}

interface Column {
  heading: string;
  value: (model: ModelReport) => number | null | undefined;
  show: (value: number) => string;
  best?: boolean; // mark the greatest
}

const count = (value: number): string => Math.round(value).toLocaleString("en-US");

const columns: readonly Column[] = [
  { heading: "Parameters", value: (m) => m.params, show: count },
  { heading: "Layer parameters", value: (m) => m.layerParams, show: count },
  { heading: "Best validation accuracy", value: bestValAccuracy, show: percent, best: true },
  { heading: "Validation accuracy", value: (m) => m.history.at(-1)?.valAccuracy, show: percent, best: true },
  { heading: "Test accuracy", value: (m) => m.testAccuracy, show: percent, best: true },
  { heading: "Seconds", value: (m) => m.seconds, show: (s) => s.toFixed(s < 100 ? 1 : 0) },
  { heading: "Samples/s", value: (m) => m.samplesPerSecond, show: count },
];

function comparison(models: readonly ModelReport[]): string {
  const head = columns.map(({ heading }) => element("th", { scope: "col", class: "number" }, heading));
  const rows = models.map((model) =>
    element("tr", {}, element("th", { scope: "row" }, escapeText(model.name)), ...columns.map((column) => cell(column, model, models))),
  );
  const note = "Layer parameters are those before the classifier. Best is over the epochs, the other accuracies are after the last one.";
  const table = element(
    "table",
    { class: "comparison" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Model"), ...head)),
    element("tbody", {}, ...rows),
  );
  return scroll(table, "Comparison") + element("p", { class: "muted" }, note);
}

function cell(column: Column, model: ModelReport, models: readonly ModelReport[]): string {
  const value = column.value(model);
  if (!isNumber(value)) return element("td", { class: "number" }, "–");
  const top = column.best && models.length > 1 && models.map(column.value).every((other) => !isNumber(other) || other <= value);
  return element("td", { class: top ? "number best" : "number" }, column.show(value));
}

const isNumber = (value: number | null | undefined): value is number => Number.isFinite(value);

function bestValAccuracy(model: ModelReport): number | undefined {
  const reached = model.history.map((epoch) => epoch.valAccuracy).filter(isNumber);
  return reached.length > 0 ? Math.max(...reached) : undefined;
}

function curves(models: readonly ModelReport[]): string {
  const figures = (["valAccuracy", "loss"] as const).map((metric) => element("figure", {}, learningCurve(models, metric)));
  return element("div", { class: "row charts" }, ...figures);
}

function sampleRows({ shape, seen, unscrambled, labels }: SampleImages, permutation?: ArrayLike<number>): string {
  const shown = [Math.min(shape[0], maxSamples), shape[1], shape[2], shape[3]] as const;
  const length = shown.reduce((product, n) => product * n, 1);
  const original = unscrambled ?? (permutation && unscramble(seen, permutation));
  const row = (images: Float32Array, title: string, caption: string): string => {
    const grid = imageGrid(images.subarray(0, length), { title, shape: shown, ...defined({ labels }) });
    return element("figure", {}, element("figcaption", {}, caption), grid);
  };
  const rows = [row(seen, "Input images as the networks see them", "As the networks see them")];
  if (original) rows.unshift(row(original, "The same images before scrambling", "The same images before their pixels were scrambled"));
  return element("div", { class: "samples" }, ...rows);
}

/** image[permutation[mu]] = scrambled[mu], each channel of each image alike. */
function unscramble(images: Float32Array, permutation: ArrayLike<number>): Float32Array {
  const out = new Float32Array(images.length);
  const d = permutation.length;
  for (let start = 0; start < images.length; start += d) {
    for (let mu = 0; mu < d; mu++) out[start + permutation[mu]] = images[start + mu];
  }
  return out;
}

function configTable(config: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(config)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) =>
      element("tr", {}, element("th", { scope: "row" }, escapeText(key)), element("td", {}, escapeText(showValue(value)))),
    );
  const head = element(
    "thead",
    {},
    element("tr", {}, element("th", { scope: "col" }, "Setting"), element("th", { scope: "col" }, "Value")),
  );
  return element("table", { class: "config" }, head, element("tbody", {}, ...rows));
}

const showValue = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)));
