import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Checksum, catalog, findDataset, officialNames } from "../../src/data/catalog.js";
import { type DownloadOptions, download } from "../../src/data/download.js";
import { fetchDataset, loadDataset } from "../../src/data/load.js";
import { hashFile } from "../../src/data/partFile.js";
import { fails, temporaryFile, temporaryFolder } from "../io/helpers.js";
import { skip } from "../support/skip.js";
import { type LocalServer, sendFile, serve } from "./server.js";

const test = suite("data/download, limits");

const bytes = Buffer.alloc(300_000, "an image or two ");
const sha256: Checksum = { algorithm: "sha256", hex: createHash("sha256").update(bytes).digest("hex") };
const target = (): string => join(temporaryFolder(), "set", "file.bin");
const quick: DownloadOptions = { retries: 0 };

const servers: LocalServer[] = [];
const settings = ["LCONV_DOWNLOAD_MAX_BYTES", "LCONV_DOWNLOAD_MIN_RATE"];
test.after.each(async () => {
  for (const name of settings) delete process.env[name];
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function started(listener: Parameters<typeof serve>[0]): Promise<LocalServer> {
  const server = await serve(listener);
  servers.push(server);
  return server;
}

/** A server that sends for ever, and counts what it could send. */
async function endless(): Promise<LocalServer & { sent: number; gone: boolean }> {
  const state = { sent: 0, gone: false };
  const server = await started(async (_, response) => {
    response.once("close", () => {
      state.gone = true;
    });
    while (!state.gone) {
      state.sent += 65_536;
      if (!response.write(bytes.subarray(0, 65_536))) await setTimeout(1);
    }
  });
  return Object.assign(state, server);
}

test("a body longer than the file, or than the cap, is stopped, and nothing of it stays", async () => {
  for (const [options, message] of [
    [{ size: bytes.length }, /it sends more than the 300000 bytes of the file/],
    [{ maxBytes: 1e6 }, /\d+ bytes or more, at most 1000000 are allowed \(maxBytes\)/],
  ] as const) {
    const server = await endless();
    const path = target();
    await fails(() => download([server.url], path, sha256, { ...quick, ...options }), "ERR_LCONV_DOWNLOAD", message);
    assert.equal(readdirSync(dirname(path)), []);
    while (!server.gone) await setTimeout(10);
    assert.ok(server.sent < 100e6);
  }
});

test("a length that contradicts the known size is refused before a byte is written; another address may do", async () => {
  const wrong = await started((_, response) => void response.end(Buffer.concat([bytes, bytes])));
  const good = await started((request, response) => sendFile(request, response, bytes));
  const path = target();
  mkdirSync(dirname(path));
  writeFileSync(`${path}.part`, bytes.subarray(0, 1234));
  await fails(
    () => download([wrong.url], path, sha256, { ...quick, size: bytes.length }),
    "ERR_LCONV_DOWNLOAD",
    /it announces 600000 bytes, the file has 300000/,
  );
  assert.is(statSync(`${path}.part`).size, 1234);
  await download([wrong.url, good.url], path, sha256, { ...quick, size: bytes.length });
  assert.is(good.requests[0].headers.range, "bytes=1234-");
  assert.ok(readFileSync(path).equals(bytes));
});

test("a body that ends early is resumed, also where nobody announced a length", async () => {
  let whole = false;
  const server = await started((request, response) => {
    if (whole) return sendFile(request, response, bytes);
    whole = true;
    response.writeHead(200).write(bytes.subarray(0, 1000)); // chunked
    response.end();
  });
  const path = target();
  await download([server.url], path, sha256, { retries: 1, backoff: 1, size: bytes.length });
  assert.is(server.requests[1].headers.range, "bytes=1000-");
  assert.ok(readFileSync(path).equals(bytes));
});

test("a part longer than the file is not continued", async () => {
  const server = await started((request, response) => sendFile(request, response, bytes));
  const path = target();
  mkdirSync(dirname(path));
  writeFileSync(`${path}.part`, Buffer.alloc(bytes.length + 1));
  await download([server.url], path, sha256, { ...quick, size: bytes.length });
  assert.is(server.requests[0].headers.range, undefined);
});

test("one that trickles is given up; what came stays for another time", async () => {
  const server = await started(async (_, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    for (; !response.destroyed; await setTimeout(20)) response.write("x");
  });
  const path = target();
  await fails(
    () => download([server.url], path, sha256, { ...quick, minRate: 1000, rateWindow: 300 }),
    "ERR_LCONV_DOWNLOAD",
    /\d+ bytes in 0\.3 s, at least 1000 a second are expected \(minRate\)/,
  );
  assert.ok(statSync(`${path}.part`).size > 0);
});

test("provisional answers (1xx) are none: a server that sends nothing else is given up", async () => {
  const server = await started(async (_, response) => {
    for (; !response.destroyed; await setTimeout(50)) response.writeProcessing();
  });
  const options = { ...quick, connectTimeout: 300, idleTimeout: 300, signal: AbortSignal.timeout(20_000) };
  await fails(
    () => download([server.url], target(), sha256, options),
    "ERR_LCONV_DOWNLOAD",
    /no answer within 0\.6 s \(idleTimeout\)|Timeout/,
  );
  assert.is(server.requests.length, 1);
});

test("an answer after provisional ones is taken, however long its body takes", async () => {
  const server = await started(async (_, response) => {
    response.writeProcessing();
    response.writeHead(200, { "content-length": bytes.length });
    for (let at = 0; at < bytes.length; at += 60_000, await setTimeout(500)) response.write(bytes.subarray(at, at + 60_000));
  });
  const path = target();
  await download([server.url], path, sha256, { ...quick, connectTimeout: 900, idleTimeout: 900 });
  assert.ok(readFileSync(path).equals(bytes));
});

test("a slow one that is fast enough is taken, and any without a rate", async () => {
  const server = await started(async (_, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    for (let at = 0; at < bytes.length; at += 60_000, await setTimeout(100)) response.write(bytes.subarray(at, at + 60_000));
  });
  for (const minRate of [0, 1]) await download([server.url], target(), sha256, { ...quick, minRate, rateWindow: minRate ? 2000 : 10 });
});

test("a file above the cap is not asked for; the cap and the rate are settings, too", async () => {
  const server = await started((request, response) => sendFile(request, response, bytes));
  const path = target();
  const refused = /file\.bin has 300000 bytes, at most 1000 are allowed \(maxBytes, LCONV_DOWNLOAD_MAX_BYTES\)/;
  await fails(() => download([server.url], path, sha256, { size: bytes.length, maxBytes: 1000 }), "ERR_LCONV_DOWNLOAD", refused);
  process.env["LCONV_DOWNLOAD_MAX_BYTES"] = "1000";
  await fails(() => download([server.url], path, sha256, { size: bytes.length }), "ERR_LCONV_DOWNLOAD", refused);
  await fails(() => fetchDataset("mnist", { root: temporaryFolder() }), "ERR_LCONV_DOWNLOAD", /has 9912422 bytes, at most 1000/);
  await fails(() => loadDataset("mnist", { root: temporaryFolder(), maxBytes: 9 }), "ERR_LCONV_DOWNLOAD", /at most 9 are allowed/);
  assert.is(server.requests.length, 0);
  for (const name of settings) {
    process.env[name] = "fast";
    await fails(() => download([server.url], path, sha256), "ERR_LCONV_ARGUMENT", new RegExp(`${name} must be a number.*got "fast"`));
    delete process.env[name];
  }
  await fails(() => download([server.url], path, sha256, { minRate: Number.NaN }), "ERR_LCONV_ARGUMENT", /minRate/);
  await fails(() => download([server.url], path, sha256, { maxByte: 1 } as never), "ERR_LCONV_OPTION", /did you mean "maxBytes"/);
  await fails(() => fetchDataset("mnist", { maxByte: 1 } as never), "ERR_LCONV_OPTION", /did you mean "maxBytes"/);
});

test("the disk is looked at before a download begins", async () => {
  const server = await started((_, response) => void response.writeHead(200).write("x"));
  const path = target();
  await fails(
    () => download([server.url], path, sha256, { ...quick, size: 9e15, maxBytes: 1e16 }),
    "ERR_LCONV_IO",
    /file\.bin\.part: it needs 9000000000000000 bytes, \d+ are free there/,
  );
  assert.not(existsSync(`${path}.part`));
});

test("a checksum can be aborted", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const path = temporaryFile("file", Buffer.alloc(20_000_000));
  const work = hashFile(path, "sha256", controller.signal);
  controller.abort(reason);
  assert.is(await work.catch((error: unknown) => error), reason);
});

test("the catalogue's sizes are those of the files with its checksums", async () => {
  const files = officialNames.flatMap((name) => {
    const folder = findDataset(name);
    const official = folder !== undefined && !catalog[name].systemFolders.includes(folder); // a package of the system may pack them anew
    return !official ? [] : catalog[name].files.map((file) => ({ ...file, path: join(folder, file.name) }));
  });
  const here = files.filter(({ path }) => existsSync(path));
  if (here.length === 0) return skip("no official archive in LCONV_DATA or the cache");
  for (const { path, size, checksum } of here) {
    assert.is(statSync(path).size, size, path);
    assert.is(await hashFile(path, checksum.algorithm), checksum.hex, path);
  }
});

test.run();
