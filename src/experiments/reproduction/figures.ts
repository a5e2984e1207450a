import { networkCosts } from "../../cost/networkCost.js";
import { architecture, type ModelName } from "../../models/architecture.js";
import { type InputSize, type ModelOptions, modelOptions } from "../../models/options.js";

/** What a bar of a figure shows, but for the seed. */
export interface Condition {
  dataset: string;
  variant: string;
  layers: number;
  model: ModelName;
}

/** A figure of the paper, by the runs that draw it. */
export interface Figure {
  title: string;
  /** The file of its runs in grids/. */
  grid: string;
  /** Names of the models in the paper, in its order. */
  models: readonly { model: ModelName; label: string }[];
  /** A chart each. */
  variants: readonly string[];
  /** The groups of bars in a chart. */
  groups: readonly Pick<Condition, "dataset" | "layers">[];
  /** Numbers that the authors printed for it. */
  printed: readonly Printed[];
}

/** An accuracy that the authors printed: the greatest of 30 epochs on the last 20 % of the training file, of one run. */
export interface Printed {
  condition: Condition;
  accuracy: number;
}

const datasets = ["mnist", "fashion-mnist", "cifar10", "cifar100"] as const;
const oneLayer = datasets.map((dataset) => ({ dataset, layers: 1 }));
const named = (labels: Partial<Record<ModelName, string>>): Figure["models"] =>
  Object.entries(labels).map(([model, label]) => ({ model: model as ModelName, label }));
const ofFig2 = named({ lconv: "L-conv", "lconv-random": "Rand L-conv", cnn: "CNN", fc: "Fully Conn." });
const matched = { dataset: "mnist", variant: "rotated-scrambled", layers: 1 } as const;

/** What can be reproduced; the settings of the runs are in grids/, as `lconv sweep` takes them. */
export const figures = {
  matched: {
    title: "L-conv and CNN with matched parameters",
    grid: "matched.json",
    models: named({ lconv: "L-conv", cnn: "CNN" }),
    variants: [matched.variant],
    groups: [matched],
    printed: [
      { condition: { ...matched, model: "lconv" }, accuracy: 0.9445 },
      { condition: { ...matched, model: "cnn" }, accuracy: 0.9159 },
    ],
  },
  fig2: {
    title: "Figure 2: one layer, changed images",
    grid: "fig2.json",
    models: ofFig2,
    variants: ["rotated", "rotated-scrambled"],
    groups: oneLayer,
    printed: [{ condition: { ...matched, model: "cnn" }, accuracy: 0.9159 }],
  },
  figS4: {
    title: "Supplementary Figure 4: one layer, images as they are",
    grid: "figS4.json",
    models: ofFig2,
    variants: ["default"],
    groups: oneLayer,
    printed: [],
  },
  fig3: {
    title: "Figure 3: one and two layers, CIFAR-100",
    grid: "fig3.json",
    models: named({ lconv: "L-conv", cnn: "CNN", "cnn-pool": "CNN + Maxpool", fc: "FC (~ L-conv)", "fc-shallow": "FC (shallow)" }),
    variants: ["rotated-scrambled", "default"],
    groups: [1, 2].map((layers) => ({ dataset: "cifar100", layers })),
    printed: [],
  },
} satisfies Record<string, Figure>;

export type FigureName = keyof typeof figures;
export const figureNames = Object.keys(figures) as FigureName[];
export const figureOf = (name: FigureName): Figure => figures[name];

/**
 * Trained values of a network as the paper counts them: the authors' L-conv layer has a bias for each of its n_L + 1 terms, whose sum alone matters; here
 * it has that sum. Throws as architecture does.
 */
export function authorsParameters(model: ModelName, input: InputSize, options: ModelOptions): number {
  const { layers = 1, generators = modelOptions.generators.default, filters = modelOptions.filters.default } = options;
  const biases = model === "lconv" || model === "lconv-random" ? layers * generators * filters : 0;
  return biases + networkCosts(architecture(model, input, options)).reduce((sum, { parameters }) => sum + parameters, 0);
}
