import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { tryLock } from "../../../scripts/lockFile.mjs";
import { type LocalServer, serve } from "../../data/server.js";
import { type Child, start, temporaryFolder } from "../command.js";

const test = suite("cli/data");

const SIZE = 26_421_880; // of the first file of Fashion-MNIST, whose official address is plain http
const FIRST = "train-images-idx3-ubyte.gz";
const servers: LocalServer[] = [];
const children: Child[] = [];
test.after.each(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** `lconv data fetch fashion-mnist` through a proxy that answers as `listener` does. */
async function fetching(data: string, listener: RequestListener, env: Record<string, string> = {}) {
  const server = await serve(listener);
  servers.push(server);
  const lines: string[] = [];
  const args = ["data", "fetch", "fashion-mnist", "--progress", "plain"];
  const proxy = { HTTP_PROXY: server.url, http_proxy: server.url, NO_PROXY: "", no_proxy: "" };
  const child = start(data, args, { LCONV_DATA: data, ...proxy, ...env }, (line) => lines.push(line));
  children.push(child);
  return { server, child, lines };
}

const announce = { etag: '"v1"', "content-length": SIZE };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(20);
}

/** Ctrl-C ends it soon, and in the usual way. */
async function interrupt(child: Child): Promise<void> {
  const before = performance.now();
  child.kill("SIGINT");
  const { code, stderr } = await child.ended;
  assert.is(code, 130, stderr);
  assert.match(stderr, "interrupted: stopped by SIGINT");
  assert.ok(performance.now() - before < 5000); // 1 s on a machine that has nothing else to do
}

test("Ctrl-C ends a fetch from a server that has fallen silent; the next one goes on where it was", async () => {
  const data = temporaryFolder();
  const part = join(data, "fashion-mnist", `${FIRST}.part`);
  const silent = await fetching(data, (_, response) => void response.writeHead(200, announce).write(Buffer.alloc(50_000)));
  await until(() => existsSync(part) && statSync(part).size === 50_000);
  await interrupt(silent.child);
  assert.equal(readdirSync(join(data, "fashion-mnist")).sort(), [`${FIRST}.part`, `${FIRST}.part.json`]);

  const next = await fetching(data, () => {}); // not even a header
  await until(() => next.server.requests.length === 1);
  assert.is(next.server.requests[0].headers.range, "bytes=50000-");
  await interrupt(next.child);
  assert.is(statSync(part).size, 50_000);
});

test("Ctrl-C ends the wait for another process, whose download stays its own", async () => {
  const data = temporaryFolder();
  mkdirSync(join(data, "fashion-mnist"));
  const lock = join(data, "fashion-mnist", `${FIRST}.lock`);
  assert.not(tryLock(lock).holder);
  const { child, lines, server } = await fetching(data, () => {});
  await until(() => lines.some((line) => line.includes(FIRST)));
  await interrupt(child);
  assert.is(server.requests.length, 0);
  assert.ok(existsSync(lock));
});

test("a cap that is set in the environment holds", async () => {
  const data = temporaryFolder();
  const { child, server } = await fetching(data, () => {}, { LCONV_DOWNLOAD_MAX_BYTES: "1e6" });
  const { code, stderr } = await child.ended;
  assert.is(code, 1);
  assert.match(stderr, /ERR_LCONV_DOWNLOAD.*has 26421880 bytes, at most 1000000 are allowed/);
  assert.is(server.requests.length, 0);
});

test.run();
