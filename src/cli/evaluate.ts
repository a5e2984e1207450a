import { existsSync } from "node:fs";
import { join } from "node:path";
import { check } from "../errors.js";
import { type Evaluation, evaluate as evaluateModel } from "../train/evaluate.js";
import { loadModel, runFiles } from "../train/runFolder.js";
import { type Context, withReporter } from "./context.js";
import type { Given } from "./flags.js";
import { list, percent } from "./output.js";
import { readConfig, resolveSettings } from "./settings.js";
import { deviceFlag, precisionFlag, progressFlag, runFlags, threadsFlag } from "./trainFlags.js";
import { buildModel, prepareWorkload } from "./workload.js";

const { default: _none, ...precision } = { ...precisionFlag, help: `${precisionFlag.help} (default: that of the run)` };

export const evaluateFlags = { device: deviceFlag, precision, threads: threadsFlag, progress: progressFlag } as const;

/** `lconv evaluate`: the data and the model of a finished run again, measured as at its end. */
export async function evaluate(
  { run, progress, ...changes }: Given<typeof evaluateFlags> & { run: string },
  { out, signal }: Context,
): Promise<void> {
  const [config, weights] = [join(run, runFiles.config), join(run, runFiles.model)];
  check(existsSync(config), "ERR_LCONV_IO", () => `${run} is no run folder: expected ${runFiles.config} in it`);
  check(
    existsSync(weights),
    "ERR_LCONV_CHECKPOINT",
    () => `${run} holds no trained model (${runFiles.model}); finish the run with: lconv train --resume ${run}`,
  );
  const settings = resolveSettings(changes, readConfig(config, runFlags));
  await withReporter(progress, async (reporter) => {
    const work = await prepareWorkload(settings, reporter, signal);
    const model = buildModel(settings, work);
    try {
      loadModel(weights, model);
      const options = { device: work.device, signal };
      const validation = await evaluateModel(model, work.data.validation, options);
      const test = work.data.test && (await evaluateModel(model, work.data.test, options));
      out.text(
        list([
          ["validation", show(validation)],
          ["test", test ? show(test) : "no test file"],
        ]),
      );
      out.emit({
        event: "done",
        run,
        valAccuracy: validation.accuracy,
        valLoss: validation.loss,
        testAccuracy: test?.accuracy ?? null,
        testLoss: test?.loss ?? null,
        device: work.device.name,
      });
    } finally {
      model.dispose();
    }
  });
}

const show = ({ accuracy, loss }: Evaluation): string => `accuracy ${percent(accuracy)}, loss ${loss.toFixed(4)}`;
