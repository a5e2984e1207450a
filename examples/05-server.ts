// A server that classifies images: POST raw pixels, one byte each, to get classes and probabilities as JSON. The model is trained first, in seconds.
//   npx tsx examples/05-server.ts [PORT]      without a port it answers some requests of its own and ends
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { data, device, fit, LconvError, loadModel, models, saveModel } from "../src/index.js";

const digits = data.glyphs({ train: 2000, test: 500, seed: 0 });
const prepared = await data.prepare(digits, { variant: "rotated-scrambled", seed: 0 });
const network = models.makeModel("lconv", prepared.train, device(), { generators: 4, rank: 6, filters: 8, seed: 0 });
await fit(network, prepared, { epochs: 3, batch: 32 });

// Usually another program did all that, or `lconv train`, whose folder loadModel takes, too.
const folder = mkdtempSync(join(tmpdir(), "lconv-server-"));
saveModel(join(folder, "digits.safetensors"), network, prepared);
network.dispose();
const model = await loadModel(join(folder, "digits.safetensors"));
rmSync(folder, { recursive: true });

const MOST_BYTES = 1 << 20;

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new RangeError(`at most ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

// Requests at the same time share one pass through the network; the event loop stays free meanwhile.
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const { classes, probabilities } = await model.predict(await bodyOf(request), { signal: gone.signal });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ classes: [...classes], probabilities: [...probabilities] }));
  } catch (error) {
    if (gone.signal.aborted) return;
    const ours = error instanceof LconvError && ["ERR_LCONV_SHAPE", "ERR_LCONV_DATA"].includes(error.code);
    response.writeHead(ours || error instanceof RangeError ? 400 : 500, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: (error as Error).message }));
  }
}

const server = createServer((request, response) => void answer(request, response));
const [port] = process.argv.slice(2).map(Number);
await new Promise<void>((done) => server.listen(port ?? 0, "127.0.0.1", done));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
console.log(`listening on ${url}; try: head -c 784 /dev/urandom | curl --data-binary @- ${url}`);

if (port === undefined) {
  const { pixels, labels } = digits.test;
  const ask = async (i: number): Promise<number> => {
    const reply = await fetch(url, { method: "POST", body: pixels.slice(i * 784, (i + 1) * 784) });
    return ((await reply.json()) as { classes: number[] }).classes[0];
  };
  const classes = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(i)));
  const right = classes.filter((label, i) => label === labels[i]).length;
  const short = await fetch(url, { method: "POST", body: "too short" });
  console.log(`${right} of ${classes.length} upright digits right; a short one: ${short.status} ${await short.text()}`);
  server.close();
  server.closeAllConnections();
  model.dispose();
}
