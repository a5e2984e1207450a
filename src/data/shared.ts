import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { defined } from "../defined.js";
import { LconvError } from "../errors.js";
import { freeBytes } from "../io/folders.js";
import { readSafetensors, type TensorToWrite, writeSafetensors } from "../io/safetensors.js";
import type { Dataset } from "./dataset.js";
import { doOnce } from "./doOnce.js";
import type { PreparedData } from "./transform.js";

/** Prepared data, and where the images are from. */
export interface Prepared {
  data: PreparedData;
  source: string;
}

/**
 * Data that several processes work on: one makes them and writes them to `path`, the others wait for it and read them.
 * They have the same bits either way. A file that cannot be written or is damaged costs that time alone. Throws what `make` throws, and the reason of `signal`.
 */
export async function makeShared(path: string, make: () => Promise<Prepared>, signal: AbortSignal): Promise<Prepared> {
  let made: Prepared | undefined;
  const once = {
    isDone: () => made !== undefined || existsSync(path),
    work: async (): Promise<void> => {
      made = await make();
      if (freeBytes(dirname(path)) > 2 * bytesOf(made.data) + RESERVE) write(path, made);
    },
  };
  try {
    await doOnce(`${path}.lock`, once, signal);
    return made ?? read(path);
  } catch (error) {
    if (!isOfFiles(error)) throw error;
    return made ?? (await make());
  }
}

/** For what the processes write besides: a disk that is nearly full is theirs. */
const RESERVE = 5e8;

const bytesOf = (data: PreparedData): number => parts.reduce((sum, part) => sum + (data[part]?.x.byteLength ?? 0), 0);

const isOfFiles = (error: unknown): boolean =>
  error instanceof LconvError && (error.code === "ERR_LCONV_IO" || error.code === "ERR_LCONV_FORMAT");

const parts = ["train", "validation", "test"] as const;

function write(path: string, { data, source }: Prepared): void {
  const tensors: [string, TensorToWrite][] = [];
  const metadata: Record<string, string> = { source, scale: String(data.scale) };
  for (const part of parts) {
    const set = data[part];
    if (!set) continue;
    const { x, labels, ...rest } = set;
    tensors.push([`${part}.x`, { shape: [x.length], data: x }], [`${part}.labels`, { shape: [labels.length], data: labels }]);
    metadata[part] = JSON.stringify(rest);
  }
  const { permutation } = data;
  if (permutation) tensors.push(["permutation", { shape: [permutation.length], data: permutation }]);
  writeSafetensors(path, tensors, metadata);
}

function read(path: string): Prepared {
  const { tensors, metadata } = readSafetensors(path);
  const set = (part: string): Dataset | undefined => {
    if (metadata[part] === undefined) return undefined;
    const [x, labels] = [tensors.get(`${part}.x`)?.data as Float32Array, tensors.get(`${part}.labels`)?.data as Int32Array];
    return { ...(JSON.parse(metadata[part]) as Omit<Dataset, "x" | "labels">), x, labels };
  };
  const [train, validation, test] = parts.map(set);
  const permutation = tensors.get("permutation")?.data as Int32Array | undefined;
  const data = { train, validation, scale: Number(metadata["scale"]), ...defined({ test, permutation }) };
  return { data: data as PreparedData, source: metadata["source"] };
}
