import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Philox } from "../../src/engine/random.js";
import { uniform } from "../support/reference.js";

const test = suite("engine/random");

/** Philox4x32-10 by its definition (Salmon et al., SC 2011), in JavaScript. */
function philox(counter: number[], key: number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}
const low = (n: number): number => Number(BigInt.asUintN(32, BigInt(n)));
const high = (n: number): number => Number(BigInt.asUintN(64, BigInt(n)) >> 32n);
const draw = (seed: number, stream: number, position: number): number => {
  const block = Math.floor(position / 4);
  return philox([low(block), high(block), low(stream), high(stream)], [low(seed), high(seed)])[position % 4];
};

test("the definition above has the known answers of Random123", () => {
  const ones = 0xffffffff;
  assert.equal(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  assert.equal(philox([ones, ones, ones, ones], [ones, ones]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  assert.equal(
    philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

test("seed 0, stream 0 begins with the known answer", () => {
  assert.equal([...new Philox(0, 0).uint32s(4)], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
});

test("any seed, stream and position agree with the definition", () => {
  const next = uniform(5);
  const below = (limit: number) => Math.floor(next() * limit);
  for (let i = 0; i < 200; i++) {
    const [seed, stream, position] = [below(2 ** 53), below(2 ** 53), below(2 ** 50)];
    const got = new Philox(seed, stream, position).uint32s(7);
    assert.equal(
      [...got],
      Array.from(got, (_, k) => draw(seed, stream, position + k)),
      `seed ${seed}, stream ${stream}, position ${position}`,
    );
  }
  assert.equal([...new Philox(-1, -1).uint32s(4)], philox([0, 0, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff]));
});

test("a stream can be entered anywhere, and drawn in pieces", () => {
  const all = new Philox(7, 3).uint32s(1000);
  for (const start of [0, 1, 2, 3, 4, 5, 501, 999]) assert.equal(new Philox(7, 3, start).uint32s(1000 - start), all.subarray(start));
  const random = new Philox(7, 3);
  const pieces = [1, 2, 3, 5, 100, 0, 889].flatMap((n) => [...random.uint32s(n)]);
  assert.equal(pieces, [...all]);
  assert.is(random.position, 1000);
  random.position = 400;
  assert.equal([...random.uint32s(2)], [...all.subarray(400, 402)]);
});

test("seeds and streams do not share draws", () => {
  const first = (seed: number, stream: number) => new Philox(seed, stream).uint32s(4).join();
  const seen = new Set(Array.from({ length: 100 }, (_, i) => first(i % 10, Math.floor(i / 10))));
  assert.is(seen.size, 100);
});

test("uniform and normal have their moments", () => {
  const moments = (values: Float64Array) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return [mean, values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length];
  };
  const [u, n] = [new Philox(1, 7).uniform(100_000), new Philox(2, 7).normal(100_001)];
  assert.ok(u.every((x) => x >= 0 && x < 1) && n.every(Number.isFinite));
  const [[um, uv], [nm, nv]] = [moments(u), moments(n)];
  assert.ok(Math.abs(um - 0.5) < 0.005 && Math.abs(uv - 1 / 12) < 0.002, `${um} ${uv}`);
  assert.ok(Math.abs(nm) < 0.02 && Math.abs(nv - 1) < 0.02, `${nm} ${nv}`);
});

test("a permutation holds every number once, and all are about as likely", () => {
  const sorted = [...new Philox(3, 2).permutation(1000)].sort((a, b) => a - b);
  assert.equal(
    sorted,
    Array.from({ length: 1000 }, (_, i) => i),
  );
  assert.equal([...new Philox(3, 2).permutation(0)], []);
  const counts = new Map<string, number>();
  const random = new Philox(4, 2);
  for (let i = 0; i < 6000; i++) {
    const key = random.permutation(3).join();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.is(counts.size, 6);
  assert.ok([...counts.values()].every((count) => Math.abs(count - 1000) < 150));
});

test.run();
