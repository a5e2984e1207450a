import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Matrix } from "ml-matrix";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { relError, uniform } from "../support/reference.js";
import { skip } from "../support/skip.js";

// The stand-in cuBLAS of the emulated CUDA device against float64 products of ml-matrix.

const test = suite("native/emulatedBlas");
// The sanitized build has the same program; under a sanitizer dlopen does not see the program's own search path.
const table = process.env["LCONV_EMU_CUBLAS_TABLE"] ?? fileURLToPath(new URL("../../build/emu/emu_cublas_table", import.meta.url));

function check(name: string, body: () => void): void {
  test(name, () => (existsSync(table) ? body() : skip("the emulated CUDA device is not built here")));
}

const [N, T, C] = [0, 1, 2];
const compute = { fp32: 68, pedantic: 69, fast16: 74, fastBf16: 75, fastTf32: 77, fp64: 70 };
const [tf32Math, bfloat16Type] = [3, 14];

/** A row of the table; its columns are described in native/test/emu/cublas_table.cpp. */
interface Row {
  call: "ex" | "batched" | "sgemm" | "sgemmBatched";
  m: number;
  n: number;
  k: number;
  opA: number;
  opB: number;
  lda: number;
  ldb: number;
  ldc: number;
  strideA: number;
  strideB: number;
  strideC: number;
  batch: number;
  alpha: number | "null";
  beta: number | "null";
  math: number;
  computeType: number;
  typeA: number;
  A: Float32Array;
  B: Float32Array;
  C: Float32Array;
}

interface Shape {
  rows: number;
  columns: number;
  ld: number;
  stride: number;
}

const shapesOf = (row: Row): { A: Shape; B: Shape; C: Shape } => {
  const side = (op: number, rows: number, columns: number, ld: number, stride: number): Shape =>
    op === N ? { rows, columns, ld, stride } : { rows: columns, columns: rows, ld, stride };
  return {
    A: side(row.opA, row.m, row.k, row.lda, row.strideA),
    B: side(row.opB, row.k, row.n, row.ldb, row.strideB),
    C: side(N, row.m, row.n, row.ldc, row.strideC),
  };
};

/** Floats from the first element of a batch to its last. */
const extent = ({ rows, columns, ld, stride }: Shape, batch: number): number =>
  rows < 1 || columns < 1 || batch < 1 ? 0 : (batch - 1) * stride + (columns - 1) * ld + rows;

/** Positions of the elements of all members. */
function* positions({ rows, columns, ld, stride }: Shape, batch: number): Generator<number> {
  for (let b = 0; b < batch; b++) {
    for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) yield i + j * ld + b * stride;
  }
}

/** Random elements, and NaN in every gap between them. */
function filled(shape: Shape, batch: number, next: () => number): Float32Array {
  const data = new Float32Array(extent(shape, batch)).fill(Number.NaN);
  for (const at of positions(shape, batch)) data[at] = 2 * next() - 1;
  return data;
}

function rowOf(given: Partial<Row>, seed = 1): Row {
  const row = { call: "batched", m: 3, n: 4, k: 5, opA: N, opB: N, batch: 1, alpha: 1, beta: 0, math: 0, computeType: compute.fp32 } as Row;
  Object.assign(row, { typeA: 0, strideA: 0, strideB: 0, strideC: 0 }, given);
  row.lda ??= Math.max(1, row.opA === N ? row.m : row.k);
  row.ldb ??= Math.max(1, row.opB === N ? row.k : row.n);
  row.ldc ??= Math.max(1, row.m);
  const { A, B, C } = shapesOf(row);
  const next = uniform(seed);
  row.A ??= filled(A, row.batch, next);
  row.B ??= filled(B, row.batch, next);
  row.C ??= filled(C, row.batch, next);
  return row;
}

interface Answer {
  status: string;
  error: string;
  C: Float32Array;
}

