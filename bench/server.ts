// examples/05-server.ts under 100,000 requests of one image each, from 64 connections, as JSON lines: answers a second, latency, and the resident memory of
// the server's process on the way.
//
//   npx tsx bench/server.ts
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { data, device } from "../src/index.js";
import { machineLine } from "./machine.js";

const [CONNECTIONS, REQUESTS, PORT] = [64, 100_000, 18_080];
const server = spawn(
  process.execPath,
  ["--import", "tsx", fileURLToPath(new URL("../examples/05-server.ts", import.meta.url)), String(PORT)],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
await new Promise<void>((done) => createInterface({ input: server.stdout }).on("line", (line) => line.startsWith("listening") && done()));

const { pixels, labels } = data.glyphs({ test: 500 }).test;
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const residentMB = (): number => Math.round((Number(readFileSync(`/proc/${server.pid}/statm`, "utf8").split(" ")[1]) * 4096) / 1e6);

function ask(i: number): Promise<number> {
  const body = pixels.subarray(i * 784, (i + 1) * 784);
  return new Promise((done, fail) => {
    const asked = request({ port: PORT, host: "127.0.0.1", method: "POST", agent, headers: { "content-length": body.length } }, (reply) => {
      let text = "";
      reply.setEncoding("utf8").on("data", (part: string) => (text += part));
      reply.on("end", () =>
        reply.statusCode === 200 ? done((JSON.parse(text) as { classes: number[] }).classes[0]) : fail(new Error(text)),
      );
    });
    asked.on("error", fail).end(body);
  });
}

let [left, right] = [REQUESTS, 0];
const latencies: number[] = [];
const resident = [residentMB()];
const client = async (): Promise<void> => {
  while (left-- > 0) {
    const i = left % 500;
    const start = performance.now();
    if ((await ask(i)) === labels[i]) right++;
    latencies.push(performance.now() - start);
    if (latencies.length % 10_000 === 0) resident.push(residentMB());
  }
};
const start = performance.now();
await Promise.all(Array.from({ length: CONNECTIONS }, client));
const seconds = (performance.now() - start) / 1e3;
latencies.sort((a, b) => a - b);
const at = (share: number): number => latencies[Math.floor(share * (REQUESTS - 1))];
console.log(JSON.stringify(machineLine(device())));
console.log(
  JSON.stringify({
    ...{ measure: "server", connections: CONNECTIONS, requests: REQUESTS, right, perSecond: REQUESTS / seconds },
    latencyMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
    residentMB: resident,
  }),
);
agent.destroy();
server.kill();
