import type { Dispatcher } from "undici";
import { clip, LconvError } from "../errors.js";
import type { Checksum } from "./catalog.js";
import { checkSpace } from "./limits.js";
import { hashFile, PartFile } from "./partFile.js";

/** A failure that another attempt may mend. */
export class Passing extends Error {}

/** A failure of this address: another one may do. */
export class Refused extends Error {}

/** A file that is to come, and what holds for it. */
export interface Transfer {
  path: string;
  checksum: Checksum;
  size: number | undefined; // where it is known
  maxBytes: number;
  minRate: number;
  rateWindow: number;
  answerTimeout: number; // ms from the request to the head of the answer, redirects included
  report(received: number, total: number | undefined): void;
  signal: AbortSignal;
  dispatcher: Dispatcher;
}

/** One request, from where the part file ends; then the check and the rename. Throws Passing, Refused, an LconvError, the signal's reason. */
export async function fetchOnce(url: string, transfer: Transfer): Promise<void> {
  const { path, checksum, signal } = transfer;
  const part = new PartFile(path);
  if (part.size > mostBytes(transfer)) part.discard();
  const { start, validator } = part.resumePoint(url);
  const response = await request(url, start, validator, transfer);
  const resumed = response.statusCode === 206 && rangeStart(response) === start;
  if (start > 0 && !resumed && response.statusCode !== 200) {
    drop(response);
    // A part that is whole already, left by a process that was killed before its rename, has nothing to continue.
    if ((await hashFile(part.path, checksum.algorithm, signal)) === checksum.hex) return part.rename();
    part.discard();
    throw new Passing(`it cannot continue at byte ${start} (HTTP ${response.statusCode})`);
  }
  await receive(response, url, part, resumed ? start : 0, transfer);
  await finish(part, transfer, resumed);
}

async function request(
  url: string,
  start: number,
  validator: string | undefined,
  { dispatcher, signal, answerTimeout }: Transfer,
): Promise<Dispatcher.ResponseData> {
  const { request } = await import("undici");
  const headers: Record<string, string> = { "user-agent": "lconv", "accept-encoding": "identity" };
  if (start > 0) headers["range"] = `bytes=${start}-`;
  if (start > 0 && validator) headers["if-range"] = validator;
  // undici begins its own count again at every answer that is only provisional (1xx), of which a server may send any number.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Passing(`no answer within ${answerTimeout / 1000} s (idleTimeout)`)), answerTimeout);
  let response: Dispatcher.ResponseData;
  try {
    response = await request(url, { dispatcher, headers, signal: AbortSignal.any([signal, late.signal]) });
  } catch (error) {
    signal.throwIfAborted();
    throw passing(error);
  } finally {
    clearTimeout(timer);
  }
  const { statusCode } = response;
  if (statusCode === 200 || statusCode === 206 || (statusCode === 416 && start > 0)) return response;
  drop(response);
  if (statusCode >= 500 || statusCode === 408 || statusCode === 429) throw new Passing(`HTTP ${statusCode}`);
  throw new Refused(`HTTP ${statusCode}`);
}

/** An unread response keeps its connection open and emits an error when that ends. */
const drop = ({ body }: Dispatcher.ResponseData): void => void body.on("error", () => {}).destroy();

const mostBytes = ({ size, maxBytes }: Transfer): number => Math.min(size ?? Number.POSITIVE_INFINITY, maxBytes);

/** Brings the body into the part file, from byte `from` on. What contradicts the known size is refused before a byte is written. */
async function receive(response: Dispatcher.ResponseData, url: string, part: PartFile, from: number, transfer: Transfer): Promise<void> {
  const { size, signal, report } = transfer;
  const announced = announcedSize(response, from);
  const most = mostBytes(transfer);
  const total = size ?? announced;
  let watch: NodeJS.Timeout | undefined;
  let received = from;
  try {
    if (size !== undefined && announced !== undefined && announced !== size)
      throw new Refused(`it announces ${announced} bytes, the file has ${size}`);
    if (total !== undefined && total > most) throw new Refused(tooLong(total, transfer));
    if (total !== undefined) checkSpace(part.path, total - from);
    await part.remember(url, validatorOf(response));
    report(from, total);
    watch = watchRate(response, transfer, () => received);
    received = await part.receive(response.body, from, (next) => {
      if (next > most) throw new Refused(tooLong(next, transfer));
      received = next;
      report(next, total);
    });
    if (total !== undefined && received !== total) throw new Passing(`the connection was cut at byte ${received} of ${total}`);
  } catch (error) {
    drop(response);
    signal.throwIfAborted();
    if (error instanceof Refused && received > from) part.discard(); // it holds the beginning of another file
    throw passing(error);
  } finally {
    clearInterval(watch);
  }
}

const tooLong = (bytes: number, { size, maxBytes }: Transfer): string =>
  size === undefined || size > maxBytes
    ? `${bytes} bytes or more, at most ${maxBytes} are allowed (maxBytes)`
    : `it sends more than the ${size} bytes of the file`;

/** Breaks the connection when less than `minRate` came on average in a window of time. */
function watchRate({ body }: Dispatcher.ResponseData, { minRate, rateWindow }: Transfer, received: () => number): NodeJS.Timeout {
  let before = received();
  return setInterval(() => {
    const got = received() - before;
    before = received();
    if ((1000 * got) / rateWindow >= minRate) return;
    body.destroy(new Passing(`${got} bytes in ${rateWindow / 1000} s, at least ${minRate} a second are expected (minRate)`));
  }, rateWindow);
}

/** The checksum settles whether a resumed file fits together. A wrong one that was resumed gets another try from nothing. */
async function finish(part: PartFile, { path, checksum, signal }: Transfer, resumed: boolean): Promise<void> {
  const got = await hashFile(part.path, checksum.algorithm, signal);
  if (got === checksum.hex) return part.rename();
  part.discard();
  if (resumed) throw new Passing("the continued file has the wrong checksum");
  throw new LconvError(
    "ERR_LCONV_DOWNLOAD",
    `${path}: wrong checksum: expected ${checksum.algorithm} ${checksum.hex}, got ${got}; the download was deleted, try again later or put the file there by hand`,
  );
}

/** Connection failures may pass, an LconvError may not. (An abort is known by the signal: undici calls refusals of a proxy so, too.) */
function passing(error: unknown): Error {
  if (error instanceof LconvError || error instanceof Passing || error instanceof Refused) return error;
  const { code, message: text } = error as NodeJS.ErrnoException;
  const message = clip(text, 300); // a server, or its certificate, may have a say in it
  return new Passing(code && !message.includes(code) ? `${message} (${code})` : message || String(code), { cause: error });
}

function rangeStart({ headers }: Dispatcher.ResponseData): number {
  return Number(/^bytes (\d+)-/.exec(String(headers["content-range"] ?? ""))?.[1] ?? Number.NaN);
}

function announcedSize({ headers }: Dispatcher.ResponseData, from: number): number | undefined {
  const length = Number(headers["content-length"] ?? Number.NaN);
  return Number.isSafeInteger(length) ? from + length : undefined;
}

function validatorOf({ headers }: Dispatcher.ResponseData): string | undefined {
  const [etag, date] = [headers["etag"], headers["last-modified"]];
  if (typeof etag === "string" && !etag.startsWith("W/")) return etag;
  return typeof date === "string" ? date : undefined;
}
