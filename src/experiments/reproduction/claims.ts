import type { ModelName } from "../../models/architecture.js";
import { type Condition, type FigureName, figureOf } from "./figures.js";

/** What a row of a claim says of the difference a - b: that it is above 0, that it is no gain, or that there is none either way. */
export type Says = "above" | "no gain" | "equal";

/** Two bars of a figure. */
export interface ClaimRow {
  a: Condition;
  b: Condition;
  says: Says;
}

/** A statement on accuracies that holds where all of its rows do. */
export interface Claim {
  figure: FigureName;
  /** In our words. */
  text: string;
  /** Where it is said. */
  source: string;
  rows: readonly ClaimRow[];
}

/** A gain or a difference below it counts as none: a point of accuracy. */
export const MARGIN = 0.01;

/** All bars of these models in a figure; by default of all its data sets, variants and layers. */
const conditions = (figure: FigureName, model: ModelName, only: Partial<Condition> = {}): Condition[] => {
  const { variants, groups } = figureOf(figure);
  const all = variants.flatMap((variant) => groups.map(({ dataset, layers }) => ({ dataset, variant, layers, model })));
  return all.filter((condition) => Object.entries(only).every(([key, value]) => condition[key as keyof Condition] === value));
};

const over = (figure: FigureName, model: ModelName, others: readonly ModelName[], only: Partial<Condition> = {}): ClaimRow[] =>
  others.flatMap((other) => conditions(figure, model, only).map((a): ClaimRow => ({ a, b: { ...a, model: other }, says: "above" })));

const secondLayer = (model: ModelName): ClaimRow[] =>
  conditions("fig3", model, { layers: 2 }).map((a): ClaimRow => ({ a, b: { ...a, layers: 1 }, says: "no gain" }));

const section4 = "section 4";
const [scrambled, asTheyAre] = [{ variant: "rotated-scrambled" }, { variant: "default" }];

/** What section 4 of the paper concludes from its figures, what its authors' notebook adds, and one check of this package. */
export const claims: readonly Claim[] = [
  {
    figure: "matched",
    source: "authors' notebook",
    text: "With fewer parameters, L-conv is better than the CNN on rotated and scrambled MNIST.",
    rows: over("matched", "lconv", ["cnn"]),
  },
  {
    figure: "fig2",
    source: section4,
    text: "L-conv is better than the CNN on all four data sets, rotated, and rotated and scrambled.",
    rows: over("fig2", "lconv", ["cnn"]),
  },
  {
    figure: "fig2",
    source: section4,
    text: "Fully connected layers are worse than L-conv on all of them.",
    rows: over("fig2", "lconv", ["fc"]),
  },
  {
    figure: "fig2",
    source: section4,
    text: "Generators that are not trained (random L-conv) are worse on all of them.",
    rows: over("fig2", "lconv", ["lconv-random"]),
  },
  {
    figure: "fig2",
    source: "follows from the layer",
    text: "Scrambling changes the accuracy of L-conv, random L-conv and fully connected layers by less than a point, as their weights know no order of the pixels.",
    rows: (["lconv", "lconv-random", "fc"] as const).flatMap((model) =>
      conditions("fig2", model, scrambled).map((a): ClaimRow => ({ a, b: { ...a, variant: "rotated" }, says: "equal" })),
    ),
  },
  {
    figure: "figS4",
    source: section4,
    text: "On images as they are the CNN is best on all four data sets.",
    rows: over("figS4", "cnn", ["lconv", "lconv-random", "fc"]),
  },
  {
    figure: "figS4",
    source: 'our reading of "trails closely"',
    text: "L-conv comes second there, before random L-conv and fully connected layers.",
    rows: over("figS4", "lconv", ["lconv-random", "fc"]),
  },
  {
    figure: "fig3",
    source: section4,
    text: "Both fully connected networks are worse than L-conv on CIFAR-100, with one layer and with two.",
    rows: over("fig3", "lconv", ["fc", "fc-shallow"]),
  },
  {
    figure: "fig3",
    source: section4,
    text: "L-conv is better than all others of the same depth on rotated and scrambled CIFAR-100.",
    rows: over("fig3", "lconv", ["cnn", "cnn-pool", "fc", "fc-shallow"], scrambled),
  },
  {
    figure: "fig3",
    source: section4,
    text: "Without pooling neither L-conv nor the CNN gains a point by a second layer.",
    rows: [...secondLayer("lconv"), ...secondLayer("cnn")],
  },
  {
    figure: "fig3",
    source: section4,
    text: "On CIFAR-100 as it is, the CNN with max pooling is better than that without and than L-conv.",
    rows: over("fig3", "cnn-pool", ["cnn", "lconv"], asTheyAre),
  },
  {
    figure: "fig3",
    source: section4,
    text: "On rotated and scrambled CIFAR-100 max pooling gains the CNN less than a point.",
    rows: conditions("fig3", "cnn-pool", scrambled).map((a): ClaimRow => ({ a, b: { ...a, model: "cnn" }, says: "no gain" })),
  },
];
