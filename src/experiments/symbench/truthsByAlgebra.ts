import { Matrix } from "ml-matrix";
import { type Basis, denseBasis } from "../../lie/generators/basis.js";
import { affineAlgebra, heisenberg, se2, sl, so, so13 } from "../../lie/generators/groups.js";
import {
  all,
  diagonal,
  dot,
  embedded,
  homogeneous,
  identity,
  matrix,
  rotation,
  rotations,
  squared,
  type Truth,
  translations,
  truth,
  vectors,
  zeros,
} from "./truth.js";

const compact: Truth[] = [
  truth({
    ...{ name: "so2", category: "compact", m: 1, d: 2, algebra: "so(2)", generators: denseBasis([rotation(2, 0, 1)]) },
    f: (x) => [Math.tanh(dot(x, x) / 2)],
  }),
  truth({
    ...{ name: "so2-axis", category: "compact", m: 1, d: 3, algebra: "so(2)", generators: denseBasis([rotation(3, 0, 1)]) },
    f: ([x, y, z]) => [Math.tanh((x * x + y * y) / 2) + 0.5 * z, Math.sin(z) * (x * x + y * y)],
  }),
  truth({
    ...{ name: "so3", category: "compact", m: 2, d: 3, algebra: "so(3)", generators: so(3) },
    f: (x) => {
      const [a, b] = vectors(x, 3);
      return [dot(a, b) / 2, Math.tanh(dot(a, a) / 3) + dot(b, b) / 4];
    },
  }),
  truth({
    ...{ name: "so3-equivariant", category: "compact", m: 2, d: 3, output: "equivariant", algebra: "so(3)", generators: so(3) },
    f: (x) => {
      const [a, b] = vectors(x, 3);
      const cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
      const [s, t] = [Math.tanh(dot(a, b)), Math.tanh(dot(a, a) / 3)];
      return cross.map((value, k) => 0.5 * value + (1 + s) * a[k] - t * b[k]); // of several degrees, so that scaling does not keep it
    },
  }),
  truth({
    ...{ name: "so4", category: "compact", m: 1, d: 4, algebra: "so(4)", generators: so(4) },
    f: (x) => [Math.tanh(dot(x, x) / 4), Math.sin(dot(x, x) / 2)],
  }),
  truth({
    ...{
      name: "torus",
      category: "compact",
      m: 1,
      d: 4,
      algebra: "so(2)^2",
      generators: denseBasis([rotation(4, 0, 1), rotation(4, 2, 3)]),
    },
    f: ([a, b, c, d]) => [(a * a + b * b) / 2, Math.tanh((c * c + d * d) / 2)],
  }),
  truth({
    ...{ name: "u2", category: "compact", m: 2, d: 4, algebra: "u(2)" },
    generators: denseBasis(unitary()),
    f: (x) => {
      const [z, w] = vectors(x, 4); // (Re, Im) of two complex components, one after the other
      const re = dot(z, w);
      const im = z[0] * w[1] - z[1] * w[0] + z[2] * w[3] - z[3] * w[2];
      return [re / 2, im / 2 + Math.tanh(dot(z, z) / 4), Math.tanh(dot(w, w) / 4)];
    },
  }),
];

/** u(2) on R^4 = C^2. */
function unitary(): number[][][] {
  const complex = (re: number[][], im: number[][]): number[][] => {
    const M = zeros(4);
    for (let a = 0; a < 2; a++)
      for (let b = 0; b < 2; b++) {
        M[2 * a][2 * b] = M[2 * a + 1][2 * b + 1] = re[a][b];
        M[2 * a + 1][2 * b] = im[a][b];
        M[2 * a][2 * b + 1] = -im[a][b];
      }
    return M;
  };
  const none = zeros(2);
  return [
    complex(none, identity(2)),
    complex(none, diagonal(1, -1)),
    complex(
      [
        [0, 1],
        [-1, 0],
      ],
      none,
    ),
    complex(none, [
      [0, 1],
      [1, 0],
    ]),
  ];
}