function run(rows: readonly Row[], args: string[] = [], env: NodeJS.ProcessEnv = {}): { answers: Answer[]; stderr: string } {
  const lines = rows.map((r) => {
    const sizes = [r.m, r.n, r.k, r.opA, r.opB, r.lda, r.ldb, r.ldc, r.strideA, r.strideB, r.strideC, r.batch];
    const rest = [r.alpha, r.beta, r.math, r.computeType, r.typeA, r.A.length, r.B.length, r.C.length];
    return [r.call, ...sizes, ...rest, ...r.A, ...r.B, ...r.C].join(" ");
  });
  const ended = spawnSync(table, args, {
    input: lines.join("\n"),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: { ...process.env, LD_LIBRARY_PATH: dirname(table), ...env },
  });
  assert.is(ended.status, 0, ended.stderr);
  const answers = ended.stdout.trimEnd().split("\n");
  assert.is(answers.length, rows.length, ended.stderr);
  const parsed = answers.map((line) => {
    const [status, error, ...C] = line.split(" ");
    return {
      status,
      error,
      C: Float32Array.from(C, (text) => (text.endsWith("nan") ? Number.NaN : Number(text.replace("inf", "Infinity")))),
    };
  });
  return { answers: parsed, stderr: ended.stderr };
}

/** One member as stored. Column-major data of leading dimension ld is the transpose of row-major rows of that length. */
function member(data: Float32Array, { rows, columns, ld, stride }: Shape, b: number, convert: (x: number) => number): Matrix {
  const values = Array.from({ length: columns * ld }, (_, i) => convert(data[b * stride + i] ?? Number.NaN));
  return Matrix.from1DArray(columns, ld, values)
    .transpose()
    .subMatrix(0, rows - 1, 0, columns - 1);
}

const same = (x: number): number => x;

/** alpha op(A) op(B) + beta C of all members, in the order of `positions`. */
function expected(row: Row, convert = same): number[] {
  const shapes = shapesOf(row);
  return Array.from({ length: row.batch }, (_, b) => {
    let sum = Matrix.zeros(row.m, row.n);
    if (row.k > 0) {
      const A = member(row.A, shapes.A, b, convert);
      const B = member(row.B, shapes.B, b, convert);
      sum = (row.opA === N ? A : A.transpose()).mmul(row.opB === N ? B : B.transpose()).mul(row.alpha as number);
    }
    if (row.beta !== 0) sum.add(member(row.C, shapes.C, b, same).mul(row.beta as number));
    return sum.transpose().to1DArray();
  }).flat();
}

const elements = (row: Row, C: Float32Array): number[] => [...positions(shapesOf(row).C, row.batch)].map((at) => C[at]);

function checkRow(row: Row, answer: Answer, convert = same): void {
  const what = JSON.stringify({ ...row, A: undefined, B: undefined, C: undefined });
  assert.is(answer.status, "CUBLAS_STATUS_SUCCESS", what);
  assert.is(answer.error, "cudaSuccess", what);
  const error = relError(elements(row, answer.C), expected(row, convert));
  assert.ok(error < 1e-6, `${what}: relative error ${error}`);
  const inside = new Set(positions(shapesOf(row).C, row.batch));
  answer.C.forEach((value, at) => {
    if (!inside.has(at)) assert.ok(Object.is(value, row.C[at]), `${what}: the gap at ${at} was written`);
  });
}

const checkRows = (rows: readonly Row[], convert = same): void =>
  run(rows).answers.forEach((answer, i) => {
    checkRow(rows[i], answer, convert);
  });

function randomRow(seed: number): Row {
  const next = uniform(1000 + seed);
  const pick = <X>(of: readonly X[]): X => of[Math.floor(next() * of.length)];
  const size = (): number => Math.floor(1 + next() ** 3 * 300);
  const call = pick(["ex", "batched", "sgemm", "sgemmBatched"] as const);
  const batched = call.endsWith("atched");
  const given = { call, m: size(), n: size(), k: size(), opA: pick([N, T, C]), opB: pick([N, T, C]) };
  const wide = (least: number): number => least + pick([0, 0, 1, 7]);
  const ld = {
    lda: wide(given.opA === N ? given.m : given.k),
    ldb: wide(given.opB === N ? given.k : given.n),
    ldc: wide(given.m),
  };
  const batch = batched ? pick([1, 2, 5]) : 1;
  const { A, B, C: stored } = shapesOf({ ...given, ...ld, strideA: 0, strideB: 0, strideC: 0 } as Row);
  const apart = (shape: Shape): number => (batched ? extent(shape, 1) + pick([0, 3]) : 0);
  const strides = { strideA: pick([0, apart(A)]), strideB: pick([0, apart(B)]), strideC: apart(stored) };
  return rowOf({ ...given, ...ld, ...strides, batch, alpha: pick([1, -0.5, 2]), beta: pick([0, 1, 0.25]) }, seed);
}

