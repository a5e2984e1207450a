import { blockAverage, type GeneratorLayer, type GeneratorNorms, generatorNorms } from "./generators.js";
import { heatmap } from "./heatmap.js";
import { element, escapeText, significant } from "./svg.js";

const maxEdge = 256; // pixels of a picture's side
const maxPictures = 16; // a layer, the strongest first

/** L₁, L₂, ..., L₁₀. */
const symbol = (i: number): string => `L${[...String(i)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]).join("")}`;

/** The generators of a model, layer by layer: a table of norms, then the pictures, both in the order of |L_i| |W^i|. */
export const generatorSection = (layers: readonly GeneratorLayer[], permutation?: ArrayLike<number>): string =>
  layers.map((layer) => element("h3", {}, `Layer ${escapeText(layer.name)}`) + layerSection(layer, permutation)).join("\n");

function layerSection(layer: GeneratorLayer, scrambling?: ArrayLike<number>): string {
  const permutation = layer.pixels === false ? undefined : scrambling;
  const norms = generatorNorms(layer);
  const learned = norms.filter(({ i }) => i > 0);
  const shown = learned.slice(0, maxPictures);
  const block = Math.ceil(layer.d / maxEdge);
  const notes = [
    `Each picture is a ${layer.d} × ${layer.d} generator: how position ν of the input (columns) flows into position μ of the output (rows).`,
    block > 1 ? `One pixel is the mean over ${block} × ${block} entries.` : "",
    "Colours are scaled for each picture and saturate at its 99.5th percentile.",
    permutation ? "The second picture of a pair has the permutation of the pixels undone on both axes." : "",
    shown.length < learned.length ? `The ${shown.length} strongest of ${learned.length} are shown.` : "",
  ];
  const pictures = shown.map((norm) => generatorFigure(layer, norm, permutation));
  return `${normTable(norms)}\n${element("p", { class: "muted" }, notes.filter(Boolean).join(" "))}\n${element("div", { class: "row" }, ...pictures)}`;
}

function normTable(norms: readonly GeneratorNorms[]): string {
  const head = ["|Lᵢ|", "|Wⁱ|", "|Lᵢ| |Wⁱ|"].map((heading) => element("th", { scope: "col", class: "number" }, heading));
  const rows = norms.map(({ i, L, W, product }) => {
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, i === 0 ? "L₀ = I, fixed" : symbol(i)),
      ...[L, W, product].map((value) => element("td", { class: "number" }, significant(value, 4))),
    );
  });
  const caption = element("caption", {}, "Frobenius norms of the generators and of their weights, the strongest product first");
  return element(
    "table",
    { class: "norms" },
    caption,
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Generator"), ...head)),
    element("tbody", {}, ...rows),
  );
}

function generatorFigure(layer: GeneratorLayer, { i, L, W }: GeneratorNorms, permutation?: ArrayLike<number>): string {
  const view = (title: string, order?: ArrayLike<number>): string => {
    const { values, side } = blockAverage(layer, i, maxEdge, order);
    return heatmap(values, side, side, {
      title,
      limit: quantileOfMagnitude(values, 0.995),
      size: side * Math.max(1, Math.round(200 / side)),
    });
  };
  const views = permutation ? [view(`${symbol(i)} as learned`), view(`${symbol(i)} unscrambled`, permutation)] : [view(symbol(i))];
  const caption = element("figcaption", {}, `${symbol(i)}: |L| = ${significant(L)}, |W| = ${significant(W)}`);
  return element("figure", {}, element("div", { class: "row" }, ...views), caption);
}

/** Outliers would otherwise leave the rest of a picture pale. */
function quantileOfMagnitude(values: Float64Array, quantile: number): number {
  const sorted = values.map(Math.abs).filter(Number.isFinite).sort();
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))];
}
