import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tryLock } from "../../scripts/lockFile.mjs";
import type { RemoteFile } from "../../src/data/catalog.js";
import { type DownloadProgress, download } from "../../src/data/download.js";
import { temporaryFolder } from "../io/helpers.js";
import { tar } from "../io/tarFixture.js";
import { type LocalServer, sendFile, serve } from "./server.js";

const test = suite("data/download, shared");

const bytes = Buffer.alloc(300_000, "an image or two ");
const half = bytes.length / 2;
const checksumOf = (data: Uint8Array): RemoteFile["checksum"] => ({
  algorithm: "sha256",
  hex: createHash("sha256").update(data).digest("hex"),
});
const sha256 = checksumOf(bytes);
const target = (): string => join(temporaryFolder(), "set", "file.bin");

const servers: LocalServer[] = [];
const children = new Set<ChildProcess>();
test.after.each(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A server whose first answer stops in the middle until `go` is called; later ones are whole. */
async function halting(data: Uint8Array = bytes): Promise<LocalServer & { go(): void }> {
  let first: ServerResponse | undefined;
  const server = await serve((request, response) => {
    if (first) return sendFile(request, response, data);
    first = response;
    response.writeHead(200, { etag: '"v1"', "content-length": data.length }).write(data.subarray(0, data.length / 2));
  });
  servers.push(server);
  return { ...server, go: () => void first?.end(data.subarray(data.length / 2)) };
}

interface Fetcher {
  child: ChildProcess;
  lines: string[];
  ended: Promise<number | null>;
}

const script = fileURLToPath(new URL("../support/children/fetch.ts", import.meta.url));

/** A process that fetches `file` into `root`. */
function fetcher(root: string, file: RemoteFile): Fetcher {
  const args = ["--import", import.meta.resolve("tsx"), script, root, JSON.stringify([file])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(line));
  return { child, lines, ended: once(child, "close").then(([code]) => code as number | null) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(20);
}

test("four at once in one process: one downloads, all have the file, and all hear how far it is", async () => {
  const server = await halting();
  const path = target();
  const progress: DownloadProgress[][] = [[], [], [], []];
  const all = progress.map((seen) =>
    download([server.url], path, sha256, { size: bytes.length, onProgress: (now) => void seen.push(now) }),
  );
  await until(() => progress.every((seen) => seen.some(({ received }) => received === half)));
  server.go();
  await Promise.all(all);
  assert.is(server.requests.length, 1);
  assert.ok(readFileSync(path).equals(bytes));
  assert.equal(readdirSync(dirname(path)), ["file.bin"]);
  for (const seen of progress) assert.equal(seen.find(({ received }) => received === half)?.total, bytes.length);
});

test("four processes at once share a download", async () => {
  const server = await halting();
  const root = temporaryFolder();
  const file: RemoteFile = { name: "file.bin", urls: [server.url], size: bytes.length, checksum: sha256 };
  const all = Array.from({ length: 4 }, () => fetcher(root, file));
  await until(() => all.every(({ lines }) => lines.includes("progress")));
  server.go();
  assert.equal(await Promise.all(all.map(({ ended }) => ended)), [0, 0, 0, 0]);
  assert.is(server.requests.length, 1);
  assert.equal(readdirSync(join(root, "cifar100")), ["file.bin"]);
});

test("four processes at once share an archive, which is unpacked and removed once", async () => {
  const data = Buffer.alloc(1_000_000, "record");
  const archive = gzipSync(
    tar([
      { name: "set/train.bin", data },
      { name: "set/test.bin", data },
    ]),
  );
  const server = await halting(archive);
  const root = temporaryFolder();
  const members = { "set/train.bin": "train.bin", "set/test.bin": "test.bin" };
  const file: RemoteFile = { name: "set.tar.gz", urls: [server.url], size: archive.length, checksum: checksumOf(archive), members };
  const all = Array.from({ length: 4 }, () => fetcher(root, file));
  await until(() => all.every(({ lines }) => lines.includes("progress")));
  server.go();
  assert.equal(await Promise.all(all.map(({ ended }) => ended)), [0, 0, 0, 0]);
  assert.is(server.requests.length, 1);
  assert.equal(readdirSync(join(root, "cifar100")).sort(), ["test.bin", "train.bin"]);
});

test("when the one that downloads is killed, another goes on where it was", async () => {
  const server = await halting();
  const root = temporaryFolder();
  const part = join(root, "cifar100", "file.bin.part");
  const file: RemoteFile = { name: "file.bin", urls: [server.url], size: bytes.length, checksum: sha256 };
  const first = fetcher(root, file);
  await until(() => existsSync(part) && readFileSync(part).length === half);
  const second = fetcher(root, file);
  await until(() => second.lines.includes("progress"));
  assert.is(server.requests.length, 1);
  first.child.kill("SIGKILL");
  assert.is(await second.ended, 0);
  assert.equal(
    server.requests.map(({ headers }) => headers.range),
    [undefined, `bytes=${half}-`],
  );
  assert.equal(readdirSync(join(root, "cifar100")), ["file.bin"]);
});

test("one that gives up hands over to one that waits; a wait can be aborted", async () => {
  const server = await halting();
  const path = target();
  const [first, third] = [new AbortController(), new AbortController()];
  const reason = new Error("enough");
  let waits = 0;
  const onProgress = (): void => void waits++;
  const ending = (work: Promise<void>): Promise<unknown> => work.then(() => "done").catch((error: unknown) => error);
  const a = ending(download([server.url], path, sha256, { signal: first.signal }));
  await until(() => server.requests.length === 1);
  const b = ending(download([server.url], path, sha256, { onProgress }));
  const c = ending(download([server.url], path, sha256, { signal: third.signal, onProgress }));
  await until(() => waits >= 2);
  third.abort(reason);
  assert.is(await c, reason);
  assert.not(existsSync(path));
  first.abort(reason);
  assert.equal(await Promise.all([a, b]), [reason, "done"]);
  assert.is(server.requests.length, 2);
});

test("a lock that nobody touches has no holder, though its process lives", async () => {
  const server = await serve((request, response) => sendFile(request, response, bytes));
  servers.push(server);
  const folder = temporaryFolder();
  tryLock(join(folder, "file.bin.lock")); // and never given back: as by a thread that was terminated
  await download([server.url], join(folder, "file.bin"), sha256);
  assert.equal(readdirSync(folder), ["file.bin"]);
});

test("who has lost the lock leaves the part alone, and waits", async () => {
  const server = await halting();
  const path = target();
  let broken = false;
  const work = download([server.url], path, sha256);
  await until(() => server.requests.length === 1 && existsSync(`${path}.part`));
  server.requests[0].once("close", () => {
    broken = true;
  });
  rmSync(`${path}.lock`);
  const lock = tryLock(`${path}.lock`);
  await until(() => broken);
  assert.is(server.requests.length, 1);
  writeFileSync(path, bytes); // by the one that has the lock now
  if (!lock.holder) lock.release();
  await work;
  assert.ok(readFileSync(path).equals(bytes));
});

test.run();
