// The same networks in other libraries, run as bench/peers/*.py.
import type { Precision } from "../src/engine/device.js";
import { runProcess } from "./process.js";

export interface PeerLine {
  by: string;
  precision: Precision;
  case: string;
  msPerStep: number;
}

/** A peer that is not installed, or ran out of memory or time. */
export interface Failure {
  by: string;
  precision: Precision;
  batch: number;
  error: string;
}

export interface PeerRun {
  python: string;
  onGpu: boolean;
  precision: Precision;
  batch: number;
  seconds: number;
  cases: readonly string[];
  /** Seconds after which the peer is ended; what it said by then counts. */
  limit: number;
}

const here = new URL("peers/", import.meta.url).pathname;
const layouts: Record<string, string[]> = { lconv: ["lconv", "lconv-cf1", "lconv-cf2"], lconv2: ["lconv2", "lconv2-cf1"] };
const torch: Record<string, string[]> = { eager: [], compile: ["--compile"], graph: ["--graph"] };
const jaxPrecision: Record<Precision, string> = { fp32: "float32", tf32: "tensorfloat32", bf16: "bfloat16" };

/** A captured graph needs a GPU. */
export const defaultPeers = (onGpu: boolean): string[] => (onGpu ? ["eager", "graph", "compile", "jax"] : ["eager", "compile", "jax"]);

/** The peers name layouts ("lconv-cf1") and orders ("lconv1/vwu"); all of these do the work of one case of ours. */
export function caseOf(name: string): string {
  const [data, model] = name.split("/");
  return `${data}/${model.replace(/-(cf1|cf2|einsum)$/, "").replace(/^lconv1$/, "lconv")}/${name.split("/").at(-1)}`;
}

/** All lines of a peer, also of layouts that are slow; a failure is a line too. `peer` is eager, compile, graph or jax. */
export async function peerLines(peer: string, options: PeerRun): Promise<(PeerLine | Failure)[]> {
  const { python, onGpu, precision, batch, seconds, cases, limit } = options;
  if (peer !== "jax" && !torch[peer]) throw new Error(`unknown peer "${peer}"; known: ${Object.keys(torch).join(", ")}, jax`);
  const by = peer === "jax" ? "jax jit" : `torch ${peer}`;
  // JAX rounds the factors of float32 products on a GPU unless it is told not to, and takes the platform from the environment.
  const env = { JAX_PLATFORMS: onGpu ? "cuda" : "cpu", JAX_DEFAULT_MATMUL_PRECISION: jaxPrecision[precision] };
  const args =
    peer === "jax"
      ? [`${here}jax_lconv.py`, String(batch), String(seconds), cases.join(",")]
      : [`${here}torch_lconv.py`, ...torchArguments(peer, options)];
  const ended = await runProcess([python, ...args], { env, seconds: limit });
  const error = ended.timedOut
    ? `no end in ${limit.toFixed(0)} s`
    : ended.code === 0
      ? ""
      : ended.stderr.trim().split("\n").at(-1) || `${ended.signal}`;
  const lines: (PeerLine | Failure)[] = ended.stdout
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}")) // the last one may be a part
    .map((line) => ({ by, precision, ...camelCased(JSON.parse(line)) }) as PeerLine);
  return error === "" ? lines : [...lines, { by, precision, batch, error }];
}

/** `{ ms_per_step: 1 }` as `{ msPerStep: 1 }`. */
function camelCased(line: object): object {
  const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(line).map(([key, value]) => [camel(key), value]));
}

function torchArguments(peer: string, { onGpu, precision, batch, seconds, cases }: PeerRun): string[] {
  const unique = (names: string[]): string => [...new Set(names)].join(",");
  return [
    ...["--device", onGpu ? "cuda" : "cpu", "--batch", String(batch), "--seconds", String(seconds)],
    ...["--sets", unique(cases.map((name) => name.split("/")[0]))],
    ...["--models", unique(cases.flatMap((name) => layouts[name.split("/")[1]] ?? [name.split("/")[1]]))],
    ...torch[peer],
    ...(precision === "fp32" ? [] : [`--${precision}`]),
  ];
}
