import { inverse as inverseOf, Matrix } from "ml-matrix";
import { type Basis, denseBasis } from "../../lie/generators/basis.js";
import { so } from "../../lie/generators/groups.js";
import { all, dot, embedded, rotation, rotations, type Truth, truth, vectors } from "./truth.js";

/** A fixed smooth function without any symmetry: waves of fixed pseudo-random directions. */
const waves = (inputs: number, outputs: number, salt: number): ((x: Float64Array) => number[]) => {
  const at = (k: number): number => 2 * ((Math.sin(12.9898 * (k + salt)) * 43758.5453) % 1);
  return (x) =>
    Array.from({ length: outputs }, (_, o) => {
      let sum = 0;
      for (let w = 0; w < 8; w++) {
        let phase = at(1000 * o + 100 * w);
        for (let k = 0; k < inputs; k++) phase += 0.6 * at(1000 * o + 100 * w + k + 1) * x[k];
        sum += Math.sin(phase);
      }
      return sum / 2;
    });
};

/** Functions without a continuous linear symmetry. */
export const none: readonly Truth[] = [
  truth({ name: "none-waves", category: "none", m: 1, d: 3, algebra: "none", f: waves(3, 2, 1) }),
  truth({ name: "none-two-vectors", category: "none", m: 2, d: 3, algebra: "none", f: waves(6, 2, 2) }),
  truth({ name: "none-quartic", category: "none", m: 1, d: 2, algebra: "none", f: ([x, y]) => [x * x + y ** 4 / 3] }),
  truth({
    ...{ name: "none-cubic", category: "none", m: 1, d: 4, algebra: "none" },
    f: ([a, b, c, d]) => [a * b + c ** 3 / 3 + d * d + a, b * c - d + a * a, Math.sin(a + b) + c * d],
  }),
  truth({
    ...{ name: "none-affine", category: "none", m: 1, d: 2, affine: true, algebra: "none" },
    f: ([x, y]) => [x ** 3 / 3 + y * y + x * y, Math.sin(x) + y],
  }),
  truth({
    ...{ name: "nonlinear", category: "nonlinear", m: 1, d: 2, algebra: "none" }, // a circle in the coordinates (x + y^2, y): its flow is no linear one
    f: ([x, y]) => [Math.tanh(((x + 0.7 * y * y - 0.7) ** 2 + y * y) / 2)],
  }),
  truth({ name: "discrete-d4", category: "discrete", m: 1, d: 2, algebra: "none", f: ([x, y]) => [(x ** 4 + y ** 4) / 4] }),
  truth({
    ...{ name: "discrete-c3", category: "discrete", m: 1, d: 2, algebra: "none" },
    f: ([x, y]) => [Math.tanh((x ** 3 - 3 * x * y * y) / 3) + 0.2 * (x * x + y * y)],
  }),
];
/** A rotation, broken by a wave of threefold symmetry: |x|^2 / 2 has variance 1, and (x + i y)^3 24. */
export const approximate: readonly Truth[] = [0.01, 0.03, 0.1, 0.3].map((broken) =>
  truth({
    ...{ name: `so2-broken-${100 * broken}%`, category: "approximate", m: 1, d: 2, algebra: "so(2)", broken },
    generators: denseBasis([rotation(2, 0, 1)]),
    f: ([x, y]) => [(x * x + y * y) / 2 + (broken * (x ** 3 - 3 * x * y * y)) / Math.sqrt(24)],
  }),
);

const mixing = [
  [0.8, -0.3, 0.5],
  [0.1, 1.1, -0.4],
  [-0.6, 0.2, 0.9],
  [0.7, 0.5, 0.2],
  [0.3, -0.9, -0.5],
];

/** Functions with symmetries that are known modulo what x or f leave out. */
export const reduced: readonly Truth[] = [
  truth({
    ...{ name: "so3-subspace", category: "reduced", m: 2, d: 5, algebra: "so(3)" }, // data on a subspace of three dimensions
    generators: subspaceRotations(),
    sample: (normal) => {
      const x = new Float64Array(10);
      for (let c = 0; c < 2; c++)
        for (let mu = 0; mu < 5; mu++) for (let nu = 0; nu < 3; nu++) x[5 * c + mu] += mixing[mu][nu] * normal[5 * c + nu];
      return x;
    },
    f: (x) => {
      const inverse = pseudoInverse();
      const [a, b] = vectors(x, 5).map((v) => Float64Array.from(inverse, (row) => row.reduce((sum, value, k) => sum + value * v[k], 0)));
      return [dot(a, b) / 2, Math.tanh(dot(a, a) / 3) + dot(b, b) / 4];
    },
  }),
  truth({
    ...{ name: "so3-ignored", category: "reduced", m: 1, d: 5, algebra: "so(3)", generators: all(embedded(so(3), 5, 0)) }, // two coordinates are ignored
    f: (x) => [Math.tanh(dot(x.subarray(0, 3), x.subarray(0, 3)) / 3), Math.sin(dot(x.subarray(0, 3), x.subarray(0, 3)) / 2)],
  }),
];

function pseudoInverse(): number[][] {
  const A = new Matrix(mixing);
  const gram = A.transpose().mmul(A);
  return inverseOf(gram).mmul(A.transpose()).to2DArray();
}

function subspaceRotations(): Basis {
  const [A, back] = [new Matrix(mixing), new Matrix(pseudoInverse())];
  return denseBasis(rotations(3).map((L) => A.mmul(L).mmul(back)));
}
