import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import * as assert from "uvu/assert";
import { type ErrorCode, LconvError } from "../../src/errors.js";
import { rejectsCode } from "../support/throws.js";

const folders: string[] = [];
process.on("exit", () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder of its own that goes with the process. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lconv-test-"));
  folders.push(folder);
  return folder;
}

export function temporaryFile(name: string, contents: Uint8Array | string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, contents);
  return path;
}

/** `action`, synchronous or not, throws an LconvError with this code and a message that matches. */
export const fails = (action: () => unknown, code: ErrorCode, message: RegExp = /./): Promise<void> =>
  rejectsCode((async () => action())(), code, message);

/** Valid bytes with a few bits flipped, and perhaps cut or lengthened. */
const damaged = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      flips: fc.array(fc.record({ at: fc.nat(bytes.length - 1), bit: fc.nat(7) }), { maxLength: 6 }),
      length: fc.oneof(fc.constant(bytes.length), fc.nat(bytes.length + 8)),
    })
    .map(({ flips, length }) => {
      const out = new Uint8Array(length);
      out.set(bytes.subarray(0, length));
      for (const { at, bit } of flips) if (at < length) out[at] ^= 1 << bit;
      return out;
    });

/** Decoding damaged bytes either works or throws an LconvError, and takes no memory to speak of. */
export async function survives(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown, numRuns = 400): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  await fc.assert(
    fc.asyncProperty(damaged(bytes), async (input) => {
      try {
        await decode(input);
      } catch (error) {
        if (!(error instanceof LconvError)) throw error;
      }
      assert.ok(process.memoryUsage().arrayBuffers - before < 400e6, "too much memory");
    }),
    { numRuns, seed: 1 },
  );
}

/** The bytes of an array in hex: NaN equals NaN, and -0 differs from 0. */
export const bits = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("hex");
