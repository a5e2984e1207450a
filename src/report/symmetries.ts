import type { Matrix } from "ml-matrix";
import { type Evidence, evidenceRows, nothingFound } from "../discover/evidence.js";
import type { BoundedDefect, Discovery } from "../discover/result.js";
import type { Found } from "../discover/samples.js";
import type { Eigenvalue } from "../lie/functions/eigenvalues.js";
import type { Basis } from "../lie/generators/basis.js";
import { type Generator, norm, permuted } from "../lie/generators/generator.js";
import type { StructureConstants } from "../lie/generators/structure.js";
import { lineChart } from "./chart.js";
import { arrows, filmStrip, lineFlow, velocityField } from "./flows.js";
import { matrixPicture } from "./matrixPicture.js";
import { type PageHead, page, section, textTable } from "./page.js";
import { element, escapeText, significant } from "./svg.js";

const MOST_SHOWN = 16; // generators, the strongest first
const MOST_FIELD = 1024; // positions of a grid whose field is drawn

/** Symmetries that were found, as one self-contained HTML page: matrices, flows, spectra, algebra and evidence. */
export function renderSymmetries(head: PageHead, discovery: Discovery): string {
  const { basis, grid } = discovery;
  const shown = basis.generators.slice(0, MOST_SHOWN);
  const pictures = shown.map((_, i) => generatorFigures(discovery, i));
  const fewer = basis.n_L > shown.length ? ` The ${shown.length} strongest of ${basis.n_L} are shown.` : "";
  return page(head, [
    section("What was found", overview(discovery)),
    section(
      "Generators",
      (grid ? pictures.join("\n") : element("div", { class: "row" }, ...pictures)) +
        muted(`Rows are where values go, columns where they come from. A picture is as faint as its generator is weak.${fewer}`),
    ),
    ...numbersSections(discovery),
    section("Spectra", spectrumTable(discovery.spectra.slice(0, MOST_SHOWN))),
    section("The algebra", algebraSection(discovery)),
    ...(discovery.defects ? [section("Equivariance defect", defectSection(discovery))] : []),
    ...residualSection(discovery.evidence, basis.n_L),
  ]);
}

/** No symmetry, or no claim, with the reason, as a page. */
export function renderNothing(head: PageHead, { source, dimension, evidence, notes }: Found): string {
  const rows = [["From", source], ["Result", nothingFound(dimension, evidence).text], ...rowsOfEvidence(evidence, 0)];
  return page(head, [
    section("What was found", textTable([{ heading: "" }, { heading: "" }], rows) + notesOf(notes)),
    ...residualSection(evidence, 0),
  ]);
}

const rowsOfEvidence = (evidence: Evidence, n_L: number): [string, string][] =>
  evidenceRows(evidence, n_L).map(([what, value]) => [what[0].toUpperCase() + what.slice(1), value]);

const residualSection = (evidence: Evidence | undefined, n_L: number): string[] =>
  evidence && evidence.residuals.length > 1 ? [section("Residuals", residualChart(evidence, n_L))] : [];

const notesOf = (notes: readonly string[]): string =>
  notes.map((note) => element("p", {}, element("strong", {}, "Note: "), escapeText(note))).join("");

const MOST_PRINTED = 8; // d of matrices whose numbers are printed

/** The numbers of small generators, and of the standard basis. */
function numbersSections({ basis, standard, affine }: Discovery): string[] {
  if (basis.d > MOST_PRINTED) return [];
  const sections: string[] = [];
  const homogeneous = affine ? muted("On (x, 1): the last column is the translation.") : "";
  if (standard)
    sections.push(
      section(
        "Standard basis",
        muted(
          `The same span as textbooks write it. Its structure constants are off by ${significant(standard.distance)}; the change of basis has condition ` +
            `${significant(standard.condition)}.`,
        ) +
          homogeneous +
          matrices(standard.basis, standard.names),
      ),
    );
  sections.push(
    section(
      "In numbers",
      homogeneous +
        matrices(
          basis,
          basis.generators.map((_, i) => `L${i + 1}`),
        ),
    ),
  );
  return sections;
}

const matrices = (basis: Basis, names: readonly string[]): string =>
  element(
    "div",
    { class: "row" },
    ...basis.dense().map((L, i) => element("figure", {}, numbers(L), element("figcaption", {}, escapeText(names[i])))),
  );

function numbers(L: Matrix): string {
  const rows = L.to2DArray().map((row) => element("tr", {}, ...row.map((value) => element("td", { class: "number" }, value.toFixed(3)))));
  return element("table", {}, element("tbody", {}, ...rows));
}

const paragraph = (text: string): string => element("p", {}, escapeText(text));
const muted = (text: string): string => element("p", { class: "muted" }, escapeText(text));

