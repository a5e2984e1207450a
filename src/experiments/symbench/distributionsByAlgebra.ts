import { Matrix } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { denseBasis } from "../../lie/generators/basis.js";
import { all, type Distribution, embedded, matrix, type Parameter, rotation, rotations } from "./truth.js";

// Compact groups that act on R^d: x_0 = g s with g uniform in the group and s one of some fixed shapes.

type Given = Partial<Distribution> & Pick<Distribution, "name" | "d" | "algebra" | "parameters" | "sample">;
export const distribution = (given: Given): Distribution => ({ category: "compact", m: 1, affine: false, generators: undefined, ...given });

export const turn = (frequency: number): Parameter => ({ kind: "turn", frequency });
export const choice = (of: number): Parameter => ({ kind: "choice", of });
export const repeated = (kind: "uniform" | "normal" | "exponential", n: number): Parameter[] => Array.from({ length: n }, () => ({ kind }));

/** Fixed random shapes, the same in every run. They are drawn when they are used: to name a truth, the engine need not be there. */
export interface Shapes {
  length: number;
  at(k: number): readonly number[];
}
export function shapesOf(count: number, d: number, salt: number, change = (shape: number[]): number[] => shape): Shapes {
  const drawn = new Map<number, readonly number[]>();
  const at = (k: number): readonly number[] => {
    const shape = drawn.get(k) ?? change([...new Philox(1000 * salt + k, streams.user).normal(d)]);
    drawn.set(k, shape);
    return shape;
  };
  return { length: count, at };
}

/** The generators on several vectors, one after the other. */
const copies = (Ls: readonly Matrix[], n: number): Matrix[] => Ls.map((L) => Matrix.eye(n).kroneckerProduct(L));
/** The same of an element. */
const moved = (R: Matrix, s: readonly number[]): number[] => {
  const n = R.rows;
  return s.map((_, at) => {
    let sum = 0;
    for (let b = 0; b < n; b++) sum += R.get(at % n, b) * s[at - (at % n) + b];
    return sum;
  });
};

/** A plane after the other, each turned by its own angle; what is beyond stays. */
const turned = (s: readonly number[], angles: readonly number[]): number[] => {
  const x = [...s];
  for (const [k, angle] of angles.entries()) {
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    x[2 * k] = cos * s[2 * k] - sin * s[2 * k + 1];
    x[2 * k + 1] = sin * s[2 * k] + cos * s[2 * k + 1];
  }
  return x;
};
/** One generator, which turns the planes at these speeds. */
const turning = (d: number, speeds: readonly number[]): number[][] =>
  matrix(
    d,
    speeds.flatMap((speed, k) => [[2 * k + 1, 2 * k, speed] as const, [2 * k, 2 * k + 1, -speed] as const]),
  );

/** Turns t_1, t_2 ... that turn the planes by `speeds` t: a torus. */
function torus(name: string, d: number, algebra: string, speeds: readonly (readonly number[])[], shapes: Shapes): Distribution {
  const turns = speeds[0].length;
  const angles = (t: readonly number[]): number[] => speeds.map((of) => of.reduce((sum, speed, i) => sum + speed * t[i], 0));
  return distribution({
    ...{ name, d, algebra },
    generators: denseBasis(
      Array.from({ length: turns }, (_, i) =>
        turning(
          d,
          speeds.map((of) => of[i]),
        ),
      ),
    ),
    parameters: [...Array.from({ length: turns }, (_, i) => turn(Math.max(...speeds.map((of) => of[i])))), choice(shapes.length)],
    sample: (p) => turned(shapes.at(p[turns]), angles(p)),
  });
}

/** Uniform among unit quaternions, for a representation of so many factors of one. */
const quaternions = (factors: number): Parameter[] => [turn(factors), { kind: "uniform" }, turn(factors)];
type Quaternion = readonly [number, number, number, number];
const quaternion = ([a, u, b]: readonly number[]): Quaternion => {
  const [r, s] = [Math.sqrt(u), Math.sqrt(1 - u)];
  return [r * Math.cos(a), r * Math.sin(a), s * Math.cos(b), s * Math.sin(b)];
};
const units: readonly Quaternion[] = [
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];
/** x -> p x and x -> x p on R^4. */
const left = ([a, b, c, d]: Quaternion): Matrix =>
  new Matrix([
    [a, -b, -c, -d],
    [b, a, -d, c],
    [c, d, a, -b],
    [d, -c, b, a],
  ]);