const abelian: Truth[] = [
  truth({
    ...{ name: "scaling", category: "abelian", m: 2, d: 2, algebra: "R", generators: denseBasis([identity(2)]) },
    f: (x) => {
      const [a, b] = vectors(x, 2);
      const size = dot(a, a) + dot(b, b);
      return [(2 * dot(a, b) + a[0] * a[0]) / size, (a[0] * b[1] * 2 - a[1] * a[1]) / size];
    },
  }),
  truth({
    ...{ name: "squeeze", category: "abelian", m: 1, d: 2, algebra: "R", generators: denseBasis([diagonal(1, -1)]) },
    f: ([x, y]) => [Math.tanh(x * y), Math.sin(x * y)],
  }),
  truth({
    ...{
      name: "hyperbolic",
      category: "abelian",
      m: 1,
      d: 3,
      algebra: "R^2",
      generators: denseBasis([diagonal(1, -1, 0), diagonal(0, 1, -1)]),
    },
    f: ([x, y, z]) => [Math.tanh(x * y * z), Math.sin(x * y * z)],
  }),
  truth({
    ...{ name: "translations", category: "abelian", m: 2, d: 2, affine: true, algebra: "R^2", generators: denseBasis(translations(2)) },
    f: (x) => {
      const [u, v] = [x[0] - x[2], x[1] - x[3]];
      return [Math.tanh(u) + 0.3 * v * v, Math.sin(v) - 0.2 * u * v];
    },
  }),
];

const nilpotent: Truth[] = [
  truth({
    ...{ name: "boost", category: "nilpotent", m: 2, d: 2, algebra: "R", generators: denseBasis([matrix(2, [[1, 0, 1]])]) },
    f: ([x, y, u, v]) => [Math.tanh(x) + 0.5 * u, x * u + Math.sin(u), (x * v - y * u) / 2],
  }),
  truth({
    ...{ name: "heisenberg", category: "nilpotent", m: 3, d: 3, algebra: "h(3)", generators: heisenberg() },
    f: (x) => {
      const [a, b, c] = vectors(x, 3);
      const plane = (p: Float64Array, q: Float64Array): number => (p[1] * q[2] - p[2] * q[1]) / 2;
      const det = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
      return [Math.tanh(a[2]) + 0.3 * b[2] ** 2, Math.sin(c[2]) + plane(a, b), b[2] + plane(b, c), a[2] * b[2] + plane(a, c), det / 2];
    },
  }),
];

/** Squared distances between three points, and a scale for them. */
function triangle(x: Float64Array, d: number): { sides: number[]; size: number } {
  const [p, q, r] = vectors(x, d);
  const sides = [squared(p, q), squared(q, r), squared(r, p)];
  return { sides, size: sides[0] + sides[1] + sides[2] };
}

const solvable: Truth[] = [
  truth({
    ...{ name: "se2", category: "solvable", m: 3, d: 2, affine: true, algebra: "se(2)", generators: se2() },
    f: (x) => {
      const [a, b, c] = triangle(x, 2).sides;
      return [Math.tanh(a / 4) + b / 8, Math.sin(b / 4) + c / 8];
    },
  }),
  truth({
    ...{ name: "aff1", category: "solvable", m: 3, d: 1, affine: true, algebra: "aff(1)", generators: affineAlgebra(1) },
    f: ([p, q, r]) => {
      const size = (p - q) ** 2 + (q - r) ** 2 + (r - p) ** 2;
      return [((p - q) ** 2 - (q - r) ** 2) / size, ((p - q) * (p - r) * 2) / size];
    },
  }),
  truth({
    ...{ name: "sim2", category: "solvable", m: 3, d: 2, affine: true, algebra: "sim(2)" },
    generators: denseBasis([homogeneous(rotation(2, 0, 1)), homogeneous(identity(2)), ...translations(2)]),
    f: (x) => {
      const { sides, size } = triangle(x, 2);
      return [(2 * sides[0]) / size, (2 * sides[1]) / size];
    },
  }),
];

const minkowski = (x: Float64Array, metric: readonly number[]): number[] => {
  const [p, q] = vectors(x, metric.length);
  return [dot(p, q, metric) / 2, dot(q, q, metric) / 4 + Math.tanh(dot(p, p, metric) / 4)];
};
const boost = (d: number, a: number, b: number): number[][] =>
  matrix(d, [
    [b, a, 1],
    [a, b, 1],
  ]);

