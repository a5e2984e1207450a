import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { extractTar } from "../../src/io/tar.js";
import { fails, survives, temporaryFile, temporaryFolder } from "./helpers.js";
import { tar } from "./tarFixture.js";

const test = suite("io/tar");

const big = Buffer.alloc(700_001, "lconv");
const members = [
  { name: "set/", data: Buffer.alloc(0), type: "5" },
  { name: "set/readme.html", data: Buffer.from("hello") },
  { name: "set/train.bin", data: big },
  { name: "set/test.bin", data: Buffer.alloc(512, 7) },
];

for (const [kind, pack] of [
  ["plain", (bytes: Buffer) => bytes],
  ["gzip", gzipSync],
] as const) {
  test(`extracts only what is wanted, ${kind}`, async () => {
    const out = temporaryFolder();
    await extractTar(
      temporaryFile("a.tar.gz", pack(tar(members))),
      new Map([
        ["set/train.bin", join(out, "train.bin")],
        ["set/test.bin", join(out, "test.bin")],
      ]),
    );
    assert.equal(readdirSync(out).sort(), ["test.bin", "train.bin"]);
    assert.ok(readFileSync(join(out, "train.bin")).equals(big));
  });
}

test("a long name comes from prefix and name", async () => {
  const out = join(temporaryFolder(), "x");
  await extractTar(
    temporaryFile("a.tar", tar([{ name: "train.bin", prefix: "a/b", data: Buffer.from("1") }])),
    new Map([["a/b/train.bin", out]]),
  );
  assert.is(readFileSync(out, "utf8"), "1");
});

test("names in the archive never become paths, links are not followed", async () => {
  const out = temporaryFolder();
  const archive = temporaryFile(
    "a.tar",
    tar([
      { name: "../evil", data: Buffer.from("1") },
      { name: "/abs", data: Buffer.from("1") },
      { name: "set/train.bin", data: Buffer.alloc(0), type: "2" },
    ]),
  );
  await fails(
    () => extractTar(archive, new Map([["set/train.bin", join(out, "train.bin")]])),
    "ERR_LCONV_FORMAT",
    /expected the members set\/train\.bin/,
  );
  assert.equal(readdirSync(out), []);
  assert.not(existsSync(join(out, "..", "evil")));
});

test("refuses damage and leaves no half file", async () => {
  const out = temporaryFolder();
  const wanted = new Map([["set/train.bin", join(out, "train.bin")]]);
  const whole = tar(members);
  await fails(() => extractTar(temporaryFile("a.tar", whole.subarray(0, 300_000)), wanted), "ERR_LCONV_FORMAT", /a\.tar: truncated/);
  await fails(() => extractTar(temporaryFile("a.tar.gz", gzipSync(whole).subarray(0, -9)), wanted), "ERR_LCONV_FORMAT", /gzip/);
  assert.equal(readdirSync(out), []);
  const flipped = Buffer.from(whole);
  flipped[3] ^= 1;
  await fails(() => extractTar(temporaryFile("a.tar", flipped), wanted), "ERR_LCONV_FORMAT", /checksum of a header/);
  await fails(() => extractTar(temporaryFile("a.tar", ""), wanted), "ERR_LCONV_FORMAT", /truncated/);
  await fails(() => extractTar(join(out, "none.tar"), wanted), "ERR_LCONV_IO", /no such file/);
});

test("an abort ends it and leaves no half file", async () => {
  const out = temporaryFolder();
  const reason = new Error("enough");
  const archive = temporaryFile("a.tar", tar(members));
  const wanted = new Map([["set/train.bin", join(out, "train.bin")]]);
  assert.is(await extractTar(archive, wanted, AbortSignal.abort(reason)).catch((error: unknown) => error), reason);
  assert.equal(readdirSync(out), []);
});

test("a member that is said to hold 8 GB takes no memory", async () => {
  const header = tar([{ name: "set/train.bin", data: Buffer.alloc(0) }]).subarray(0, 512);
  header.write("77777777777\0", 124, "latin1");
  header.write("        ", 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  await fails(
    () => extractTar(temporaryFile("a.tar", header), new Map()),
    "ERR_LCONV_FORMAT",
    /truncated: expected 1 bytes of a tar member/,
  );
});

test("damaged archives either extract or throw an LconvError", async () => {
  const out = join(temporaryFolder(), "x");
  const archive = gzipSync(tar([{ name: "a", data: Buffer.from("hello") }]));
  await survives(archive, (bytes) => extractTar(temporaryFile("a.tar.gz", bytes), new Map([["a", out]])), 200);
});

test.run();