const right = ([a, b, c, d]: Quaternion): Matrix =>
  new Matrix([
    [a, -b, -c, -d],
    [b, a, d, -c],
    [c, -d, a, b],
    [d, c, -b, a],
  ]);
/** x -> p x p* on the last three coordinates. */
const spatial = (p: Quaternion): Matrix => left(p).mmul(right(p).transpose()).subMatrix(1, 3, 1, 3);

/** Symmetric 3 x 3 matrices without a trace: the five-dimensional representation of so(3), in an orthonormal basis. */
const tensors = [
  [1, 0, 0, 0, -1, 0, 0, 0, 0],
  [-1, 0, 0, 0, -1, 0, 0, 0, 2],
  [0, 1, 0, 1, 0, 0, 0, 0, 0],
  [0, 0, 1, 0, 0, 0, 1, 0, 0],
  [0, 0, 0, 0, 0, 1, 0, 1, 0],
].map((entries) => {
  const E = Matrix.from1DArray(3, 3, entries);
  return E.div(E.norm());
});
/** What a linear map of tensors does, in that basis. */
const onTensors = (map: (M: Matrix) => Matrix): Matrix => {
  const images = tensors.map(map);
  return new Matrix(tensors.map((E) => images.map((M) => E.dot(M))));
};
const tensorGenerators = rotations(3).map((L) => onTensors((M) => Matrix.sub(L.mmul(M), M.mmul(L))));
const tensorMoved = (R: Matrix, s: readonly number[]): number[] =>
  onTensors((M) => R.mmul(M).mmul(R.transpose()))
    .mmul(Matrix.columnVector([...s]))
    .to1DArray();

/** Such as leave at least a fifth of the change of the cumulants along any other map: else the distribution is nearly symmetric under more. */
const of = (count: number, d: number, salt: number): { shapes: Shapes; count: Parameter } => ({
  shapes: shapesOf(count, d, salt),
  count: choice(count),
});

const [points, tensor, both, fours, spinors, unitary, sums] = [
  of(5, 12, 4),
  of(3, 5, 5),
  of(5, 8, 6),
  of(5, 8, 148),
  of(6, 11, 8),
  of(6, 8, 108),
  of(5, 8, 113),
];

const sizes = [0.5, 1, 2];
/** Of a spherical part of each size, the coordinates beside it. */
const beside = shapesOf(sizes.length, 2, 11);

const rotationsOfR3: Distribution[] = [
  distribution({
    ...{ name: "samples-so3-points", d: 12, algebra: "so(3)", generators: denseBasis(copies(rotations(3), 4)) },
    parameters: [...quaternions(2), points.count],
    sample: ([a, u, b, k]) => moved(spatial(quaternion([a, u, b])), points.shapes.at(k)),
  }),
  distribution({
    ...{ name: "samples-so3-tensor", d: 5, algebra: "so(3)", generators: denseBasis(tensorGenerators) },
    parameters: [...quaternions(4), tensor.count],
    sample: ([a, u, b, k]) => tensorMoved(spatial(quaternion([a, u, b])), tensor.shapes.at(k)),
  }),
  distribution({
    ...{ name: "samples-so3-vector-tensor", d: 8, algebra: "so(3)" },
    generators: denseBasis(rotations(3).map((L, i) => blocks(L, tensorGenerators[i]))),
    parameters: [...quaternions(4), both.count],
    sample: ([a, u, b, k]) => {
      const R = spatial(quaternion([a, u, b]));
      return [...moved(R, both.shapes.at(k).slice(0, 3)), ...tensorMoved(R, both.shapes.at(k).slice(3))];
    },
  }),
];

function blocks(A: Matrix, B: Matrix): Matrix {
  const M = Matrix.zeros(A.rows + B.rows, A.rows + B.rows);
  return M.setSubMatrix(A, 0, 0).setSubMatrix(B, A.rows, A.rows);
}

