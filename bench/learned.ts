// Does an L-conv layer learn the symmetry of its data? Trains L-conv networks on rotated images, and compares the span of the generators that their first layer
// learned with the one generator that `lie.symmetriesFromMoments` finds in the images, both in the whitened principal directions of that: the cosine of
// the smallest angle, before and after training, and of as many random matrices; for the layer's sum over a channel, sum_i W^i L_i, the greatest of all
// channels. One JSON line a seed.
//
//   LCONV_DATA=... npx tsx bench/learned.ts --dataset mnist --epochs 10 --seeds 3
import { parseArgs } from "node:util";
import { Matrix, QrDecomposition } from "ml-matrix";
import { data, device, fit, lie, models, Philox } from "../src/index.js";
import { reportTo } from "./lines.js";
import { machineLine } from "./machine.js";

const { values } = parseArgs({
  options: {
    dataset: { type: "string", default: "mnist" },
    epochs: { type: "string", default: "10" },
    seeds: { type: "string", default: "3" },
    out: { type: "string" },
  },
});
const here = device();
const report = (line: object): void => reportTo(values.out, line);

/** The cosine of the angle between L and the span of others. */
function cosineTo(L: Matrix, others: readonly Matrix[]): number {
  const Q = new QrDecomposition(new Matrix(others.map((A) => A.to1DArray())).transpose()).orthogonalMatrix;
  return Q.transpose().mmul(Matrix.columnVector(L.to1DArray())).norm() / L.norm();
}

report(machineLine(here));
const loaded = await data.loadDataset(values.dataset);
for (let seed = 0; seed < Number(values.seeds); seed++) {
  const { train, validation } = await data.prepare(loaded, { variant: "rotated", seed });
  const d = train.height * train.width;
  const read = (start: number, end: number): Float32Array => train.x.subarray(start * d, end * d);
  const found = await lie.symmetriesFromMoments({ N: train.count, m: 1, d, device: here, read });
  if (!found.whitened) throw new Error(`seed ${seed}: nothing was found: ${found.notes.join("; ")}`);
  const [L] = found.whitened.dense();
  const { to, from } = found.inputs;
  const inside = (generators: lie.Basis): Matrix[] =>
    generators.generators.map((g) => (g.form === "lowRank" ? to.mmul(g.U).mmul(g.V.mmul(from)) : to.mmul(lie.toDense(g)).mmul(from)));
  const network = models.makeModel("lconv", train, here, { generators: 9, rank: 16, filters: 32, seed });
  const [layer] = network.lconvLayers();
  const seen = (): { span: number; channels: number } => {
    const list = inside(lie.fromTensors(layer.generators));
    const [n, m_in, m_out] = layer.W.shape;
    const W = layer.W.dataSync();
    const channels = Array.from({ length: m_out }, (_, a) => {
      const sum = Matrix.zeros(L.rows, L.rows);
      for (let i = 1; i < n; i++) sum.add(Matrix.mul(list[i - 1], W[i * m_in * m_out + a]));
      return Math.abs(Matrix.mul(sum, L).sum()) / sum.norm() / L.norm();
    });
    return { span: cosineTo(L, list), channels: Math.max(...channels) };
  };
  const before = seen();
  const { valAccuracy } = await fit(network, { train, validation }, { epochs: Number(values.epochs), batch: 64, seed, device: here });
  const random = Array.from({ length: 9 }, (_, i) =>
    Matrix.from1DArray(L.rows, L.rows, [...new Philox(seed, 100 + i).normal(L.rows ** 2)]),
  );
  report({ dataset: values.dataset, seed, components: found.components, valAccuracy, before, after: seen(), random: cosineTo(L, random) });
  network.dispose();
}
