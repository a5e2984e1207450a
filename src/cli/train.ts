import { existsSync } from "node:fs";
import { basename } from "node:path";
import { check, LconvError } from "../errors.js";
import type { Classifier } from "../models/models.js";
import { renderReport } from "../report/html.js";
import { checkpointHistory } from "../train/checkpoint.js";
import type { DoneEvent, EpochEvent } from "../train/events.js";
import { type FitOptions, type FitResult, fit } from "../train/fit.js";
import { RunFolder, saveModel } from "../train/runFolder.js";
import { type Context, withReporter } from "./context.js";
import { count, list, megabytes, percent, seconds } from "./output.js";
import { created, modelReport } from "./report.js";
import type { Reporter } from "./reporter.js";
import { resumedSettings } from "./resume.js";
import { readConfig, resolveSettings, type Settings } from "./settings.js";
import type { TrainValues } from "./trainFlags.js";
import { buildModel, fitOptions, prepareWorkload, type Uploaded, uploadWorkload, type Workload } from "./workload.js";

export interface TrainFlags extends TrainValues {
  config?: string;
  resume?: string;
}

/** `lconv train`: one model on one data set, into a run folder. */
export async function train({ config: file, resume, ...given }: TrainFlags, context: Context): Promise<void> {
  check(!(file && resume), "ERR_LCONV_ARGUMENT", () => "--config begins a run and does not go with --resume");
  const config = file === undefined ? {} : readConfig(file);
  await withReporter(given.progress ?? config.progress, async (reporter) => {
    const settings =
      resume === undefined ? resolveSettings(given, config) : resumedSettings(resume, given, (text) => reporter.line(`note: ${text}`));
    const path = resume ?? given.out ?? config.out ?? `runs/${given.name ?? config.name ?? defaultName(settings)}`;
    const folder = resume === undefined ? RunFolder.create(path) : RunFolder.resume(path);
    try {
      const every = given.checkpointSeconds ?? config.checkpointSeconds;
      await new Training(settings, folder, reporter, context).run(every);
    } finally {
      folder.close();
    }
  });
}

const defaultName = ({ dataset, variant, model, seed }: Settings): string =>
  `${basename(dataset).replace(/\.npz$/, "")}-${variant}-${model}-seed${seed}`;

/** The last line of a run, exactly the fields that programs may rely on. */
export function doneLine({
  valAccuracy,
  bestValAccuracy,
  testAccuracy,
  trainAccuracy,
  params,
  layerParams,
  seconds,
  samplesPerSecond,
  peakRssBytes,
  device,
}: DoneEvent) {
  return {
    valAccuracy,
    bestValAccuracy,
    testAccuracy,
    trainAccuracy,
    params,
    layerParams,
    seconds,
    samplesPerSecond,
    peakRssBytes,
    device,
  };
}

interface Prepared {
  work: Omit<Workload, "data">;
  options: FitOptions;
  uploaded: Uploaded;
}

class Training {
  readonly #settings: Settings;
  readonly #folder: RunFolder;
  readonly #reporter: Reporter;
  readonly #context: Context;

  constructor(settings: Settings, folder: RunFolder, reporter: Reporter, context: Context) {
    [this.#settings, this.#folder, this.#reporter, this.#context] = [settings, folder, reporter, context];
  }

  async run(checkpointSeconds?: number): Promise<void> {
    const { signal } = this.#context;
    const prepared = await this.#prepare();
    const { work, uploaded } = prepared;
    const model = buildModel(this.#settings, work);
    this.#folder.reserve(diskBytes(model));
    this.#folder.writeConfig(this.#settings);
    try {
      const result = await this.#fit(model, prepared, checkpointSeconds);
      this.#write(model, prepared, result);
    } catch (error) {
      const lost = error instanceof LconvError && error.code === "ERR_LCONV_CUDA_LOST";
      const onCpu = `--device cpu${this.#settings.precision === "fp32" ? "" : " --precision fp32"}`;
      const goOn = `go on with: lconv train --resume ${this.#folder.path}`;
      if (this.#folder.hasOutcome && lost) this.#reporter.line(`the GPU failed; ${goOn}, on the CPU with ${onCpu}`);
      else if (this.#folder.hasOutcome && signal.aborted) this.#reporter.line(`stopped; ${goOn}`);
      throw error;
    } finally {
      model.dispose();
      uploaded.dispose();
    }
  }

  /** Of the work only what training needs: the samples on the host, 200 MB for MNIST, are free to go. */
  async #prepare(): Promise<Prepared> {
    const prepared = await prepareWorkload(this.#settings, this.#reporter, this.#context.signal);
    const { data, ...work } = prepared;
    return { work, options: fitOptions(this.#settings, prepared), uploaded: await uploadWorkload(data, work.device) };
  }

  async #fit(model: Classifier, { uploaded, options: given }: Prepared, checkpointSeconds?: number): Promise<FitResult> {
    const checkpoint = this.#folder.file("checkpoint");
    const history: EpochEvent[] = existsSync(checkpoint) ? checkpointHistory(checkpoint) : [];
    if (history.length > 0) this.#reporter.line(`resuming ${this.#folder.path} after epoch ${history.length}`);
    const options = { ...given, checkpoint, resume: true, signal: this.#context.signal };
    return fit(model, uploaded.data, {
      ...options,
      ...(checkpointSeconds !== undefined && { checkpointSeconds }),
      onEvent: (event) => {
        this.#reporter.event(event);
        if (event.type !== "epoch") return;
        const { type, ...fields } = event;
        this.#context.out.emit({ event: type, ...fields });
        history.push(event);
        this.#folder.writeMetrics(history);
      },
    });
  }

  #write(model: Classifier, { work, uploaded }: Prepared, result: FitResult): void {
    const [folder, { out }] = [this.#folder, this.#context];
    const { history, ...done } = result;
    folder.writeMetrics(history);
    saveModel(folder.file("model"), model, { config: this.#settings, input: work.input });
    folder.writeResult({ ...doneLine(done), history });
    const { samples, permutation } = uploaded;
    folder.writeReport(
      renderReport({
        title: `${this.#settings.model} on ${basename(this.#settings.dataset)}, ${this.#settings.variant}`,
        summary: `Data: ${work.source}.`,
        created: created(),
        config: this.#settings,
        models: [modelReport(model, result)],
        samples,
        ...(permutation && { permutation }),
      }),
    );
    out.text(summary(result, folder.path));
    out.emit({ event: "done", ...doneLine(done), out: folder.path });
  }
}

/** Twice a checkpoint with two state tensors a parameter, as a file stays until its successor is whole, and the model. */
const diskBytes = (model: Classifier): number => 7 * 4 * [...model.namedParameters().values()].reduce((n, t) => n + t.size, 0) + 2e6;

function summary(result: FitResult, path: string): string {
  return list([
    ["validation accuracy", `${percent(result.valAccuracy)} after the last epoch, ${percent(result.bestValAccuracy)} at best`],
    ["test accuracy", percent(result.testAccuracy)],
    ["training accuracy", percent(result.trainAccuracy)],
    ["parameters", `${count(result.params)}, ${count(result.layerParams)} before the classifier`],
    [
      "time",
      `${seconds(result.seconds)}, ${count(result.samplesPerSecond)} samples/s on ${result.device}, ${megabytes(result.peakRssBytes)} at most`,
    ],
    ["written to", path],
  ]);
}
