import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";

export interface LocalServer {
  url: string;
  requests: IncomingMessage[];
  server: Server;
  close(): Promise<void>;
}

/** An HTTP server on a free local port that remembers what it was asked. */
export async function serve(listener: RequestListener): Promise<LocalServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${port}`, requests, server, close };
}

/** Answers with `bytes` as a file server does: ETag, Range and If-Range. */
export function sendFile(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array, etag = '"v1"'): void {
  const wanted = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const valid = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  const start = wanted && valid ? Number(wanted[1]) : 0;
  if (start >= bytes.length) return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  const headers = { etag, "content-length": bytes.length - start };
  if (start > 0) response.writeHead(206, { ...headers, "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
  else response.writeHead(200, headers);
  response.end(bytes.subarray(start));
}

/** A proxy for plain requests (absolute addresses) and for CONNECT; `seen` lists what went through it. */
export async function serveProxy(): Promise<LocalServer & { seen: string[] }> {
  const seen: string[] = [];
  const local = await serve(async (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const answer = await fetch(request.url ?? "");
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  });
  local.server.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    const [host, port] = (request.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  return { ...local, seen };
}
