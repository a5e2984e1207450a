import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeShared } from "../../src/data/shared.js";
import { type PreparedData, prepare } from "../../src/data/transform.js";
import { rawDataset } from "./fixtures.js";

const test = suite("data/shared");
const folder = mkdtempSync(join(tmpdir(), "lconv-shared-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const { signal } = new AbortController();

let made = 0;
const make =
  (variant: "rotated" | "rotated-scrambled", test = true) =>
  async () => {
    made++;
    const data = await prepare({ train: rawDataset(20), ...(test ? { test: rawDataset(5) } : {}) }, { variant });
    return { data, source: "somewhere" };
  };
const bits = ({ train, validation, test, ...rest }: PreparedData): unknown => [
  [train, validation, test].map((set) => set && { ...set, x: Buffer.from(set.x.slice().buffer).toString("hex"), labels: [...set.labels] }),
  rest.scale,
  rest.permutation && [...rest.permutation],
];

test("several at a time: one makes them, all have the same bits", async () => {
  for (const [name, work] of [
    ["scrambled", make("rotated-scrambled")],
    ["no-test", make("rotated", false)],
  ] as const) {
    made = 0;
    const path = join(folder, name);
    const all = await Promise.all([1, 2, 3].map(() => makeShared(path, work, signal)));
    assert.is(made, 1);
    const expected = await work();
    for (const { data, source } of all) assert.equal([bits(data), source], [bits(expected.data), "somewhere"]);
    assert.not(existsSync(`${path}.lock`));
  }
});

test("a damaged file and one that cannot be written cost time alone", async () => {
  const path = join(folder, "damaged");
  const { data } = await makeShared(path, make("rotated"), signal);
  truncateSync(path, 1000);
  assert.equal(bits((await makeShared(path, make("rotated"), signal)).data), bits(data));
  writeFileSync(path, "no tensors");
  assert.equal(bits((await makeShared(path, make("rotated"), signal)).data), bits(data));
  made = 0;
  const nowhere = join(folder, "a".repeat(250)); // its temporary name is too long
  assert.equal(bits((await makeShared(nowhere, make("rotated"), signal)).data), bits(data));
  assert.is(made, 1);
});

test("an error of the work is that of the call", async () => {
  const fails = async (): Promise<never> => {
    throw new RangeError("no images");
  };
  const error = await makeShared(join(folder, "fails"), fails, signal).catch((reason: unknown) => reason);
  assert.instance(error, RangeError);
});

test.run();
