import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CifarLayout, cifar10, cifar100, readCifar } from "../../src/data/cifar.js";
import { fails, survives, temporaryFolder } from "../io/helpers.js";
import { pattern } from "./fixtures.js";

const test = suite("data/cifar");

const small10: CifarLayout = { ...cifar10, train: ["data_batch_1.bin", "data_batch_2.bin"], trainRecords: 1003, testRecords: 2 };
const small100: CifarLayout = { ...cifar100, trainRecords: 3, testRecords: 2 };

/** Records with the label bytes that `labels` gives for each. */
const records = (count: number, labels: (i: number) => number[]): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => Buffer.concat([Uint8Array.from(labels(i)), pattern(3072, i)])));

test("CIFAR-10: the batches follow each other", async () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, "data_batch_1.bin"),
    records(1003, (i) => [i % 10]),
  );
  writeFileSync(join(folder, "data_batch_2.bin.gz"), gzipSync(records(1003, (i) => [(i + 5) % 10])));
  const { train: data, test: held } = await readCifar(folder, "toy", small10);
  assert.equal([data.name, data.count, data.channels, data.height, data.width, data.classes], ["toy train", 2006, 3, 32, 32, 10]);
  for (const i of [0, 1, 999, 1000, 1002]) {
    assert.equal(data.pixels.subarray(i * 3072, (i + 1) * 3072), pattern(3072, i));
    assert.equal(data.pixels.subarray((1003 + i) * 3072, (1004 + i) * 3072), pattern(3072, i));
    assert.equal([data.labels[i], data.labels[1003 + i]], [i % 10, (i + 5) % 10]);
  }
  assert.is(held, undefined);
});

test("CIFAR-100: the fine label counts", async () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, "train.bin"),
    records(3, (i) => [i, 97 + i]),
  );
  writeFileSync(
    join(folder, "test.bin"),
    records(2, (i) => [19, i]),
  );
  const { train, test: held } = await readCifar(folder, "toy", small100);
  assert.equal([train.labels, held?.labels], [Int32Array.of(97, 98, 99), Int32Array.of(0, 1)]);
});

test("refuses lengths that are not the official one, also at the end of a record", async () => {
  const folder = temporaryFolder();
  const whole = records(3, () => [0, 0]);
  for (const [bytes, message] of [
    [whole.subarray(0, -1), /train\.bin: truncated: .*records 0 to 2 of 3/],
    [whole.subarray(0, 2 * 3074), /train\.bin: truncated/],
    [Buffer.concat([whole, Buffer.alloc(1)]), /train\.bin: over-long: expected 9222 bytes/],
    [Buffer.concat([whole, whole]), /train\.bin: over-long/],
    [Buffer.alloc(0), /train\.bin: truncated/],
  ] as const) {
    writeFileSync(join(folder, "train.bin"), bytes);
    await fails(() => readCifar(folder, "toy", small100), "ERR_LCONV_FORMAT", message);
  }
});

test("refuses labels out of range and missing files", async () => {
  const folder = temporaryFolder();
  await fails(() => readCifar(folder, "toy", small100), "ERR_LCONV_IO", /train\.bin: neither it nor train\.bin\.gz is there/);
  writeFileSync(
    join(folder, "train.bin"),
    records(3, (i) => [0, i === 2 ? 100 : 99]),
  );
  await fails(() => readCifar(folder, "toy", small100), "ERR_LCONV_DATA", /train\.bin: sample 2 has label 100, expected 0 to 99/);
});

test("damaged files either decode or throw an LconvError", async () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, "train.bin"),
    records(3, () => [0, 0]),
  );
  const read = (bytes: Uint8Array): unknown => {
    writeFileSync(join(folder, "test.bin"), bytes);
    return readCifar(folder, "toy", small100);
  };
  await survives(gzipSync(records(2, (i) => [i, i])), read, 150);
  await survives(
    records(2, (i) => [i, i]),
    read,
    100,
  );
});

test.run();
