import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inOneGo } from "../../src/engine/breathe.js";
import { device } from "../../src/engine/device.js";
import { Philox } from "../../src/engine/random.js";
import { whitening } from "../../src/lie/functions/whitening.js";
import { dense } from "../../src/lie/generators/generator.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { reshape, slice } from "../../src/ops/shape.js";
import { type FiniteCheck, finiteCheck, plainFlow, whitenedFlow } from "../../src/symmetry/finiteCheck.js";
import { Support } from "../../src/symmetry/support.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";

const test = suite("lie/finiteCheck");

const N = 400;
const x = Float32Array.from(new Philox(1, 1).normal(2 * N));
const sizes = { N, m: 1, d: 2 };
const rotation = new Matrix([[0, -1], [1, 0]]).div(Math.SQRT2); // biome-ignore format: a matrix
const asTheyAre = { to: Matrix.eye(2), from: Matrix.eye(2), mean: new Float64Array(2) };
type Func = (x: Tensor) => Tensor;
const entry = (t: Tensor, mu: number): Tensor => reshape(slice(t, [0, 0, mu], [t.shape[0], 1, 1]), [t.shape[0], 1]);
const round: Func = (t) => reshape(sum(mul(t, t), [1, 2]), [t.shape[0], 1]);
/** x^2 + y^4 / 3 */
const quartic: Func = (t) => {
  const [a, b] = [entry(t, 0), entry(t, 1)];
  return add(mul(a, a), mul(mul(mul(b, b), mul(b, b)), 1 / 3));
};

function check(models: readonly Func[], L: Matrix = rotation): FiniteCheck {
  const held = { x, sizes };
  const y = models[0](tensor(x, { shape: [N, 1, 2] })).dataSync();
  const outputs = whitening(y, 1, true);
  return inOneGo(
    finiteCheck(whitenedFlow(L, undefined, asTheyAre, held, new Support(Float64Array.from(x), 2)), {
      ...held,
      models,
      device: device("cpu"),
      outputs,
    }),
  );
}

test("|x|^2 along a turn: nothing changes; W4, x^2 + y^4: .4 standard deviations", () => {
  const kept = check([round]);
  assert.ok(kept.verdict === "holds" && kept.change < 1e-4, JSON.stringify(kept));
  const broken = check([quartic]);
  assert.ok(broken.verdict === "fails" && broken.change > 0.3 && broken.upper > broken.change, JSON.stringify(broken));
});

test("functions that differ explain a change; too much noise leaves it undecided", () => {
  const tilted =
    (k: number, size: number): Func =>
    (t) =>
      add(round(t), mul(entry(t, k % 2), size * (k < 2 ? 1 : -1)));
  const some = check([0, 1, 2, 3].map((k) => tilted(k, 0.2))); // biome-ignore format: one line
  assert.ok(some.verdict === "holds" && some.explained > 0.05, JSON.stringify(some));
  const much = check([quartic, ...[0, 1, 2, 3].map((k) => tilted(k, 4))]); // biome-ignore format: one line
  assert.is(much.verdict, "undecided", JSON.stringify(much));
});

test("samples that leave the data do not count; where too few stay nothing is said", () => {
  const far = check([round], new Matrix([[1, 0], [0, 1]]).mul(1e-9)); // biome-ignore format: a matrix
  assert.ok(far.inside > 0.2 && far.inside <= 1 && Math.abs(far.t) > 1e7, "t is in units of |L|");
  assert.is(far.verdict, "fails", "scaling changes |x|^2");
});

test("a generator in the coordinates as they are", () => {
  const held = { x, sizes };
  const outputs = whitening(round(tensor(x, { shape: [N, 1, 2] })).dataSync(), 1, true);
  const flow = plainFlow(dense(rotation), undefined, held);
  const { change, inside } = inOneGo(finiteCheck(flow, { ...held, models: [round], device: device("cpu"), outputs }));
  assert.ok(change < 1e-4 && inside === 1, `${change}`);
});

test.run();
