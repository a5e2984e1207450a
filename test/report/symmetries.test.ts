import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type DescribeOptions, type Discovery, describe } from "../../src/discover/result.js";
import { Basis, denseBasis } from "../../src/lie/generators/basis.js";
import { dense, lowRank, sparse, toDense } from "../../src/lie/generators/generator.js";
import { affine, translation } from "../../src/lie/generators/grids.js";
import { gl, so } from "../../src/lie/generators/groups.js";
import { renderSymmetries } from "../../src/report/symmetries.js";
import { svgOf } from "./pixels.js";
import { assertWellFormed } from "./wellFormed.js";

const test = suite("report/symmetries");

const hostile = `</style><img src=x onerror=alert(1)> <b>&"' \u0007`;
const discovered = (basis: Basis, options: Partial<DescribeOptions> = {}): Discovery => describe(basis, { source: "a test", ...options });
const page = (discovery: Discovery): string => renderSymmetries({ title: "Symmetries" }, discovery);
const figures = (html: string): string[] => [...html.matchAll(/<svg [^>]*aria-label="([^"]*)"/g)].map(([, title]) => title);

const [P, Q] = [5, 7];
const rotation = affine(P, Q, { only: ["rotate"] });
const wave = translation(9, 18);
const defect = { defect: 0.25, upper: 0.5 };
const plain = discovered(so(3), { known: ["so(3)"] });
const kinds: Record<string, Discovery> = {
  "no grid": plain,
  image: discovered(rotation, {
    grid: [P, Q],
    known: ["so2", "affine"],
    evidence: { residuals: [0.01, 0.8, 0.9], noise: [0.02, 0.03, 0.03], bound: 1.5 },
    notes: ["a note"],
  }),
  signal: discovered(wave, { grid: [9], known: ["translations"], evidence: { residuals: [], bound: Number.NaN } }),
  scrambled: discovered(rotation, { grid: [P, Q], permutation: Array.from({ length: P * Q }, (_, mu) => (3 * mu + 1) % (P * Q)) }),
  "a grid of three axes": discovered(denseBasis([Matrix.eye(8)]), { grid: [2, 2, 2] }),
  "a row": discovered(
    denseBasis([
      new Matrix([
        [1, 2, 0],
        [0, 1, 1],
        [1, 0, 0],
      ]),
    ]),
    { grid: [1, 3] },
  ),
  "many generators": discovered(gl(5)),
  "with defects": {
    ...plain,
    defects: plain.basis.generators.map(() => defect),
    angles: [
      { known: "so(3)", degrees: [0, 1, 2], defects: [defect, defect, { defect: Number.NaN, upper: Infinity }], notes: ["relu breaks it"] },
    ],
  },
  hostile: {
    ...plain,
    source: hostile,
    notes: [hostile],
    angles: [{ known: hostile, degrees: [1], defects: [defect], notes: [hostile] }],
    defects: [defect],
    identification: { ...plain.identification, name: hostile, alternatives: [hostile], facts: [hostile] },
  },
};

