import { type Evaluation, evaluate as evaluateModel } from "../../train/evaluate.js";
import { deviceFlag, progressFlag, runPrecisionFlag, threadsFlag } from "../run/flags.js";
import { loadRun } from "../run/loadRun.js";
import { type Context, withReporter } from "../terminal/context.js";
import type { Given } from "../terminal/flags.js";
import { list, percent } from "../terminal/output.js";

export const evaluateFlags = { device: deviceFlag, precision: runPrecisionFlag, threads: threadsFlag, progress: progressFlag } as const;

/** `lconv evaluate`: the data and the model of a finished run again, measured as at its end. */
export async function evaluate(
  { run, progress, ...changes }: Given<typeof evaluateFlags> & { run: string },
  { out, signal }: Context,
): Promise<void> {
  await withReporter(progress, async (reporter) => {
    const { work, model } = await loadRun(run, changes, reporter, signal);
    try {
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
