// `lie.symmetriesFromMoments` where the answer is known (bench/momentsData.ts): a JSON line for each run, appended to a file. Runs that are there already
// are left out. A table of all runs follows; with --table, nothing else.
//
//   LCONV_DATA=… npx tsx bench/moments.ts --out FILE.jsonl [--only NAME] [--seeds 5] [--table]
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Matrix } from "ml-matrix";
import { defined } from "../src/defined.js";
import { device, lie } from "../src/index.js";
import { largestAngle } from "../src/symmetry/spanError.js";
import { machineLine } from "./machine.js";
import { antisymmetric, classes, clouds, images, nulls, type Problem, signals, signed } from "./momentsData.js";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "5" },
    table: { type: "boolean" },
  },
});
const out = values.out ?? "build/moments.jsonl";

/** Angles are in degrees. A dimension that is left out is "no claim". */
interface Row {
  problem: string;
  parameters: { components?: number };
  seed: number;
  N: number;
  k: number;
  dimension?: number;
  truth: number;
  /** Whether the dimension is a right answer. */
  right: boolean;
  /** Generators that are given, with a dimension or not, and further ones that may be or nearly are. */
  given: number;
  undecided: number;
  nearly: number;
  /** Largest principal angle between what is given and the truth, in whitened coordinates; of the larger to the smaller where dimensions differ. */
  angle?: number;
  /** Cosine of that angle for the antisymmetric part of the truth. */
  cosine?: number;
  bound?: number;
  /** Whether the angle is within the bound, where the truth is exact and of this dimension. */
  covered?: boolean;
  ratios: number[];
  noise: number[];
  seconds: number;
  notes: readonly string[];
}

const all: readonly Problem[] = [...clouds, ...nulls, ...signed, ...signals, ...classes, ...images];
const rows = (): Row[] => (existsSync(out) ? readFileSync(out, "utf8").trim().split("\n").map((line) => JSON.parse(line)).filter((row) => row.problem) : []); // biome-ignore format: one line
const keyOf = ({ problem, parameters, seed, N }: Pick<Row, "problem" | "parameters" | "seed" | "N">): string =>
  JSON.stringify([problem, parameters, seed, N]);
const append = (line: object): void => appendFileSync(out, `${JSON.stringify(line)}\n`);
const short = (value: number): number => Number(value.toPrecision(4));
const degrees = (radians: number): number => (180 * radians) / Math.PI;

async function runAll(): Promise<void> {
  append({ ...machineLine(device()), code: codeOf() });
  const done = new Set(rows().map(keyOf));
  for (const problem of all.filter(({ name }) => name.includes(values.only)))
    for (let seed = 0; seed < Number(values.seeds) * (problem.seedsTimes ?? 1); seed++)
      for (const { N, ...parameters } of problem.settings) {
        const asked = { problem: problem.name, parameters, seed, N };
        if (done.has(keyOf(asked))) continue;
        const row = await measured(problem, seed, N, parameters);
        append(row);
        const { dimension, truth, angle, seconds } = row;
        console.log(`${keyOf(asked)}: dimension ${dimension} of ${truth}, angle ${angle}, ${seconds} s`);
      }
}

async function measured(
  { name, make, truth, alsoRight = [], exact }: Problem,
  seed: number,
  N: number,
  parameters: Row["parameters"],
): Promise<Row> {
  const made = await make(seed, N);
  const { x, m, d, labels } = made;
  const source = { N, m, d, read: (start: number, end: number) => x.subarray(start * m * d, end * m * d) };
  const start = performance.now();
  const found = await lie.symmetriesFromMoments(source, { seed, ...parameters, ...defined({ labels }) });
  const seconds = short((performance.now() - start) / 1e3);
  const { dimension, whitened, undecided, nearly, components, directions, notes } = found;
  const actual = made.truth(found.inputs);
  const given = whitened?.dense() ?? [];
  const compared = given.length > 0 && actual.length > 0;
  const angle = compared ? degrees(angleBetween(given, actual)) : undefined;
  const cosine = compared ? Math.cos(angleBetween(given, actual.map(antisymmetric))) : undefined;
  const bound = given.length > 0 ? degrees(found.bound) : undefined;
  const counts = angle !== undefined && bound !== undefined && dimension === truth && exact(components);
  return {
    ...{ problem: name, parameters, seed, N, k: components },
    ...defined({ dimension }),
    ...{ truth, right: [truth, ...alsoRight].includes(dimension), given: given.length, undecided, nearly },
    ...defined({ angle: angle && short(angle), cosine: cosine && Number(cosine.toFixed(6)), bound: bound && short(bound) }),
    ...(counts ? { covered: angle <= bound } : {}),
    ratios: directions.slice(0, 6).map(({ ratio }) => short(ratio)),
    noise: directions.slice(0, 6).map(({ noise }) => short(noise)),
    ...{ seconds, notes },
  };
}

/** The largest principal angle, in radians: of the smaller span to the larger one. */
function angleBetween(a: readonly Matrix[], b: readonly Matrix[]): number {
  const columns = (list: readonly Matrix[]): Matrix => new Matrix(list.map((L) => L.to1DArray())).transpose();
  return a.length >= b.length ? largestAngle(columns(a), columns(b)) : largestAngle(columns(b), columns(a));
}

/** Of each problem and setting: angles and cosines where the dimension is that of the truth. */
function table(): void {
  const groups = new Map<string, Row[]>();
  for (const row of rows()) {
    const name = [row.problem, ...Object.entries(row.parameters).map(([key, value]) => `${key} ${value}`), `N ${row.N}`].join(", ");
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  console.log(
    "| problem | k | truth | right | no claim | too few | too many | angle, median | largest | least cosine | bound, median | covered | seconds |",
  );
  console.log(`|${"---|".repeat(13)}`);
  for (const [name, list] of groups) {
    const share = (does: (row: Row) => boolean): string => `${list.filter(does).length}/${list.length}`;
    const same = list.filter(({ dimension, truth }) => dimension === truth);
    const sorted = (key: "angle" | "cosine" | "bound"): number[] => same.flatMap((row) => row[key] ?? []).sort((a, b) => a - b);
    const show = (value: number | undefined): string => (value === undefined ? "" : `${Number(value.toPrecision(3))}`);
    const median = (list: readonly number[]): string => show(list[list.length >> 1]);
    const bounded = list.filter(({ covered }) => covered !== undefined);
    const cells = [
      ...[name, [...new Set(list.map(({ k }) => k))].join(" "), list[0].truth, share(({ right }) => right)],
      ...[share(({ dimension }) => dimension === undefined)],
      ...[share(({ dimension, truth }) => dimension !== undefined && dimension < truth)],
      ...[share(({ dimension, truth }) => dimension !== undefined && dimension > truth)],
      ...[median(sorted("angle")), show(sorted("angle").at(-1)), show(sorted("cosine")[0]), median(sorted("bound"))],
      ...[bounded.length === 0 ? "" : `${bounded.filter(({ covered }) => covered).length}/${bounded.length}`],
      median(list.map(({ seconds }) => seconds).sort((a, b) => a - b)),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

/** Of the sources that are measured, as what is not committed has no other name. */
function codeOf(): string {
  const folder = new URL("../src/moments/", import.meta.url);
  const hash = createHash("sha256");
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(new URL(file, folder)));
  return hash.digest("hex").slice(0, 12);
}

if (!values.table) await runAll();
table();
