import { join } from "node:path";
import { Matrix } from "ml-matrix";
import { scramblePermutation } from "../../data/transform.js";
import { defined } from "../../defined.js";
import { discoverFunction } from "../../discover/data.js";
import { defectOn, type MeasuredSamples } from "../../discover/measure.js";
import { type Discovery, describing } from "../../discover/result.js";
import { breathing, type Pieces } from "../../engine/breathe.js";
import { check } from "../../errors.js";
import type { Classifier } from "../../models/models.js";
import type { LConv } from "../../nn/lconv.js";
import { LConvStrided } from "../../nn/pooling.js";
import { fromTensors } from "../../symmetry/tensors.js";
import { loadRun } from "../run/loadRun.js";
import type { Settings } from "../run/settings.js";
import type { Workload } from "../run/workload.js";
import { type Context, withReporter } from "../terminal/context.js";
import { unfinished } from "../terminal/outFolder.js";
import { type DiscoverValues, discoverFlags } from "./flags.js";
import { showDiscovery, summaryOf, writeDiscovery } from "./output.js";
import { tell } from "./samples.js";

const SAMPLES = 500;

/** `lconv discover --run`: the generators that the L-conv layers learned; with --within, those of the network itself as a function of its images. */
export async function discoverRun(values: DiscoverValues, context: Context): Promise<void> {
  const run = values.run as string;
  const { device, threads } = values;
  const changes = defined({ device, threads });
  await withReporter(values.progress, async (reporter) => {
    const { settings, work, model } = await loadRun(run, changes, reporter, context.signal);
    try {
      const layers = model.lconvLayers();
      check(
        layers.length > 0 || values.within !== undefined,
        "ERR_LCONV_ARGUMENT",
        () => `discover: the ${settings.model} of ${run} has no L-conv layer; look at it as a function, with --within affine`,
      );
      if (values.within !== undefined) return await asFunction(model, work, settings, values, context);
      const finished = values.out !== undefined && layers.length > 1 ? unfinished(values.out) : undefined;
      for (const [k, layer] of layers.entries()) {
        const description = ofLayer(layer, `layer ${k + 1} of ${run}`, { model, work }, settings, values);
        const discovery = await breathing(description, context.signal);
        context.out.text(showDiscovery(discovery));
        const folder = values.out === undefined ? undefined : layers.length > 1 ? join(values.out, `layer${k + 1}`) : values.out;
        if (folder !== undefined) writeDiscovery(folder, `Generators of layer ${k + 1}, ${settings.dataset}`, discovery, context);
        context.out.emit({ event: "layer", layer: k + 1, ...summaryOf(discovery), ...defined({ out: folder }) });
      }
      finished?.();
      context.out.emit({ event: "done", layers: layers.length, run });
    } finally {
      model.dispose();
    }
  });
}

/** The permutation of the pixels of a scrambled run, else undefined. */
const permutationOf = (settings: Settings, d: number): Int32Array | undefined =>
  settings.variant === "rotated-scrambled" ? scramblePermutation(settings.seed, d) : undefined;

/** Only the first layer sees the images themselves, and none behind a strided one has their pixels as positions. */
function ofLayer(
  layer: LConv,
  source: string,
  { model, work }: { model: Classifier; work: Workload },
  settings: Settings,
  values: DiscoverValues,
): Pieces<Discovery> {
  const before = model.hidden.slice(0, model.hidden.indexOf(layer));
  const pixels = !before.some((part) => part instanceof LConvStrided);
  const [n, m_in, m_out] = layer.W.shape;
  const W = layer.W.slice(m_in * m_out, (n - 1) * m_in * m_out) as Float32Array; // without W^0
  const basis = fromTensors(layer.generators);
  const permutation = permutationOf(settings, basis.d);
  return describing(basis, {
    source,
    weights: Matrix.from1DArray(n - 1, m_in * m_out, [...W]),
    ...(before.length === 0 && {
      data: imagesOf(work, basis.d),
      defect: defectOn(model, validationOf(work, basis.d), work.device),
    }),
    ...(pixels
      ? { grid: [work.input.height, work.input.width], ...defined({ permutation, known: values.known?.split(",") }) }
      : { notes: ["its positions are those that a strided layer left, not the pixels: nothing known to compare with"] }),
  });
}

/** Some validation images as columns, a channel each. */
function imagesOf({ data: { validation } }: Workload, d: number): Matrix {
  const count = Math.min(200, Math.floor(validation.x.length / d));
  return new Matrix(Array.from({ length: count }, (_, n) => [...validation.x.subarray(n * d, (n + 1) * d)])).transpose();
}

function validationOf({ data: { validation }, input: { channels: m } }: Workload, d: number): MeasuredSamples {
  return { x: validation.x, N: validation.count, m, d };
}

async function asFunction(
  model: Classifier,
  { data, device, input }: Workload,
  settings: Settings,
  values: DiscoverValues,
  context: Context,
): Promise<void> {
  const { channels: m, height, width } = input;
  const d = height * width;
  const permutation = permutationOf(settings, d);
  const N = Math.min(SAMPLES, data.validation.count);
  const x = data.validation.x.subarray(0, N * m * d);
  const samples = {
    path: values.run as string,
    N,
    m,
    d,
    x,
    y: { dtype: "i4" as const, shape: [N], data: data.validation.labels.subarray(0, N) },
  };
  const found = await discoverFunction(`the network of ${values.run} on ${N} validation images`, model, samples, {
    ...{ device, grid: [height, width], output: "invariant" as const },
    seed: values.seed ?? discoverFlags.seed.default,
    signal: context.signal,
    within: values.within as string,
    ...defined({ tolerance: values.tolerance, permutation, known: values.known?.split(",") }),
  });
  tell(found, `Symmetries of the network of ${values.run}`, values.out, context);
}
