import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type CatalogEntry,
  catalog,
  dataRoots,
  datasetNames,
  findDataset,
  imageShapes,
  type OfficialName,
  officialNames,
  type RemoteFile,
} from "../../src/data/catalog.js";
import { chooseDataset, fetchDataset, loadDataset } from "../../src/data/load.js";
import { cacheFolder } from "../../src/engine/places.js";
import { writeNpz } from "../../src/io/npz.js";
import { fails, temporaryFolder } from "../io/helpers.js";
import { tar } from "../io/tarFixture.js";
import { skip } from "../support/skip.js";
import { pattern, writeIdxSet } from "./fixtures.js";
import { type LocalServer, sendFile, serve } from "./server.js";

const test = suite("data/load");

const environment = { LCONV_DATA: process.env["LCONV_DATA"], XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] };
const originals = { ...catalog };
const entries = catalog as Record<OfficialName, CatalogEntry>;
let server: LocalServer | undefined;

function setEnvironment(values: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

/** No data anywhere, and no address that answers. */
test.before.each(() => {
  setEnvironment({ LCONV_DATA: temporaryFolder(), XDG_CACHE_HOME: temporaryFolder() });
  for (const [name, entry] of Object.entries(originals)) {
    const files = entry.files.map((file) => ({ ...file, urls: ["http://127.0.0.1:9/nothing"] }));
    entries[name as OfficialName] = { ...entry, files, systemFolders: [] };
  }
});
test.after.each(async () => {
  setEnvironment(environment);
  Object.assign(catalog, originals);
  await server?.close();
  server = undefined;
});

/** Serves `files` and makes them the official files of `name`. */
async function publish(name: OfficialName, files: Record<string, Uint8Array>, members?: Record<string, string>): Promise<void> {
  server = await serve((request, response) => {
    const bytes = files[(request.url ?? "").slice(1)];
    return bytes ? sendFile(request, response, bytes) : void response.writeHead(404).end();
  });
  const remote = Object.entries(files).map(([file, bytes]): RemoteFile => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    const urls = [`${server?.url}/${file}`];
    return { name: file, urls, size: bytes.length, checksum: { algorithm: "sha256", hex }, ...(members && { members }) };
  });
  entries[name] = { ...entries[name], files: remote };
}

/** The files of a small MNIST, as the official address has them. */
function idxFiles(): Record<string, Uint8Array> {
  const folder = writeIdxSet(temporaryFolder(), 20, 5, true);
  return Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]));
}

test("LCONV_DATA stands before the cache; a root stands before both", async () => {
  const [data, cache, root] = [process.env["LCONV_DATA"]!, process.env["XDG_CACHE_HOME"]!, temporaryFolder()];
  assert.is(findDataset("mnist"), undefined);
  writeIdxSet(join(cache, "lconv", "mnist"), 30);
  assert.is((await loadDataset("mnist")).train.count, 30);
  writeIdxSet(join(data, "mnist"), 20);
  assert.is((await loadDataset("mnist")).train.count, 20);
  writeIdxSet(join(root, "mnist"), 10);
  const { train, test: held, source } = await loadDataset("mnist", { root });
  assert.equal([train.count, held?.count, train.name, held?.name, source], [10, 5, "mnist train", "mnist test", join(root, "mnist")]);
});

test("the cache is XDG_CACHE_HOME, else ~/.cache", () => {
  assert.is(cacheFolder(), join(process.env["XDG_CACHE_HOME"]!, "lconv"));
  setEnvironment({ XDG_CACHE_HOME: "relative", LCONV_DATA: undefined });
  assert.match(cacheFolder(), /\/\.cache\/lconv$/);
  assert.equal(dataRoots(), [cacheFolder()]);
});

test("glyphs, and arrays by path", async () => {
  assert.is((await loadDataset("glyphs")).train.count, 12_000);
  const path = join(temporaryFolder(), "mine.npz");
  writeNpz(path, [
    ["x", { shape: [1, 2, 2], data: new Float32Array(4) }],
    ["labels", { shape: [1], data: Int32Array.of(0) }],
  ]);
  assert.is((await loadDataset(path)).train.count, 1);
});

test("refuses names nobody knows, options too, and says where it looked", async () => {
  await fails(() => loadDataset("mnits"), "ERR_LCONV_ARGUMENT", /unknown data set "mnits"; did you mean "mnist"/);
  await fails(() => loadDataset("imagenet-21k"), "ERR_LCONV_ARGUMENT", new RegExp(`known: ${datasetNames.join(", ")}, a folder`));
  await fails(() => loadDataset("./none"), "ERR_LCONV_IO", /cannot read \.\/none: no such file or folder/);
  await fails(() => loadDataset("mnist", { rot: "x" } as never), "ERR_LCONV_OPTION", /did you mean "root"/);
  await fails(
    () => loadDataset("cifar10", { download: false }),
    "ERR_LCONV_IO",
    /CIFAR-10 is on none of .*cifar10, .*cifar10; put cifar-10-binary\.tar\.gz into the first, or set LCONV_DATA/,
  );
});

test("a missing set is downloaded, once, into LCONV_DATA", async () => {
  await publish("mnist", idxFiles());
  const seen = new Set<string>();
  const { train, test: held } = await loadDataset("mnist", { onProgress: (file) => void seen.add(file) });
  assert.equal([train.count, held?.count, seen.size], [20, 5, 4]);
  assert.is((await loadDataset("mnist")).source, join(process.env["LCONV_DATA"]!, "mnist"));
  assert.is(server?.requests.length, 4);
});