function overview({ source, basis, identification, angles, onData, evidence, strengths, notes }: Discovery): string {
  const rows = [
    ["From", source],
    ["Dimension", String(basis.n_L)],
    ["Algebra", `${identification.name}${identification.certain ? "" : ", not certain"}, distance ${significant(identification.distance)}`],
    ...angles.map(({ known, degrees }) => [
      `Principal angles to ${known}${onData ? ", by what they do to the data" : ""}`,
      `${degrees.map((x) => significant(x)).join("°, ")}°`,
    ]),
    ...(evidence ? rowsOfEvidence(evidence, basis.n_L) : []),
    ["Strengths", strengths.map((s) => significant(s)).join(", ")],
  ];
  return textTable([{ heading: "" }, { heading: "" }], rows) + notesOf(notes);
}

const FAINTEST = 0.15;

/** A row of pictures for a generator on a grid, else one picture. */
function generatorFigures(discovery: Discovery, i: number): string {
  const { basis, grid, permutation, strengths, spectra } = discovery;
  const g = basis.generators[i];
  const unscrambled = permutation ? inOrder(g, permutation) : g;
  const caption = element("figcaption", {}, `Strength ${significant(strengths[i])}`);
  const faded = { style: `opacity:${Math.max(FAINTEST, strengths[i] / strengths[0]).toFixed(2)}` }; // each picture has colours of its own
  const figures = [
    element("figure", {}, element("div", faded, matrixPicture(g, permutation ? `L${i + 1} as found` : `L${i + 1}`)), caption),
  ];
  if (permutation) figures.push(element("figure", {}, matrixPicture(unscrambled, `L${i + 1} unscrambled`)));
  figures.push(...flowFigures(unscrambled, grid, i, fastest(g, spectra[i])));
  return grid ? element("div", { class: "row" }, ...figures) : figures.join("");
}

/** Undoes scrambled[mu] = h[permutation[mu]]. */
function inOrder(g: Generator, permutation: ArrayLike<number>): Generator {
  const inverse = new Array<number>(permutation.length);
  for (let mu = 0; mu < permutation.length; mu++) inverse[permutation[mu]] = mu;
  return permuted(g, inverse);
}

function flowFigures(g: Generator, grid: readonly number[] | undefined, i: number, rate: number): string[] {
  if (grid?.length === 1) return [element("figure", {}, lineFlow(g, grid[0], 1 / rate, `exp(t L${i + 1}) on a bump`))];
  if (grid?.length !== 2 || grid[0] * grid[1] > MOST_FIELD) return [];
  const [p, q] = grid;
  const field = velocityField(g, p, q);
  const speed = field.x.reduce((most, x, mu) => Math.max(most, Math.hypot(x, field.y[mu])), 0);
  const moves = field.explained > 0.5 && speed > 0;
  const step = Math.min(moves ? Math.min(p, q) / 6 / speed : 0.5 / rate, MOST_GROWTH / rate);
  const share = `${(100 * field.explained).toFixed(0)} % of what L${i + 1} does to smooth images is a motion of the pixels along these arrows.`;
  return [
    element("figure", {}, arrows(field, p, q, `Motion of L${i + 1}`), element("figcaption", {}, share)),
    element(
      "figure",
      {},
      filmStrip(g, p, q, step, `exp(t L${i + 1}) on a test image`),
      element("figcaption", {}, "A test image under the flow."),
    ),
  ];
}

/** Of exp(t L) between two frames, as a power of e: what the pixels do not show may grow without bounds. */
const MOST_GROWTH = 30;

/** The greatest magnitude of an eigenvalue; where they are next to 0, as of a shear, |L| / sqrt(d), which no normal L falls below. */
const fastest = (g: Generator, [first]: readonly Eigenvalue[]): number =>
  Math.max(first ? Math.hypot(first.re, first.im) : 0, norm(g) / Math.sqrt(g.d));

const MOST_EIGENVALUES = 8; // of a generator

/** Rotation frequencies, the imaginary parts; their ratios to the least of them; growth rates, the real parts. */
function spectrumTable(spectra: readonly (readonly Eigenvalue[])[]): string {
  const rows = spectra.map((values, i) => {
    const greatest = Math.max(0, ...values.map(({ re, im }) => Math.hypot(re, im)));
    const turning = values.filter(({ im }) => im > 1e-6 * greatest).slice(0, MOST_EIGENVALUES);
    const growing = values.filter(({ re, im }) => im >= 0 && Math.abs(re) > 1e-6 * greatest).slice(0, MOST_EIGENVALUES);
    const least = Math.min(...turning.map(({ im }) => im));
    const show = (numbers: readonly number[]): string => (numbers.length > 0 ? numbers.map((x) => significant(x)).join(", ") : "none");
    return [`L${i + 1}`, show(turning.map(({ im }) => im)), show(turning.map(({ im }) => im / least)), show(growing.map(({ re }) => re))];
  });
  const columns = ["", "Rotation frequencies", "as multiples of the least", "Growth rates"].map((heading) => ({ heading }));
  return textTable(columns, rows) + muted(`Imaginary and real parts of the eigenvalues of L, of the ${MOST_EIGENVALUES} greatest at most.`);
}