const simple: Truth[] = [
  truth({
    ...{ name: "sl2", category: "simple", m: 2, d: 2, algebra: "sl(2)", generators: sl(2) },
    f: ([a, b, c, d]) => [Math.tanh(a * d - b * c), (a * d - b * c) / 2],
  }),
  truth({
    ...{ name: "so12", category: "simple", m: 2, d: 3, algebra: "so(1,2)" },
    generators: denseBasis([rotation(3, 1, 2), boost(3, 0, 1), boost(3, 0, 2)]),
    f: (x) => minkowski(x, [1, -1, -1]),
  }),
  truth({
    ...{ name: "so13", category: "simple", m: 2, d: 4, algebra: "so(1,3)", generators: so13() },
    f: (x) => minkowski(x, [1, -1, -1, -1]),
  }),
  truth({
    ...{ name: "so22", category: "simple", m: 2, d: 4, algebra: "so(2,2)" },
    generators: denseBasis([rotation(4, 0, 1), rotation(4, 2, 3), ...[0, 1].flatMap((a) => [2, 3].map((b) => boost(4, a, b)))]),
    f: (x) => minkowski(x, [1, 1, -1, -1]),
  }),
  truth({
    ...{ name: "sp4", category: "simple", m: 3, d: 4, algebra: "sp(4)", generators: symplectic() },
    f: (x) => {
      const [p, q, r] = vectors(x, 4);
      const w = (a: Float64Array, b: Float64Array): number => (a[0] * b[2] - a[2] * b[0] + a[1] * b[3] - a[3] * b[1]) / 2;
      return [w(p, q), w(q, r) + Math.tanh(w(p, q)), w(r, p)];
    },
  }),
  truth({
    ...{ name: "sl3", category: "simple", m: 3, d: 3, algebra: "sl(3)", generators: sl(3) },
    f: (x) => {
      const [a, b, c] = vectors(x, 3);
      const det = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
      return [det / 2, Math.tanh(det / 2)];
    },
  }),
];

/** sp(4): L = J S with S symmetric, J the form of the function above. */
function symplectic(): Basis {
  const J = Matrix.zeros(4, 4);
  J.setSubMatrix(Matrix.eye(2), 0, 2);
  J.setSubMatrix(Matrix.eye(2).mul(-1), 2, 0);
  const generators: Matrix[] = [];
  for (let a = 0; a < 4; a++)
    for (let b = a; b < 4; b++) {
      const S = Matrix.zeros(4, 4);
      S.set(a, b, 1);
      S.set(b, a, 1);
      generators.push(J.mmul(S));
    }
  return denseBasis(generators);
}

const sums: Truth[] = [
  truth({
    ...{ name: "so3-scaling", category: "sum", m: 2, d: 3, algebra: "so(3) + R", generators: all(rotations(3), [identity(3)]) },
    f: (x) => {
      const [a, b] = vectors(x, 3);
      const size = dot(a, a) + dot(b, b);
      return [(2 * dot(a, b)) / size, (2 * dot(a, a)) / size];
    },
  }),
  truth({
    ...{
      name: "so3-so2",
      category: "sum",
      m: 1,
      d: 5,
      algebra: "so(3) + so(2)",
      generators: all(embedded(so(3), 5, 0), embedded(so(2), 5, 3)),
    },
    f: (x) => [Math.tanh(dot(x.subarray(0, 3), x.subarray(0, 3)) / 3), dot(x.subarray(3), x.subarray(3)) / 3],
  }),
  truth({
    ...{ name: "se3", category: "sum", m: 3, d: 3, affine: true, algebra: "se(3)" },
    generators: all(
      rotations(3).map((L) => new Matrix(homogeneous(L.to2DArray()))),
      translations(3),
    ),
    f: (x) => {
      const [a, b, c] = triangle(x, 3).sides;
      return [Math.tanh(a / 6) + b / 12, Math.sin(b / 6) + c / 12, c / 12 + (a * b) / 200];
    },
  }),
];
/** Functions with exact symmetries, from the simplest kinds of algebras on. */
export const withSymmetry: readonly Truth[] = [...compact, ...abelian, ...nilpotent, ...solvable, ...simple, ...sums];