check("random products agree with float64, and gaps stay as they were", () => {
  checkRows(Array.from({ length: 60 }, (_, i) => randomRow(i)));
});

check("every pair of transposes, tile edges and long sums", () => {
  const sizes = [1, 5, 16, 17, 33];
  const ops = [N, T, C].flatMap((opA) => [N, T, C].map((opB) => ({ opA, opB })));
  checkRows(ops.flatMap((pair) => sizes.map((m, i) => rowOf({ ...pair, m, n: sizes.at(-1 - i)!, k: 2 * m + 1 }, m))));
  checkRows([255, 256, 257, 5000].map((k) => rowOf({ opA: T, m: 7, n: 6, k }, k)));
});

check("members may interleave, and share A and B", () => {
  const interleaved = rowOf({ m: 2, n: 3, batch: 4, lda: 2, strideA: 10, strideB: 20, ldc: 8, strideC: 2 });
  const shared = rowOf({ m: 20, n: 3, k: 9, batch: 3, strideC: 60, beta: 1 });
  checkRows([interleaved, shared]);
});

check("NaN in C is not read when beta is 0; NaN in A reaches C even when alpha is 0", () => {
  const unread = rowOf({ C: new Float32Array(12).fill(Number.NaN) });
  checkRows([unread]);
  const A = new Float32Array(15).fill(Number.NaN);
  const [answer] = run([rowOf({ A, alpha: 0, C: new Float32Array(12) })]).answers;
  assert.ok(answer.C.every(Number.isNaN));
});

check("without terms C is scaled, without elements nothing happens", () => {
  const none = new Float32Array(0);
  const scaled = rowOf({ k: 0, beta: 0.5, A: none, B: none });
  const cleared = rowOf({ k: 0, alpha: Number.POSITIVE_INFINITY, A: none, B: none, C: new Float32Array(12).fill(Number.NaN) });
  const [half, zero, ...empty] = run([
    scaled,
    cleared,
    rowOf({ m: 0, A: none, C: none }),
    rowOf({ n: 0, B: none, C: none }),
    rowOf({ batch: 0, A: none, B: none, C: none }),
  ]).answers;
  checkRow(scaled, half);
  assert.equal([...zero.C], new Array(12).fill(0));
  for (const { status, error } of empty) assert.equal([status, error], ["CUBLAS_STATUS_SUCCESS", "cudaSuccess"]);
});

/** To the nearest multiple of the last of `bits` mantissa bits, ties to even, by arithmetic. */
const rounded = (bits: number) => (x: number) => {
  if (!(Math.abs(x) > 0)) return x;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - bits);
  const below = Math.floor(x / unit);
  const rest = x / unit - below;
  return unit * (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below);
};

check("the fast compute types round A and B, and only these", () => {
  const big = { m: 40, n: 30, k: 50, beta: 1 };
  const kinds: [Partial<Row>, (x: number) => number][] = [
    [{ computeType: compute.fastTf32 }, rounded(10)],
    [{ computeType: compute.fast16 }, rounded(10)],
    [{ computeType: compute.fastBf16 }, rounded(7)],
    [{ math: tf32Math }, rounded(10)],
    [{ math: tf32Math, call: "sgemm" }, rounded(10)],
    [{ math: tf32Math, computeType: compute.pedantic }, same],
    [{ computeType: compute.pedantic }, same],
  ];
  for (const [kind, convert] of kinds) {
    const row = rowOf({ ...big, ...kind });
    const [answer] = run([row]).answers;
    checkRow(row, answer, convert);
    if (convert !== same) assert.ok(relError(elements(row, answer.C), expected(row)) > 1e-5, "differs from float32");
  }
});

check("ties go to even: 1 + 2^-11 and 1 + 3 2^-11", () => {
  const row = { m: 2, n: 1, k: 1, A: Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11), B: Float32Array.of(1) };
  const [answer] = run([rowOf({ ...row, computeType: compute.fastTf32 })]).answers;
  assert.equal([...answer.C], [1, 1 + 2 ** -9]);
});