function algebraSection({ identification, basis }: Discovery): string {
  const { structure, alternatives } = identification;
  const { signature, center, derivedSeries, closureResidual, noncommutativity, tolerance } = structure;
  const facts = [
    [
      "Closure residual",
      `${significant(closureResidual)}: what of the commutators lies outside of the span, by the norms of their factors`,
    ],
    ["Commutators", `${significant(noncommutativity)} by the norms of their factors`],
    ["Killing form", `${signature.positive} positive, ${signature.negative} negative, ${signature.zero} zero directions`],
    ["Centre", `${center} dimension${center === 1 ? "" : "s"}`],
    ["Derived series", derivedSeries.join(" → ")],
    ["Tolerance", significant(tolerance)],
  ];
  const few = basis.n_L <= MOST_SHOWN;
  return [
    textTable([{ heading: "" }, { heading: "" }], facts),
    alternatives.length > 0 ? paragraph(`Not excluded: ${alternatives.join(", ")}.`) : "",
    element("ul", {}, identification.facts.map((fact) => element("li", {}, escapeText(fact))).join("")),
    few ? element("h3", {}, "Commutators") + commutatorList(structure.f, tolerance) : "",
    few && basis.n_L > 1 ? element("h3", {}, "Killing form") + killingTable(structure.killing.to2DArray()) : "",
  ].join("\n");
}

/** [L1, L2] = 0.71 L3 - ... for all pairs, without what is below the tolerance. */
function commutatorList(f: StructureConstants, tolerance: number): string {
  const greatest = Math.max(0, ...f.flat(2).map(Math.abs));
  const lines: string[] = [];
  for (let i = 0; i < f.length; i++)
    for (let j = i + 1; j < f.length; j++) {
      const terms = f[i][j].flatMap((value, k) => (Math.abs(value) > tolerance * greatest && greatest > 1e-9 ? [{ value, k }] : []));
      const sum = terms
        .map(({ value, k }, at) => `${value < 0 ? "− " : at > 0 ? "+ " : ""}${significant(Math.abs(value))} L${k + 1}`)
        .join(" ");
      lines.push(`[L${i + 1}, L${j + 1}] = ${sum === "" ? "0" : sum}`);
    }
  return lines.length === 0
    ? paragraph("There is one generator, which commutes with itself.")
    : element("p", {}, lines.map(escapeText).join("<br/>"));
}

/** Of the model that was examined, under what was found and what is known. */
function defectSection({ defects = [], angles }: Discovery): string {
  const show = (value: number): string => (Number.isFinite(value) ? significant(value) : "–");
  const row = (name: string, { defect, upper }: BoundedDefect): string[] => [name, show(defect), show(upper)];
  const rows = [
    ...defects.map((of, i) => row(`L${i + 1}`, of)),
    ...angles.flatMap(({ known, defects: ofKnown = [] }) =>
      ofKnown.map((of, k) => row(ofKnown.length > 1 ? `${known}, ${k + 1}` : known, of)),
    ),
  ];
  const columns = [{ heading: "Under" }, { heading: "Defect", number: true }, { heading: "At most", number: true }];
  const reasons = angles.flatMap(({ known, notes = [] }) => notes.map((note) => paragraph(`${known}: ${note}`)));
  return [
    muted("0 for an equivariant model, about 1 for one that has nothing to do with the generator; the bound holds with 95 % confidence."),
    textTable(columns, rows),
    ...reasons,
  ].join("\n");
}

function killingTable(K: readonly (readonly number[])[]): string {
  const columns = [{ heading: "" }, ...K.map((_, j) => ({ heading: `L${j + 1}`, number: true }))];
  return textTable(columns, K.map((row, i) => [`L${i + 1}`, ...row.map((value) => significant(Math.abs(value) < 1e-9 ? 0 : value))])); // biome-ignore format: one call
}

function residualChart({ residuals, noise, moments }: Evidence, dimension: number): string {
  const [what, other] = moments ? ["change that remains", "sampling alone"] : ["residual", "noise of one network"];
  const logs = (values: readonly number[]) => values.slice(0, 60).map((value, k) => [k + 1, Math.log10(Math.max(value, 1e-9))] as const);
  const chart = lineChart({
    title: moments ? "Share of the change of the cumulants that remains" : "Residual of each direction",
    xLabel: "direction, the best first",
    yLabel: `log10 ${moments ? "share" : "residual"}`,
    series: [
      {
        name: dimension === 0 ? `${what}; none counts as a symmetry` : `${what}; symmetries: the first ${dimension}`,
        points: logs(residuals),
      },
      ...(noise ? [{ name: other, points: logs(noise) }] : []),
    ],
  });
  return element("figure", {}, chart);
}