test("an archive is downloaded, unpacked and removed", async () => {
  const record = (label: number): Buffer => Buffer.concat([Uint8Array.of(0, label), pattern(3072, label)]);
  const archive = gzipSync(
    tar([
      { name: "set/train.bin", data: record(1) },
      { name: "set/readme.html", data: record(2) },
      { name: "set/test.bin", data: record(3) },
    ]),
  );
  await publish("cifar100", { "set.tar.gz": archive }, { "set/train.bin": "train.bin", "set/test.bin": "test.bin" });
  const folder = await fetchDataset("cifar100");
  assert.equal(readdirSync(folder).sort(), ["test.bin", "train.bin"]);
  assert.ok(readFileSync(join(folder, "train.bin")).equals(record(1)));
  assert.is(await fetchDataset("cifar100"), folder);
  assert.is(server?.requests.length, 1);
  await fails(() => loadDataset("cifar100"), "ERR_LCONV_FORMAT", /train\.bin: truncated/);
});

for (const name of officialNames) {
  const files = catalog[name].files.flatMap(({ name: file, members }) => Object.values(members ?? { file }));

  test(`${name}: its files are found by their official names and read by its own reader`, async () => {
    const folder = join(process.env["LCONV_DATA"]!, name);
    assert.is(findDataset(name), undefined);
    mkdirSync(folder);
    for (const file of files) writeFileSync(join(folder, file), "");
    assert.is(findDataset(name), folder);
    await fails(() => loadDataset(name), "ERR_LCONV_FORMAT", new RegExp(`${files[0]}: truncated`));
  });

  if (files.some((file) => file.includes("-idx3-")))
    test(`${name}: samples are named after the set and have its classes`, async () => {
      const folder = writeIdxSet(join(process.env["LCONV_DATA"]!, name));
      const { train, test: held, source } = await loadDataset(name);
      assert.equal([train.name, held?.name, train.classes, source], [`${name} train`, `${name} test`, imageShapes[name].classes, folder]);
    });
}

test("the main job takes MNIST where it is", async () => {
  const folder = writeIdxSet(join(process.env["XDG_CACHE_HOME"]!, "lconv", "mnist"));
  const { name, reason, train } = await chooseDataset();
  assert.equal([name, train.count], ["mnist", 20]);
  assert.is(reason, `MNIST from ${folder}, where it already is`);
});

test("else Fashion-MNIST from the system's package", async () => {
  const folder = writeIdxSet(temporaryFolder(), 20, 5, true);
  entries["fashion-mnist"] = { ...entries["fashion-mnist"], systemFolders: [folder] };
  const { name, reason, source } = await chooseDataset();
  assert.equal([name, source], ["fashion-mnist", folder]);
  assert.match(reason, /Fashion-MNIST from .*, as MNIST is not on this machine/);
});

test("else the official MNIST", async () => {
  await publish("mnist", idxFiles());
  const { name, reason } = await chooseDataset();
  assert.is(name, "mnist");
  assert.is(reason, `MNIST, downloaded to ${join(process.env["LCONV_DATA"]!, "mnist")}`);
});

test("else glyphs, and soon, whatever keeps the download from working", async () => {
  const start = performance.now();
  const offline = await chooseDataset();
  assert.is(offline.name, "glyphs");
  assert.match(
    offline.reason,
    /glyphs.*neither MNIST nor Fashion-MNIST.*could not be downloaded \(http:\/\/127\.0\.0\.1:9\/nothing: .*ECONNREFUSED/,
  );
  assert.ok(performance.now() - start < 30_000);
  assert.match((await chooseDataset({ download: false })).reason, /downloading is off/);

  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  setEnvironment({ LCONV_DATA: file });
  assert.match((await chooseDataset()).reason, /cannot create .*file/);
});

test("damaged data are an error, not a reason to take others", async () => {
  const folder = writeIdxSet(join(process.env["LCONV_DATA"]!, "mnist"));
  writeFileSync(join(folder, "train-images-idx3-ubyte"), "nonsense, and enough of it");
  await fails(() => chooseDataset(), "ERR_LCONV_FORMAT", /train-images-idx3-ubyte: not an IDX file/);
});

test("real MNIST has the sizes and counts it is known for", async () => {
  setEnvironment(environment);
  if (!findDataset("mnist")) return skip("no MNIST in LCONV_DATA or the cache");
  const { train, test: held } = await loadDataset("mnist");
  assert.equal([train.count, train.height, train.width, held?.count], [60_000, 28, 28, 10_000]);
  const count = (digit: number): number => train.labels.filter((label) => label === digit).length;
  assert.equal(
    Array.from({ length: 10 }, (_, digit) => count(digit)),
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
  );
});

test("real CIFAR files are read whole", async () => {
  setEnvironment(environment);
  const names = (["cifar10", "cifar100"] as const).filter((name) => existsSync(findDataset(name) ?? ""));
  if (names.length === 0) return skip("no CIFAR in LCONV_DATA or the cache");
  for (const name of names) {
    const { train } = await loadDataset(name);
    assert.equal([train.count, train.channels, new Set(train.labels).size], [50_000, 3, train.classes]);
  }
});

test.run();
