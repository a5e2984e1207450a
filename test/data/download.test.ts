import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Checksum } from "../../src/data/catalog.js";
import { type DownloadOptions, type DownloadProgress, download } from "../../src/data/download.js";
import { fails, temporaryFile, temporaryFolder } from "../io/helpers.js";
import { rejectsCode } from "../support/throws.js";
import { type LocalServer, sendFile, serve, serveProxy } from "./server.js";

const test = suite("data/download");

const bytes = Buffer.alloc(300_000, "an image or two ");
const sum = (algorithm: Checksum["algorithm"], data: Uint8Array = bytes): Checksum => ({
  algorithm,
  hex: createHash(algorithm).update(data).digest("hex"),
});
const sha256 = sum("sha256");
const quick: DownloadOptions = { backoff: 1, retries: 3 };
const target = (): string => join(temporaryFolder(), "set", "file.bin");

const servers: LocalServer[] = [];
const proxyNames = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
const proxies = Object.fromEntries(proxyNames.map((name) => [name, process.env[name]]));
test.before.each(() => {
  for (const name of proxyNames) delete process.env[name];
});
test.after.each(async () => {
  for (const [name, value] of Object.entries(proxies)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function started<T extends LocalServer>(server: Promise<T>): Promise<T> {
  const local = await server;
  servers.push(local);
  return local;
}

test("a whole file, with progress, leaves only the file", async () => {
  const server = await started(serve((request, response) => sendFile(request, response, bytes)));
  const path = target();
  const progress: DownloadProgress[] = [];
  await download([`${server.url}/file.bin`], path, sha256, { ...quick, onProgress: (now) => void progress.push(now) });
  assert.ok(readFileSync(path).equals(bytes));
  assert.equal(readdirSync(dirname(path)), ["file.bin"]);
  assert.equal(progress[0], { received: 0, total: bytes.length });
  assert.equal(progress.at(-1), { received: bytes.length, total: bytes.length });
  assert.ok(progress.every(({ received }, i) => i === 0 || received >= progress[i - 1].received));

  await download([`${server.url}/file.bin`], path, sha256, quick);
  assert.is(server.requests.length, 1, "a file that is there is not asked for again");
});

test("md5, an unknown length, and an answer marked gzip is kept as it is", async () => {
  const server = await started(serve((_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(bytes)));
  const path = target();
  await download([server.url], path, sum("md5"), quick);
  assert.ok(readFileSync(path).equals(bytes));
});

test("follows redirects", async () => {
  const server = await started(
    serve((request, response) =>
      request.url === "/real" ? sendFile(request, response, bytes) : void response.writeHead(302, { location: "/real" }).end(),
    ),
  );
  const path = target();
  await download([`${server.url}/old`], path, sha256, quick);
  assert.ok(readFileSync(path).equals(bytes));
});

test("a cut connection is resumed where it broke, if the file is still the same", async () => {
  let cuts = 2;
  const server = await started(
    serve((request, response) => {
      if (cuts-- <= 0) return sendFile(request, response, bytes);
      const start = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
      response.writeHead(start ? 206 : 200, {
        etag: '"v1"',
        "content-length": bytes.length - start,
        "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      });
      response.write(bytes.subarray(start, start + 100_000), () => setTimeout(300).then(() => response.destroy()));
    }),
  );
  const path = target();
  await download([server.url], path, sha256, quick);
  assert.ok(readFileSync(path).equals(bytes));
  assert.equal(
    server.requests.map((request) => request.headers.range),
    [undefined, "bytes=100000-", "bytes=200000-"],
  );
  assert.equal(
    server.requests.map((request) => request.headers["if-range"]),
    [undefined, '"v1"', '"v1"'],
  );
});

test("a later call resumes the part an earlier one left", async () => {
  const server = await started(serve((request, response) => sendFile(request, response, bytes)));
  const path = target();
  mkdirSync(dirname(path));
  writeFileSync(`${path}.part`, bytes.subarray(0, 1234));
  await download([server.url], path, sha256, quick);
  assert.is(server.requests[0].headers.range, "bytes=1234-");
  assert.ok(readFileSync(path).equals(bytes));
});

test("a part that is whole already only gets its name", async () => {
  const server = await started(serve((request, response) => sendFile(request, response, bytes)));
  const path = target();
  mkdirSync(dirname(path));
  writeFileSync(`${path}.part`, bytes);
  await download([server.url], path, sha256, { retries: 0 });
  assert.ok(readFileSync(path).equals(bytes));
  assert.is(server.requests.length, 1);
});

test("starts over when the server knows no ranges, the file has changed, or the part is wrong", async () => {
  for (const [part, listener] of [
    [bytes.subarray(0, 99), (_: unknown, response) => void response.end(bytes)],
    [bytes.subarray(0, 99), (request, response) => sendFile(request, response, bytes, '"v2"')],
    [Buffer.alloc(99), (request, response) => sendFile(request, response, bytes)],
    [Buffer.alloc(bytes.length + 5), (request, response) => sendFile(request, response, bytes)],
  ] as [Buffer, Parameters<typeof serve>[0]][]) {
    const server = await started(serve(listener));
    const path = target();
    mkdirSync(dirname(path));
    writeFileSync(`${path}.part`, part);
    writeFileSync(`${path}.part.json`, JSON.stringify({ url: server.url, validator: '"v1"' }));
    await download([server.url], path, sha256, quick);
    assert.ok(readFileSync(path).equals(bytes));
    assert.equal(readdirSync(dirname(path)), ["file.bin"]);
  }
});

test("a wrong checksum deletes the part", async () => {
  const server = await started(serve((_, response) => void response.end("something else")));
  const path = target();
  await fails(
    () => download([server.url], path, sha256, quick),
    "ERR_LCONV_DOWNLOAD",
    /file\.bin: wrong checksum: expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}/,
  );
  assert.equal(readdirSync(dirname(path)), []);
});

test("404 goes on to the next address at once; all failures are told", async () => {
  const gone = await started(serve((_, response) => void response.writeHead(404).end("no")));
  const good = await started(serve((request, response) => sendFile(request, response, bytes)));
  const path = target();
  await download([`${gone.url}/a`, good.url], path, sha256, quick);
  assert.ok(readFileSync(path).equals(bytes));
  assert.is(gone.requests.length, 1);
  await fails(
    () => download([`${gone.url}/a`, `${gone.url}/b`], target(), sha256, quick),
    "ERR_LCONV_DOWNLOAD",
    /\/a: HTTP 404\n.*\/b: HTTP 404\n.*by hand/s,
  );
});

test("5xx is tried again, so many times", async () => {
  let failures = 2;
  const server = await started(
    serve((request, response) => (failures-- > 0 ? void response.writeHead(503).end() : sendFile(request, response, bytes))),
  );
  const path = target();
  await download([server.url], path, sha256, quick);
  assert.is(server.requests.length, 3);
  failures = 100;
  await fails(() => download([server.url], target(), sha256, quick), "ERR_LCONV_DOWNLOAD", /HTTP 503/);
  assert.is(server.requests.length, 7);
});

test("nobody listens, and a server that says nothing", async () => {
  const closed = await serve(() => {});
  await closed.close();
  await fails(() => download([closed.url], target(), sha256, { retries: 1, backoff: 1 }), "ERR_LCONV_DOWNLOAD", /ECONNREFUSED/);
  const silent = await started(serve(() => {}));
  await fails(() => download([silent.url], target(), sha256, { retries: 0, idleTimeout: 200 }), "ERR_LCONV_DOWNLOAD", /[Tt]imeout/);
});

test("an abort ends it with the signal's reason and keeps the part", async () => {
  const server = await started(
    serve((_, response) => void response.writeHead(200, { "content-length": bytes.length }).write(bytes.subarray(0, 50_000))),
  );
  const path = target();
  const controller = new AbortController();
  const reason = new Error("enough");
  const stop = ({ received }: DownloadProgress): void => {
    if (received === 50_000) controller.abort(reason);
  };
  for (const options of [{ signal: controller.signal, onProgress: stop }, { signal: AbortSignal.abort(reason) }]) {
    try {
      await download([server.url], path, sha256, { ...quick, ...options });
      assert.unreachable();
    } catch (error) {
      assert.is(error, reason);
    }
  }
  assert.is(readFileSync(`${path}.part`).length, 50_000);
  assert.not(existsSync(path));
});

test("goes through HTTP_PROXY, except where NO_PROXY says otherwise", async () => {
  const server = await started(serve((request, response) => sendFile(request, response, bytes)));
  const proxy = await started(serveProxy());
  process.env["HTTP_PROXY"] = proxy.url;
  const path = target();
  await download([`${server.url}/x`], path, sha256, quick);
  assert.ok(readFileSync(path).equals(bytes));
  assert.equal(proxy.seen, [`GET ${server.url}/x`]);
  process.env["NO_PROXY"] = "127.0.0.1";
  await download([`${server.url}/x`], target(), sha256, quick);
  assert.is(proxy.seen.length, 1);
});

test("https goes through HTTPS_PROXY by CONNECT", async () => {
  const proxy = await started(serveProxy());
  process.env["HTTPS_PROXY"] = proxy.url;
  await fails(() => download(["https://127.0.0.1:9/x"], target(), sha256, { retries: 0 }), "ERR_LCONV_DOWNLOAD");
  assert.equal(proxy.seen, ["CONNECT 127.0.0.1:9"]);
  await proxy.close();
  await fails(() => download(["https://127.0.0.1:9/x"], target(), sha256, { retries: 0 }), "ERR_LCONV_DOWNLOAD", /ECONNREFUSED/);
});

test("a proxy that says no", async () => {
  const proxy = await started(serve((_, response) => void response.writeHead(403).end()));
  proxy.server.on("connect", (_, socket) => void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
  process.env["HTTPS_PROXY"] = process.env["HTTP_PROXY"] = proxy.url;
  await fails(
    () => download(["https://127.0.0.1:9/x"], target(), sha256, { retries: 0 }),
    "ERR_LCONV_DOWNLOAD",
    /403.*HTTPS_PROXY is set/s,
  );
  await fails(() => download(["http://127.0.0.1:9/x"], target(), sha256, { retries: 0 }), "ERR_LCONV_DOWNLOAD", /HTTP 403/);
});

test("a proxy whose address is none is named, without its password", async () => {
  for (const [name, address, shown] of [
    ["HTTPS_PROXY", "garbage", "garbage"],
    ["http_proxy", "proxy.example:3128", "proxy.example:3128"],
    ["HTTP_PROXY", "http://me:secret@", "…@"],
    ["https_proxy", `\u001b[31m${"x".repeat(1e5)}`, `\\u{1b}[31m${"x".repeat(74)}…`],
  ]) {
    process.env[name] = address;
    const work = download(["http://127.0.0.1:9/x"], target(), sha256, quick);
    await rejectsCode(work, "ERR_LCONV_ARGUMENT", `${name} must be the address of a proxy, as http://proxy.example:3128, got "${shown}"`);
    delete process.env[name];
  }
});

test("a folder that cannot be made is an ERR_LCONV_IO", async () => {
  const file = temporaryFile("file", "");
  await fails(() => download(["http://127.0.0.1:9/"], join(file, "set", "x"), sha256, quick), "ERR_LCONV_IO", /cannot create/);
});

test.run();