test("one well-formed page that loads nothing, whatever was found and whatever it is called", () => {
  for (const [kind, discovery] of Object.entries(kinds)) {
    const html = renderSymmetries({ title: hostile, summary: hostile, created: hostile }, discovery);
    assertWellFormed(html);
    assert.not.match(html.replaceAll("http://www.w3.org/2000/svg", ""), /https?:|<script|<img|url\(|@import|<b>|<link/, kind);
    for (const [, href] of html.matchAll(/href="([^"]*)"/g)) assert.match(href, /^data:image\/png;base64,/);
    const text = html.replace(/<style>.*?<\/style>/s, "");
    assert.not.match(text, /NaN|undefined|Infinity|\[object|(?!\n)\p{Cc}/u, kind);
    for (const [svg] of html.matchAll(/<svg[^>]*>/g)) assert.match(svg, /role="img" aria-label="[^"]+"/);
    assert.is(renderSymmetries({ title: hostile, summary: hostile, created: hostile }, discovery), html, "the same twice");
  }
});

test("pictures: matrices always, flows where the positions are a line or a plane", () => {
  const shown = (kind: string): string[] => figures(page(kinds[kind]));
  assert.equal(shown("no grid"), ["L1", "L2", "L3"]);
  assert.equal(shown("image"), ["L1", "Motion of L1", "exp(t L1) on a test image", "Residual of each direction"]);
  assert.equal(shown("signal"), ["L1", "exp(t L1) on a bump"]);
  assert.equal(shown("scrambled"), ["L1 as found", "L1 unscrambled", "Motion of L1", "exp(t L1) on a test image"]);
  assert.equal(shown("a grid of three axes"), ["L1"]);
  assert.is(shown("many generators").length, 16);
  assert.match(page(kinds["many generators"]), "The 16 strongest of 25 are shown.");
});

test("numbers: frequencies, commutators and Killing form of so(3), angles, defects and notes", () => {
  const html = page(kinds["with defects"]);
  const cells = (name: string): string[] => {
    const [, row] = new RegExp(`<th scope="row"[^>]*>${name}</th>(.*?)</tr>`).exec(html) ?? [];
    return [...(row ?? "").matchAll(/>([^<]*)<\/td>/g)].map(([, cell]) => cell);
  };
  // Orthonormal generators of so(3) are rotations / sqrt 2: frequency 1 / sqrt 2, [L1, L2] = +-L3 / sqrt 2, Killing form -1 times the identity.
  assert.equal(cells("L1").slice(0, 3), ["0.707", "1", "none"]);
  assert.match(html, /\[L1, L2\] = (− )?0\.707 L3<br\/>\[L1, L3\] = (− )?0\.707 L2<br\/>\[L2, L3\] = (− )?0\.707 L1</);
  assert.match(html, '<th scope="row">L1</th><td class="number">-1</td><td class="number">0</td><td class="number">0</td>');
  assert.equal(cells("Dimension"), ["3"]);
  assert.match(cells("Algebra")[0], /^so\(3\), distance /);
  assert.equal(cells("Principal angles to so\\(3\\)"), ["0°, 1°, 2°"]);
  assert.equal(cells("Derived series"), ["3"]);
  assert.equal(cells("so\\(3\\), 2"), ["0.25", "0.5"]);
  assert.equal(cells("so\\(3\\), 3"), ["–", "–"]);
  assert.match(html, "so(3): relu breaks it");
  const image = page(kinds["image"]);
  assert.match(image, "1.5 degrees, 95 % bound");
  assert.match(image, "<strong>Note: </strong>a note");
  assert.match(image, "100 % of what L1 does to smooth images is a motion");
  assert.not.match(page(kinds["signal"]), '<th scope="row">Spread</th>', "a spread that was not measured is not shown");
});

test("a generator of scrambled positions is shown unscrambled where the permutation is known, in every form", () => {
  const d = P * Q;
  const permutation = Array.from({ length: d }, (_, mu) => (mu * 11 + 4) % d); // scrambled[mu] = h[permutation[mu]]
  const L = toDense(rotation.generators[0]);
  const scrambled = Matrix.zeros(d, d);
  for (let mu = 0; mu < d; mu++) for (let nu = 0; nu < d; nu++) scrambled.set(mu, nu, L.get(permutation[mu], permutation[nu]));
  const places = Array.from({ length: d * d }, (_, at) => at).filter((at) => scrambled.get(Math.floor(at / d), at % d) !== 0);
  const [rows, columns] = [places.map((at) => Math.floor(at / d)), places.map((at) => at % d)];
  const known = discovered(rotation, { grid: [P, Q] });
  const scale = 1 / L.norm();
  const expected = page({ ...known, basis: denseBasis([Matrix.mul(L, scale)]) });
  const forms = [
    dense(Matrix.mul(scrambled, scale)),
    lowRank(scrambled, Matrix.eye(d).mul(scale)),
    sparse(d, rows, columns, rows.map((row, k) => scrambled.get(row, columns[k]) * scale)), // biome-ignore format: one call
  ];
  for (const g of forms) {
    const html = page({ ...known, basis: new Basis([g]), permutation });
    const body = (svg: string): string => svg.replaceAll("L1 unscrambled", "L1");
    assert.is(body(svgOf(html, "L1 unscrambled")), svgOf(expected, "L1"), g.form);
    assert.is.not(svgOf(html, "L1 as found").replaceAll("L1 as found", "L1"), svgOf(expected, "L1"), g.form);
    for (const title of ["Motion of L1", "exp(t L1) on a test image"]) assert.is(svgOf(html, title), svgOf(expected, title), g.form);
  }
});

test("flows stay finite: of generators that are next to nilpotent, and of those with a part that the pixels do not show", () => {
  const d = 12;
  const [column, row] = [[1, ...new Array(d - 1).fill(0)], [1e-17, 1, ...new Array(d - 2).fill(0)]]; // biome-ignore format: two vectors
  const shear = lowRank(Matrix.columnVector(column), Matrix.rowVector(row));
  const [p, q] = [8, 8];
  const envelope = (k: number): number => (-1) ** k * Math.sin((Math.PI * (k + 0.5)) / p) ** 2; // the highest frequency, fading at the edge
  const fine = Matrix.columnVector(Array.from({ length: p * q }, (_, mu) => envelope(Math.floor(mu / q)) * envelope(mu % q)));
  const turn = toDense(affine(p, q, { only: ["rotate"] }).generators[0]);
  const hidden = fine.mmul(fine.transpose()).add(turn.mul(5e-3));
  for (const [L, grid] of [
    [shear, [d]],
    [dense(toDense(shear)), [d]],
    [dense(toDense(shear)), [3, 4]],
    [dense(hidden), [p, q]],
  ] as const) {
    const html = page(discovered(new Basis([L]), { grid }));
    assertWellFormed(html);
    assert.not.match(html.replace(/<style>.*?<\/style>/s, ""), /NaN|Infinity|e\+\d/);
    if (L.d === p * q) assert.match(html, /\b(9\d|100) % of what L1 does to smooth images is a motion/, "the hidden part is not seen");
  }
});

test.run();
