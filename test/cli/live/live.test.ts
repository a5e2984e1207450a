// time limit: 300 s
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readMetrics } from "../../../src/cli/live/metrics.js";
import { LiveServer } from "../../../src/cli/live/server.js";
import { screen } from "../../../src/cli/sweep/follow.js";
import { clock, liveFragment } from "../../../src/report/live.js";
import { assertWellFormed } from "../../report/wellFormed.js";
import { skip } from "../../support/skip.js";
import { lconv, start } from "../command.js";
import { folder, pause, startSweep, tiny, until, writeGrid } from "../sweep/sweeps.js";

const test = suite("cli/live");

/** Starts a command with a live page, and waits for its address. */
async function withPage(args: readonly string[]) {
  let url: string | undefined;
  const child = start(folder, [...args, "--progress", "plain"], {}, (line) => {
    url ??= /live page: (\S+)/.exec(line)?.[1];
  });
  await until(() => url !== undefined || child.exitCode !== null, "the address of the page");
  assert.ok(url, (await Promise.race([child.ended, { stderr: "" }])).stderr);
  return { child, url: String(url) };
}

const long = (out: string) => [
  "train",
  ...Object.entries({ ...tiny, epochs: 100_000, out }).flatMap(([key, value]) => [`--${key}`, String(value)]),
];

/** The events of the page until `enough`, or its end. */
async function eventsOf(url: string, enough: (text: string) => boolean): Promise<string> {
  const stop = new AbortController();
  const response = await fetch(`${url}events`, { signal: stop.signal });
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += new TextDecoder().decode(chunk);
    if (enough(text)) break;
  }
  stop.abort();
  return text;
}

/** fetch sets Host by itself. */
const statusOf = (url: string, options: { method?: string; headers?: Record<string, string> }): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    request(url, options, (response) => resolve(response.resume().statusCode))
      .once("error", reject)
      .end();
  });

test("train --serve: a page of this machine alone, states as they come, an end", async () => {
  const { child, url } = await withPage([...long("served"), "--serve", "0"]);
  const page = await fetch(url);
  assert.match(await page.text(), "<h1>served</h1>");
  assert.is(page.headers.get("x-content-type-options"), "nosniff");
  assert.match(await (await fetch(`${url}live.js`)).text(), "EventSource");
  const states = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("data: ") && line !== "data: 0");
  const seen = states(await eventsOf(url, (text) => states(text).length >= 3 && text.endsWith("\n\n")));
  const last: string = JSON.parse(seen.at(-1)!.slice(6));
  assertWellFormed(`<div>${last}</div>`);
  assert.ok(new Set(seen).size >= 3, "states move");
  for (const text of ["running: ", "of 100000 epochs", "<svg", "Validation accuracy"]) assert.match(last, text);
  const port = new URL(url).port;
  assert.equal(
    [
      await statusOf(url, { headers: { host: "elsewhere.example" } }),
      await statusOf(`${url}events`, { headers: { host: `elsewhere.example:${port}` } }),
      await statusOf(url, { headers: { host: `localhost:${port}` } }),
      await statusOf(url, { method: "POST" }),
      await statusOf(url, { method: "HEAD" }),
      await statusOf(`${url}../../etc/passwd`, {}),
    ],
    [403, 403, 200, 405, 200, 404],
  );
  const rest = eventsOf(url, () => false);
  const begun = performance.now();
  child.kill("SIGINT");
  assert.is((await child.ended).code, 130);
  assert.ok(performance.now() - begun < 5000, "an open page does not hold the command up");
  const ended = await rest;
  assert.match(ended, "stopped: ");
  assert.match(ended, "event: end");
});

test("with --json and nothing on stderr the address is an event", async () => {
  let url: unknown;
  const child = start(folder, [...long("told"), "--serve", "0", "--json", "--progress", "silent"], {}, (line) => {
    if (line.includes('"serve"')) ({ url } = JSON.parse(line) as { url?: unknown });
  });
  await until(() => url !== undefined || child.exitCode !== null, "the event");
  assert.is((await fetch(String(url))).status, 200);
  child.kill("SIGINT");
  await child.ended;
});

test("a port that is taken is an error before anything is written", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await until(() => other.listening, "a server");
  const { port } = other.address() as AddressInfo;
  const { code, lines } = await lconv(folder, [...long("taken"), "--serve", String(port), "--json"]);
  other.close();
  assert.is(code, 2);
  assert.match(String(lines.at(-1)?.["message"]), `port ${port} is in use`);
  assert.not(existsSync(join(folder, "taken")));
});

const grid = writeGrid("live.json", { base: { ...tiny, epochs: 400 }, grid: { model: ["lconv", "cnn", "fc"], seed: { from: 0, to: 1 } } });