const fourDimensional: Distribution[] = [
  distribution({
    ...{ name: "samples-so4", d: 8, algebra: "so(4)", generators: denseBasis(copies([...units.map(left), ...units.map(right)], 2)) },
    parameters: [...quaternions(1), ...quaternions(1), fours.count],
    sample: (p) => moved(left(quaternion(p.slice(0, 3))).mmul(right(quaternion(p.slice(3, 6)))), fours.shapes.at(p[6])),
  }),
  distribution({
    ...{ name: "samples-su2", d: 11, algebra: "so(3)" },
    generators: denseBasis(units.map((p) => blocks(copies([left(p)], 2)[0], Matrix.sub(left(p), right(p)).subMatrix(1, 3, 1, 3)))),
    parameters: [...quaternions(2), spinors.count],
    sample: ([a, u, b, k]) => {
      const p = quaternion([a, u, b]);
      return [...moved(left(p), spinors.shapes.at(k).slice(0, 8)), ...moved(spatial(p), spinors.shapes.at(k).slice(8))];
    },
  }),
  distribution({
    ...{ name: "samples-u2", d: 8, algebra: "su(2) + so(2)", generators: denseBasis(copies([...units.map(left), right(units[0])], 2)) },
    parameters: [...quaternions(1), turn(1), unitary.count],
    sample: ([a, u, b, phase, k]) =>
      moved(left(quaternion([a, u, b])).mmul(right([Math.cos(phase), Math.sin(phase), 0, 0])), unitary.shapes.at(k)),
  }),
];

const spherical: Distribution[] = [
  distribution({
    ...{ name: "samples-so4-elliptical", d: 4, algebra: "so(4)", generators: denseBasis(rotations(4)) },
    parameters: [...repeated("normal", 4), choice(sizes.length)],
    sample: (p) => p.slice(0, 4).map((z) => sizes[p[4]] * z),
  }),
  distribution({
    ...{ name: "samples-so5-beside", d: 7, algebra: "so(5)", generators: denseBasis(embedded(denseBasis(rotations(5)), 7, 0)) },
    parameters: [...repeated("normal", 5), choice(sizes.length)],
    sample: (p) => [...p.slice(0, 5).map((z) => sizes[p[5]] * z), ...beside.at(p[5])],
  }),
  distribution({
    ...{ name: "samples-so3-so2", d: 8, algebra: "so(3) + so(2)" },
    generators: all(
      copies(rotations(3), 2).map((L) => blocks(L, Matrix.zeros(2, 2))),
      [new Matrix(rotation(8, 6, 7))],
    ),
    parameters: [...quaternions(2), turn(1), sums.count],
    sample: ([a, u, b, t, k]) => [
      ...moved(spatial(quaternion([a, u, b])), sums.shapes.at(k).slice(0, 6)),
      ...turned(sums.shapes.at(k).slice(6), [t]),
    ],
  }),
];

const POSITIONS = 15; // odd, so that every frequency is a plane
/** Signals on a circle of 15 positions, by cosine and sine of each frequency. */
const waves = new Matrix(
  Array.from({ length: POSITIONS }, (_, at) =>
    Array.from({ length: POSITIONS }, (_, k) => {
      const phase = (2 * Math.PI * at * Math.floor(k / 2 + 1)) / POSITIONS;
      return k === POSITIONS - 1 ? Math.SQRT1_2 : k % 2 === 0 ? Math.cos(phase) : Math.sin(phase);
    }),
  ),
).mul(Math.sqrt(2 / POSITIONS));
const frequencies = [1, 2, 3, 4, 5, 6, 7];
const signal = torus(
  ...(["samples-shift", POSITIONS, "so(2)", frequencies.map((f) => [f])] as const),
  shapesOf(8, POSITIONS, 12, (s) => s.map((value, k) => value / Math.sqrt(Math.min(8, Math.floor(k / 2 + 1))))),
);

/** Distributions with exact symmetries. */
export const distributionsWithSymmetry: readonly Distribution[] = [
  torus("samples-so2", 3, "so(2)", [[1]], shapesOf(4, 3, 1)),
  torus("samples-so2-frequencies", 6, "so(2)", [[1], [2], [3]], shapesOf(4, 6, 2)),
  torus(
    ...(["samples-torus", 6, "so(2)^2"] as const),
    [
      [1, 0],
      [0, 1],
      [1, 1],
    ],
    shapesOf(4, 6, 3),
  ),
  torus(
    ...(["samples-torus3", 6, "so(2)^3"] as const),
    [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    shapesOf(4, 6, 13),
  ),
  {
    ...signal,
    generators: signal.generators && denseBasis(signal.generators.dense().map((L) => waves.mmul(L).mmul(waves.transpose()))),
    sample: (p) => waves.mmul(Matrix.columnVector(signal.sample(p))).to1DArray(),
  },
  ...rotationsOfR3,
  ...fourDimensional,
  ...spherical,
];
