// Rotated MNIST with and without regularisers of the generators: accuracy, and what the generators are afterwards.
//
//   LCONV_DATA=… npx tsx bench/regularizersAblation.ts [--seeds 0,1,2] [--epochs 5] [--samples 12000] [--layers 1] [--out FILE.jsonl]

import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { EigenvalueDecomposition, Matrix, pseudoInverse } from "ml-matrix";
import { firstSamples } from "../src/cli/run/workload.js";
import { loadDataset } from "../src/data/load.js";
import { prepare } from "../src/data/transform.js";
import { defined } from "../src/defined.js";
import { inOneGo } from "../src/engine/breathe.js";
import { device as deviceOf } from "../src/engine/device.js";
import { native } from "../src/engine/native.js";
import { writeAtomic } from "../src/io/atomic.js";
import { Basis } from "../src/lie/generators/basis.js";
import { commutators } from "../src/lie/generators/commutators.js";
import { norm, scaled, trace, traceOfProduct } from "../src/lie/generators/generator.js";
import { makeModel } from "../src/models/models.js";
import type { Regularize } from "../src/symmetry/regularize.js";
import { fromTensors } from "../src/symmetry/tensors.js";
import { fit } from "../src/train/fit.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "0,1,2" },
    epochs: { type: "string", default: "5" },
    samples: { type: "string", default: "12000" },
    layers: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
const [epochs, samples] = [Number(values.epochs), Number(values.samples)];
const sizes = { layers: Number(values.layers) as 1 | 2, generators: 5, rank: 8, filters: 16 };
const training = { batch: 64, optimizer: "rmsprop", lr: 1e-3, epochs } as const;
const settings: [string, Regularize][] = [
  ["none", {}],
  ["closure 0.001, killing 0.001", { closure: 1e-3, killing: 1e-3 }],
  ["closure 1", { closure: 1 }],
  ["closure 100", { closure: 100 }],
  ["killing 100", { killing: 100 }],
  ["orthogonality 1", { orthogonality: 1 }],
  ["norm 0.01", { norm: 0.01 }],
  ["closure 100, killing 100, orthogonality 1, norm 0.01", { closure: 100, killing: 100, orthogonality: 1, norm: 0.01 }],
];

/** All in float64 from the trained U and V, with L^_i = L_i / |L_i|. */
interface Measured {
  /** 1 / n_L^2 sum_ij min_f |[L^_i, L^_j] - sum_k f_ij^k L^_k|^2 */
  closure: number;
  /** 1 / n_L^2 sum_ij |[L^_i, L^_j]|^2: how little they commute. */
  commutators: number;
  /** The root of what is left over, over the commutators: sqrt(sum_ij min_f |…|^2 / sum_ij |[L^_i, L^_j]|^2). */
  residual: number;
  /** 1 / n_L^2 sum_{i != j} K_ij^2 */
  killing: number;
  /** exp of the entropy of the eigenvalues of the Gram matrix of the L^_i, which add up to 1 when divided by n_L: from 1 to n_L. */
  effectiveRank: number;
}

function measure(basis: Basis): Measured {
  const n = basis.n_L;
  const unit = new Basis(basis.generators.map((g) => scaled(g, 1 / norm(g))));
  const { gram, norms, projections } = inOneGo(commutators(unit, unit.gram()));
  const inverse = pseudoInverse(gram);
  const inside = projections.flat().map((r) => traceOfProduct(Matrix.rowVector([...r]).mmul(inverse), Matrix.columnVector([...r])));
  const left = Math.max(0, norms.sum() - inside.reduce((sum, value) => sum + value, 0));
  const eigenvalues = new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues.map((value) =>
    Math.max(value / n, 1e-300),
  );
  return {
    closure: left / n ** 2,
    commutators: norms.sum() / n ** 2,
    residual: Math.sqrt(left / norms.sum()),
    killing: killingBetween(unit),
    effectiveRank: Math.exp(-eigenvalues.reduce((sum, p) => sum + p * Math.log(p), 0)),
  };
}

function killingBetween({ generators, n_L, d }: Basis): number {
  let sum = 0;
  for (const [i, a] of generators.entries()) {
    for (const [j, b] of generators.entries()) {
      if (i === j || a.form !== "lowRank" || b.form !== "lowRank") continue;
      sum += (traceOfProduct(a.V.mmul(b.U), b.V.mmul(a.U)) - (trace(a) * trace(b)) / d) ** 2;
    }
  }
  return sum / n_L ** 2;
}

const cpu = deviceOf("cpu");
const lines: object[] = [
  { machine: cpus()[0].model.trim(), threads: cpu.threads, ...native().info(), node: process.version, date: new Date().toISOString() },
  { data: "mnist", variant: "rotated", samples, ...sizes, ...training },
];
const raw = await loadDataset("mnist");
const rows = new Map<string, (Measured & { testAccuracy: number })[]>();
for (const seed of values.seeds.split(",").map(Number)) {
  const { train, test } = await prepare(raw, { variant: "rotated", seed, threads: cpu.threads });
  for (const [name, regularize] of settings) {
    const model = makeModel("lconv", train, cpu, { ...sizes, seed });
    const result = await fit(
      model,
      { train: firstSamples(train, samples), ...defined({ test }) },
      { ...training, seed, regularize, device: cpu },
    );
    const testAccuracy = result.testAccuracy ?? Number.NaN;
    model.lconvLayers().forEach(({ generators }, layer) => {
      const measured = measure(fromTensors(generators));
      lines.push({
        seed,
        regularize,
        layer: layer + 1,
        testAccuracy,
        loss: result.history.at(-1)?.loss,
        seconds: result.seconds,
        ...measured,
      });
      const row = `${name}${sizes.layers > 1 ? `, layer ${layer + 1}` : ""}`;
      rows.set(row, [...(rows.get(row) ?? []), { testAccuracy, ...measured }]);
    });
    model.dispose();
    if (values.out) writeAtomic(values.out, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
  }
}

const columns: [keyof Measured | "testAccuracy", string][] = [
  ["testAccuracy", "test accuracy"],
  ["closure", "closure"],
  ["commutators", "commutators"],
  ["residual", "residual"],
  ["killing", "killing"],
  ["effectiveRank", "effective rank"],
];
console.log(
  `mean of the seeds, and their spread\n| regularisers | ${columns.map(([, title]) => title).join(" | ")} |\n|${"---|".repeat(columns.length + 1)}`,
);
for (const [name, found] of rows) {
  const cells = columns.map(([key]) => {
    const all = found.map((row) => row[key]);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    return `${mean.toPrecision(3)} ± ${((Math.max(...all) - Math.min(...all)) / 2).toPrecision(1)}`;
  });
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
