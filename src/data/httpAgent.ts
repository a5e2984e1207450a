import type { Dispatcher, Pool } from "undici";
import { check, clip } from "../errors.js";

export interface HttpAgent {
  dispatcher: Dispatcher;
  close(): Promise<void>;
}

/** A dispatcher that follows redirects and heeds HTTP_PROXY, HTTPS_PROXY and NO_PROXY. Times in milliseconds. Throws ERR_LCONV_ARGUMENT for a proxy that has no address. */
export async function openHttpAgent(connectTimeout: number, idleTimeout: number): Promise<HttpAgent> {
  checkProxy("http_proxy");
  checkProxy("https_proxy");
  const { EnvHttpProxyAgent, Pool, interceptors } = await import("undici"); // 50 ms that only a download has to pay
  const connect = { timeout: connectTimeout };
  const agent = new EnvHttpProxyAgent({
    connect,
    proxyTls: connect,
    requestTls: connect,
    proxyTunnel: false, // plain http through the proxy as such; many allow CONNECT to port 443 alone
    headersTimeout: idleTimeout,
    bodyTimeout: idleTimeout,
    clientFactory: (origin, options) => connectingOnce(new Pool(origin, options)),
  });
  return { dispatcher: agent.compose(interceptors.redirect({ maxRedirections: 5 })), close: () => agent.destroy() };
}

/** The one in small letters counts first, as undici and curl have it; an empty one counts as none. */
function checkProxy(small: string): void {
  const name = process.env[small] === undefined ? small.toUpperCase() : small;
  const address = process.env[name];
  if (!address) return;
  const sound = URL.canParse(address) && /^(https?|socks5?):$/.test(new URL(address).protocol);
  const shown = clip(address.replace(/^.*@/s, "…@")); // without the password
  check(sound, "ERR_LCONV_ARGUMENT", () => `${name} must be the address of a proxy, as http://proxy.example:3128, got "${shown}"`);
}

/** undici connects again at once, for ever, when a proxy hangs up on CONNECT, which it knows by an error code; this error has none. */
function connectingOnce(pool: Pool): Pool {
  const connect = pool.connect.bind(pool) as (options: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;
  const failing = async (options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> => {
    try {
      return await connect(options);
    } catch (error) {
      throw new Error(`the proxy failed: ${(error as Error).message}`, { cause: error });
    }
  };
  return Object.assign(pool, { connect: failing });
}
