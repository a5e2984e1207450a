import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { LconvError } from "../../errors.js";
import { type LiveState, liveFragment, livePage, liveScript } from "../../report/live.js";

const HEARTBEAT_MS = 15_000;
const MOST_CONNECTIONS = 100;

/**
 * A page on loopback that shows states as they come, by server-sent events. It reads nothing from a request but its path, and answers only requests that
 * name this host, so that no page of another site can read it through a name that it points here.
 */
export class LiveServer {
  readonly #server: Server;
  readonly #page: string;
  readonly #listeners = new Set<ServerResponse>();
  /** Those that have not taken what was sent: they get the state of that time once they have. */
  readonly #late = new Set<ServerResponse>();
  readonly #heartbeat: NodeJS.Timeout;
  #state = "";

  private constructor(title: string) {
    this.#page = livePage(title);
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#heartbeat = setInterval(() => this.#send(": still here\n\n"), HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  /** Listens on 127.0.0.1; port 0 takes a free one. Throws ERR_LCONV_ARGUMENT when the port cannot be had. */
  static async open(title: string, port: number): Promise<LiveServer> {
    const live = new LiveServer(title);
    await new Promise<void>((resolve, reject) => {
      live.#server.once("error", (error) => reject(portError(port, error)));
      live.#server.listen(port, "127.0.0.1", resolve);
    });
    return live;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** Sends a state to every page that is open; one that opens later gets the last one. */
  show(state: LiveState): void {
    const event = `event: state\ndata: ${JSON.stringify(liveFragment(state))}\n\n`;
    if (event === this.#state) return;
    this.#state = event;
    this.#send(event);
  }

  /** Tells the pages that no more comes, and stops listening. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const response of this.#listeners) response.end("event: end\ndata: 0\n\n");
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
      setTimeout(() => this.#server.closeAllConnections(), 200).unref(); // a reader that takes nothing does not hold the command up
    });
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #send(text: string): void {
    for (const response of this.#listeners) {
      if (response.writableNeedDrain) this.#late.add(response);
      else response.write(text);
    }
  }

  #answer({ method = "", url = "/", headers }: IncomingMessage, response: ServerResponse): void {
    const [path] = url.split("?");
    const own = this.#isOwn((headers.host ?? "").toLowerCase());
    if (own && method === "GET" && path === "/events") this.#listen(response);
    else reply(response, own ? this.#reply(method, path) : [403, "text/plain", "this page is for this machine alone\n"]);
  }

  /** Port 80 is left out of what a client sends. */
  #isOwn(host: string): boolean {
    return ["127.0.0.1", "localhost"].some((name) => host === `${name}:${this.#port}` || (host === name && this.#port === 80));
  }

  #reply(method: string, path: string): Reply {
    if (method !== "GET" && method !== "HEAD") return [405, "text/plain", "GET only\n"];
    if (path === "/") return [200, "text/html; charset=utf-8", this.#page];
    if (path === "/live.js") return [200, "text/javascript; charset=utf-8", liveScript];
    return [404, "text/plain", "there is only /\n"];
  }

  #listen(response: ServerResponse): void {
    response.writeHead(200, { ...sameOrigin, "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(`retry: 2000\n\n${this.#state}`);
    this.#listeners.add(response);
    response.on("drain", () => {
      if (this.#late.delete(response)) response.write(this.#state);
    });
    response.once("close", () => {
      this.#listeners.delete(response);
      this.#late.delete(response);
    });
    response.on("error", () => {}); // it went away
  }
}

type Reply = [status: number, type: string, body: string];

const sameOrigin = { "x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin" } as const;

function reply(response: ServerResponse, [status, type, body]: Reply): void {
  response.writeHead(status, { ...sameOrigin, "content-type": type, "cache-control": "no-store" });
  response.end(body); // nothing of it where the method is HEAD
}

function portError(port: number, error: NodeJS.ErrnoException): LconvError {
  const why = error.code === "EADDRINUSE" ? "is in use" : error.code === "EACCES" ? "is not allowed" : `cannot be had (${error.message})`;
  return new LconvError("ERR_LCONV_ARGUMENT", `--serve: port ${port} ${why}; name another one, or 0 for any that is free`, {
    cause: error,
  });
}