test("sweep --watch and --serve: what runs elsewhere, until all is done", async () => {
  const { child } = startSweep([grid, "--out", "live", "--jobs", "2"]);
  await until(() => existsSync(join(folder, "live/sweep.json")), "the sweep");
  const watched = lconv(folder, ["sweep", "live", "--watch"]);
  const { child: server, url } = await withPage(["sweep", "live", "--serve", "0"]);
  const text = await eventsOf(url, () => false);
  for (const [code, name] of [
    [(await server.ended).code, "serve"],
    [(await child.ended).code, "sweep"],
    [(await watched).code, "watch"],
  ] as const)
    assert.is(code, 0, name);
  assert.match(text, "2 run, 0 failed");
  assert.match(text, "6 of 6 cells are done, 0 run, 0 failed");
  assert.match(text, "event: end");
  const lines = (await watched).stdout.trim().split("\n");
  assert.is(lines.at(-1), "6 of 6 cells are done, 0 run, 0 failed");
  assert.ok(
    lines.every((line, i) => line !== lines[i - 1]),
    "a line is written when something has changed",
  );
});

test("in a browser: the script puts the state into the page", async () => {
  const browser = ["chromium", "chromium-browser", "google-chrome"].find((name) => onPath(name));
  if (browser === undefined) return skip("no Chromium here");
  const { child, url } = await withPage([...long("seen"), "--serve", "0"]);
  await eventsOf(url, (text) => text.includes("of 100000 epochs"));
  const dom = await domOf(browser, url, (text) => text.includes("running: "));
  child.kill("SIGINT");
  await child.ended;
  for (const text of ["running: ", "of 100000 epochs", "<svg", "Validation accuracy"]) assert.match(dom, text);
  assert.not.match(dom, "Waiting for the first state");
});

/** The page's elements once they are `enough`, or after a minute; asked for through the browser's debugging pipe. */
async function domOf(browser: string, url: string, enough: (text: string) => boolean): Promise<string> {
  const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", `--user-data-dir=${join(folder, "browser")}`];
  const child = spawn(browser, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const [to, from] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const answers = new Map<number, (answer: Record<string, never>) => void>();
  let text = "";
  from.setEncoding("utf8").on("data", (chunk: string) => {
    const messages = (text + chunk).split("\0");
    text = messages.pop() ?? "";
    for (const message of messages) {
      const { id, result } = JSON.parse(message) as { id: number; result: Record<string, never> };
      answers.get(id)?.(result);
    }
  });
  const ask = (method: string, params: object = {}, sessionId?: string): Promise<Record<string, never>> =>
    new Promise((answer, reject) => {
      const id = answers.size + 1;
      answers.set(id, answer);
      child.once("exit", (code) => reject(new Error(`the browser ended with ${code}`)));
      to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  child.setMaxListeners(0);
  try {
    const { targetId } = await ask("Target.createTarget", { url });
    const { sessionId } = await ask("Target.attachToTarget", { targetId, flatten: true });
    for (const end = performance.now() + 60_000; ; await pause(200)) {
      const { result } = await ask("Runtime.evaluate", { expression: "document.documentElement.outerHTML" }, sessionId);
      const { value } = result as { value: string };
      if (enough(value) || performance.now() > end) return value;
    }
  } finally {
    child.removeAllListeners("exit").kill("SIGKILL");
  }
}

function onPath(name: string): boolean {
  try {
    execFileSync("which", [name], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("a reader that takes nothing holds no memory, and gets the newest state when it goes on", async () => {
  const server = await LiveServer.open("slow", 0);
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.write(`GET /events HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n\r\n`);
  await once(socket, "readable"); // the head has come; nothing more is read
  const run = { state: "done", epochs: 1, history: [] };
  for (let i = 0; i < 300; i++) {
    server.show({
      summary: `state ${i}.`,
      runs: Array.from({ length: 100 }, (_, k) => ({ ...run, name: `${i} ${k} ${"x".repeat(1000)}` })),
    });
    await pause(1);
  }
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  await until(() => text.includes("state 299."), "the newest state");
  const states = text.split("event: state").length - 1;
  assert.ok(states < 250, `${states} of 300 states were kept for it`);
  socket.destroy();
  await server.close();
});

test("metrics that are none are no reason to stop", () => {
  const path = join(folder, "odd.jsonl");
  writeFileSync(path, 'null\n5\n{}\n{"epoch":1,"loss":0.5,"seconds":2}\n');
  assert.equal(readMetrics(path), [{ epoch: 1, loss: 0.5, seconds: 2 }]);
  writeFileSync(path, '{"epoch":1,');
  assert.equal(readMetrics(path), []);
  assert.equal(readMetrics(join(folder, "none.jsonl")), []);
});

test("names from files neither steer the terminal nor get into the page", () => {
  const run = { name: "a\u001b[2Jb<script>\n", state: "running", epochs: 3, history: [], secondsLeft: 3675 };
  const shown = screen("1 run", [run], 10, 90);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
  assert.not.match(shown.replaceAll("\n", ""), /[\u0000-\u001f]/);
  assert.ok(shown.split("\n").every((line) => line.length < 90));
  assert.match(shown, "1:01:15");
  const many = Array.from({ length: 300 }, (_, i) => ({ ...run, name: `${i}`, state: i === 299 ? "running" : "done" }));
  assert.is(screen("x", many, 24).split("\n").length, 22);
  assert.match(screen("x", many, 24).split("\n")[3], "299");
  const fragment = liveFragment({ runs: [run], summary: "<b>" });
  assert.not.match(fragment, "<script>");
  assert.not.match(fragment, "<b>");
  assert.is(clock(75), "1:15");
});

test.run();
