import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readGenerators } from "../../../src/discover/files.js";
import { readNpz } from "../../../src/io/npz.js";
import { readSafetensors } from "../../../src/io/safetensors.js";
import { assertWellFormed } from "../../report/wellFormed.js";
import type { Ended } from "../command.js";

// What `lconv discover` says and writes.

export const array = (shape: number[], values: readonly number[]): { shape: number[]; data: Float32Array } => ({
  shape,
  data: Float32Array.from(values),
});
const OUT = ["generators.npz", "generators.safetensors", "report.html", "symmetries.json"];

/** The last line of `lconv discover --json`. */
export interface Done {
  event: string;
  dimension: number;
  algebra: string;
  angles: { known: string; degrees: number[] }[];
  defects?: { defect: number }[];
  residuals: number[];
  out?: string;
}
/** Of a run that succeeded. */
export const done = ({ code, lines, stderr }: Ended): Done => {
  assert.is(code, 0, stderr);
  const last = lines.at(-1) as unknown as Done;
  assert.is(last.event, "done");
  return last;
};

/** All files of a result can be read and say the same. */
export function checkFolder(path: string): { numbers: { d: number; n_L: number; algebra: string; affine?: boolean }; html: string } {
  assert.equal(readdirSync(path).sort(), OUT);
  const numbers = JSON.parse(readFileSync(join(path, "symmetries.json"), "utf8"));
  const html = readFileSync(join(path, "report.html"), "utf8");
  assertWellFormed(html);
  assert.not.match(html.replace(/<style>.*?<\/style>/s, "").replaceAll(/base64,[^"]*/g, ""), /NaN|undefined/);
  const { tensors, metadata } = readSafetensors(join(path, "generators.safetensors"));
  const arrays = readNpz(join(path, "generators.npz"));
  assert.equal([metadata["algebra"], Number(metadata["d"])], [numbers.algebra, numbers.d]);
  for (const [name, { shape, data }] of tensors) {
    assert.equal(arrays.get(name)?.shape, shape);
    assert.equal([...arrays.get(name)!.data], [...data]);
  }
  assert.is(readGenerators(join(path, "generators.npz")).n_L, numbers.n_L);
  return { numbers, html };
}
