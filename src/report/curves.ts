import { defined } from "../defined.js";
import { lineChart, type Series, standalone } from "./chart.js";

/** Metrics of an epoch; one that was not measured is null or NaN and leaves a gap. */
export interface EpochMetrics {
  /** Number of the epoch, from 1 on. */
  epoch: number;
  /** Mean training loss of the epoch. */
  loss: number | null;
  /** Training accuracy, in [0, 1]. */
  accuracy: number | null;
  /** Validation loss after the epoch. */
  valLoss: number | null;
  /** Validation accuracy after the epoch, in [0, 1]. */
  valAccuracy: number | null;
}

export type Metric = "loss" | "accuracy" | "valLoss" | "valAccuracy";

interface Curve {
  name: string;
  history: readonly EpochMetrics[];
}

/** 0.94451 as "94.45 %". */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;

const tickPercent = (fraction: number): string => `${Number((100 * fraction).toFixed(2))} %`;

const labels: Record<Metric, { title: string; y: string }> = {
  loss: { title: "Loss: training solid, validation dashed", y: "loss" },
  accuracy: { title: "Training accuracy", y: "accuracy" },
  valLoss: { title: "Validation loss", y: "loss" },
  valAccuracy: { title: "Validation accuracy", y: "accuracy" },
};

/** One metric of all models by epoch, as inline SVG; the training loss is joined by the validation loss, dashed. */
export function learningCurve(models: readonly Curve[], metric: Metric = "valAccuracy"): string {
  const { title, y } = labels[metric];
  const series = models.map((model, color) => curve(model, metric, color));
  if (metric === "loss")
    series.push(
      ...models
        .map((model, color) => ({ ...curve(model, "valLoss", color), name: `${model.name}, validation`, dashed: true, unlisted: true }))
        .filter(hasPoints),
    );
  const named = metric === "loss" && series.length === models.length ? "Training loss" : title;
  return lineChart({
    title: named,
    xLabel: "epoch",
    yLabel: y,
    series,
    ...defined({ yFormat: y === "accuracy" ? tickPercent : undefined }),
  });
}

/** The same chart as the text of a stand-alone .svg file. */
export const writeLearningCurve = (models: readonly Curve[], metric: Metric = "valAccuracy"): string =>
  standalone(learningCurve(models, metric));

const curve = ({ name, history }: Curve, metric: Metric, color: number): Series => ({
  name,
  color,
  points: history.map((epoch) => [epoch.epoch, epoch[metric] ?? Number.NaN] as const),
});

const hasPoints = (series: Series): boolean => series.points.some(([, y]) => Number.isFinite(y));
