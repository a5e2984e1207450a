import * as assert from "uvu/assert";
import { type ErrorCode, LconvError } from "../../src/errors.js";

function checkError(error: unknown, code: ErrorCode, texts: readonly (string | RegExp)[]): void {
  if (!(error instanceof LconvError)) throw error;
  assert.is(error.code, code, `${error.code}: ${error.message}`);
  for (const text of texts) {
    const found = typeof text === "string" ? error.message.includes(text) : text.test(error.message);
    assert.ok(found, `the message lacks ${String(text)}: ${error.message}`);
  }
}

/** `work` throws an LconvError with `code` whose message holds every one of `texts`. */
export function throwsCode(work: () => unknown, code: ErrorCode, ...texts: (string | RegExp)[]): void {
  try {
    work();
  } catch (error) {
    checkError(error, code, texts);
    return;
  }
  assert.unreachable(`expected ${code}, nothing was thrown`);
}

/** As throwsCode, for a promise. */
export async function rejectsCode(work: Promise<unknown>, code: ErrorCode, ...texts: (string | RegExp)[]): Promise<void> {
  try {
    await work;
  } catch (error) {
    checkError(error, code, texts);
    return;
  }
  assert.unreachable(`expected ${code}, nothing was thrown`);
}
