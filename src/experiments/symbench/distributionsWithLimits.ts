import { Matrix } from "ml-matrix";
import { denseBasis } from "../../lie/generators/basis.js";
import { choice, distribution, repeated, shapesOf, turn } from "./distributionsByAlgebra.js";
import { type Distribution, rotation, rotations } from "./truth.js";

const centers = shapesOf(5, 4, 21);
const spreads = shapesOf(5, 16, 22, (values) => values.map((value) => 0.4 * value));

/** Distributions without a continuous linear symmetry. */
const none: Distribution[] = [
  distribution({
    ...{ name: "samples-none-independent", category: "none", d: 5, algebra: "none" },
    parameters: [...repeated("exponential", 3), ...repeated("uniform", 2)],
    sample: (p) => p.map((value, a) => (a < 3 ? value : Math.sqrt(12) * value)),
  }),
  distribution({
    ...{ name: "samples-none-mixture", category: "none", d: 4, algebra: "none" }, // five Gaussians
    parameters: [...repeated("normal", 4), choice(5)],
    sample: (p) => {
      const spread = Matrix.from1DArray(4, 4, [...spreads.at(p[4])])
        .mmul(Matrix.columnVector(p.slice(0, 4)))
        .to1DArray();
      return centers.at(p[4]).map((value, a) => 2 * value + spread[a]);
    },
  }),
  distribution({
    ...{ name: "samples-none-two-valued", category: "none", d: 5, algebra: "none" }, // 1 with a chance of 1/2, 2/5 ... 1/6
    parameters: [2, 5, 3, 7, 6].map(choice),
    sample: (p) => p.map((value, a) => Number(value < (a === 1 ? 2 : a === 3 ? 3 : 1))),
  }),
  distribution({
    ...{ name: "samples-none-shapes", category: "none", d: 6, algebra: "none" }, // points that are not moved
    parameters: [choice(9), ...repeated("normal", 6)],
    sample: ([k, ...z]) => fixed.at(k).map((value, a) => value + 0.3 * z[a]),
  }),
  distribution({
    ...{ name: "samples-discrete-c4", category: "discrete", d: 2, algebra: "none" }, // four blobs in a square
    parameters: [choice(4), ...repeated("normal", 2)],
    sample: ([k, a, b]) => [Math.cos((Math.PI * k) / 2) + a / 5, Math.sin((Math.PI * k) / 2) + b / 5],
  }),
  distribution({
    ...{ name: "samples-discrete-c3", category: "discrete", d: 3, algebra: "none" }, // three blobs in a triangle, and a third coordinate
    parameters: [choice(3), ...repeated("normal", 2), { kind: "exponential" }],
    sample: ([k, a, b, c]) => [Math.cos((2 * Math.PI * k) / 3) + a / 5, Math.sin((2 * Math.PI * k) / 3) + b / 5, c],
  }),
];
const fixed = shapesOf(9, 6, 23);

const CHOICES = 100;
const turning = shapesOf(4, 3, 1);
/** A turn that the given share of the samples does not make. */
const broken: Distribution[] = [0.03, 0.1, 0.3].map((share) =>
  distribution({
    ...{ name: `samples-so2-broken-${100 * share}%`, category: "approximate", d: 3, algebra: "so(2)", broken: share },
    generators: denseBasis([rotation(3, 0, 1)]),
    parameters: [turn(1), choice(turning.length), choice(CHOICES)],
    sample: ([t, k, one]) => {
      const [a, b, c] = turning.at(k);
      const angle = one < CHOICES * share ? 0 : t;
      return [Math.cos(angle) * a - Math.sin(angle) * b, Math.sin(angle) * a + Math.cos(angle) * b, c];
    },
  }),
);

/** Symmetries that cumulants beyond the second do not show: "no claim" is the right answer, too. */
const unseen: Distribution[] = [
  distribution({
    ...{ name: "samples-gaussian", category: "unseen", d: 4, algebra: "so(4)", generators: denseBasis(rotations(4)) },
    parameters: repeated("normal", 4),
    sample: (p) => [...p],
  }),
  distribution({
    ...{ name: "samples-gaussian-plane", category: "unseen", d: 5, algebra: "so(2)", generators: denseBasis([rotation(5, 3, 4)]) },
    parameters: [...repeated("exponential", 3), ...repeated("normal", 2)], // beside three of another kind
    sample: (p) => [...p],
  }),
];

/** Distributions without exact symmetries, and with such as cannot be seen. */
export const distributionsWithLimits: readonly Distribution[] = [...none, ...broken, ...unseen];