check("wrong arguments are refused and C stays as it was", () => {
  const none = new Float32Array(0);
  const invalid: Partial<Row>[] = [
    { m: -1, lda: 3, ldc: 3, A: none, C: none },
    { n: -1, B: none, C: none },
    { k: -1, ldb: 5, A: none, B: none },
    { batch: -1, A: none, B: none, C: none },
    { opA: 3, lda: 5 },
    { opB: 3, ldb: 5 },
    { lda: 2 },
    { opA: T, lda: 4 },
    { ldb: 4 },
    { opB: T, ldb: 3 },
    { ldc: 2 },
    { m: 0, A: none, C: none, ldc: 0 },
    { alpha: "null" },
    { beta: "null" },
    { A: none },
    { B: none },
    { C: none },
    { computeType: 71 + 5 },
  ];
  const unsupported: Partial<Row>[] = [{ computeType: compute.fp64 }, { typeA: bfloat16Type }];
  const rows = [...invalid, ...unsupported].map((given) => rowOf(given));
  run(rows).answers.forEach(({ status, error, C }, i) => {
    const what = `row ${i}`;
    assert.is(status, i < invalid.length ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_NOT_SUPPORTED", what);
    assert.is(error, "cudaSuccess", what);
    assert.ok(relError(C, rows[i].C) === 0 || C.length === 0, what);
  });
});

check("operands past their allocation end the context", () => {
  for (const name of ["A", "B", "C"] as const) {
    const row = rowOf({ m: 64, n: 64, k: 64 });
    const { answers, stderr } = run([{ ...row, [name]: row[name].subarray(0, 64 * 64 - 1) }]);
    assert.equal([answers[0].status, answers[0].error], ["CUBLAS_STATUS_SUCCESS", "cudaErrorIllegalAddress"], name);
    assert.match(stderr, new RegExp(`emulated cuBLAS: ${name} .*not inside an allocation`));
  }
});

check("a result whose members share elements is NaN, with a message", () => {
  for (const given of [{ strideC: 11 }, { strideC: 0 }, { ldc: 9, strideC: 4, m: 5 }]) {
    const row = rowOf({ ...given, batch: 3 });
    const { answers, stderr } = run([row]);
    assert.ok(elements(row, answers[0].C).every(Number.isNaN), JSON.stringify(given));
    assert.match(stderr, /elements of C are written twice/);
  }
});

check("C may lie between the columns of A, but not on them", () => {
  // A is 3 x 5 with room for 4 more rows in each column; C, 3 x 4, has the same distance of columns.
  const row = rowOf({ lda: 7, ldc: 7, A: new Float32Array(35).fill(1) });
  for (let offset = 0; offset <= 7; offset++) {
    const { answers, stderr } = run([row], [`inside=${offset}`]);
    const free = offset >= 3 && offset <= 4;
    const C = elements(row, answers[0].C);
    assert.is(/are elements of A or B too/.test(stderr), !free, `offset ${offset}`);
    if (free) assert.ok(relError(C, expected(row)) < 1e-6);
    else assert.ok(C.every(Number.isNaN));
  }
});

check("two products at once on one workspace are caught, on two they are right", () => {
  const rows = [rowOf({ m: 9, n: 9, k: 9 }, 1), rowOf({ m: 9, n: 9, k: 9 }, 2)];
  let caught = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const env = { LCONV_EMU_SEED: `${seed}` };
    run(rows, ["own"], env).answers.forEach((answer, i) => {
      checkRow(rows[i], answer);
    });
    const { answers, stderr } = run(rows, ["shared"], env);
    const disturbed = answers.some(({ C }) => C.every(Number.isNaN));
    assert.is(/used the workspace/.test(stderr), disturbed, stderr);
    if (disturbed) caught++;
  }
  assert.ok(caught > 0, "no seed let the two products meet");
});

check("a planted failure hits the product it names", () => {
  const rows = [rowOf({}), rowOf({}), rowOf({})];
  const { answers } = run(rows, [], { LCONV_EMU_CUBLAS_FAIL: "2" });
  assert.equal(
    answers.map(({ status }) => status),
    ["CUBLAS_STATUS_SUCCESS", "CUBLAS_STATUS_EXECUTION_FAILED", "CUBLAS_STATUS_SUCCESS"],
  );
});

check("handles, versions, workspaces, capture and faults", () => {
  const env = { ...process.env, LD_LIBRARY_PATH: dirname(table) };
  const { status, stdout, stderr } = spawnSync(join(dirname(table), "emu_cublas_checks"), { encoding: "utf8", env });
  assert.is(status, 0, stdout + stderr);
  assert.match(stdout, /^\d+ passed, 0 failed\n$/);
});

test.run();
