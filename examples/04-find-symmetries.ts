// The symmetries of a function or of a trained model: found in its gradient, named, measured, and drawn.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { discover, lie, models, ops, randn, saveSymmetries, scope, type Tensor, tensor } from "../src/index.js";

const metric = [1, -1, -1, -1];

/** The interval a_0 b_0 - a_1 b_1 - a_2 b_2 - a_3 b_3 of two events, x [N, 2, 4] -> [N, 1]; any nn.Module may take its place. */
function interval(x: Tensor): Tensor {
  const [N] = x.shape;
  const event = (k: number): Tensor => ops.slice(x, [0, k, 0], [N, 1, 4]);
  return ops.sum(ops.mul(ops.mul(event(0), event(1)), tensor(metric, { shape: [1, 1, 4] })), 2);
}

scope(() => {
  const x = randn([200, 2, 4], { seed: 1 });
  const { basis, dimension, residuals } = lie.extractSymmetries(interval, x);
  if (basis === undefined) throw new Error("no symmetry");
  console.log(`${dimension} symmetries, residuals ${residuals.slice(0, dimension + 1).map((r) => r.toPrecision(1)).join(", ")}`); // biome-ignore format: one line

  const discovery = discover.describe(basis, {
    source: "the interval of two events",
    evidence: { residuals },
    known: ["so(1,3)"],
    defect: (L) => models.equivarianceDefect(interval, L, x),
  });
  const { identification, angles, defects = [] } = discovery;
  console.log(`algebra: ${identification.name}, distance ${identification.distance.toExponential(1)}`);
  console.log(`largest angle to so(1,3): ${Math.max(...angles[0].degrees).toFixed(3)} degrees`);
  console.log(`largest equivariance defect: at most ${Math.max(...defects.map(({ upper }) => upper)).toExponential(0)}`);

  const folder = mkdtempSync(join(tmpdir(), "lconv-symmetries-"));
  saveSymmetries(folder, discovery);
  console.log(`matrices, numbers and pictures: ${folder}`);
});
