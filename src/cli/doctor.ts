import { accessSync, constants, existsSync } from "node:fs";
import { availableParallelism, cpus, freemem, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { cacheFolder, findDataset, officialNames } from "../data/catalog.js";
import { device as deviceOf } from "../engine/device.js";
import { native } from "../engine/native.js";
import { threadCount } from "../engine/threads.js";
import { matmul } from "../ops/matmul.js";
import { scope } from "../tensor/scope.js";
import { tensor } from "../tensor/tensor.js";
import type { Context } from "./context.js";
import { list, megabytes } from "./output.js";
import { type Variable, variablesInForce } from "./variables.js";

interface DeviceState {
  name: string;
  available: boolean;
  reason: string;
}

interface Findings {
  ok: boolean; // training on the CPU can work
  node: string;
  platform: string;
  cpu: { model: string; processors: number; threads: number | null };
  memory: { totalBytes: number; freeBytes: number };
  engine: { loaded: boolean; version?: string; isa?: string; gemm?: string; problem?: string };
  devices: DeviceState[];
  datasets: { name: string; folder: string | null }[];
  cache: { folder: string; writable: boolean; problem?: string };
  variables: Variable[];
}

/** `lconv doctor`: what training finds on this machine. Never throws; exit code 1 when the CPU cannot be trained on. */
export function doctor({ out }: Context): void {
  const findings = examine();
  out.emit({ event: "done", ...findings });
  out.text(show(findings));
  if (!findings.ok) process.exitCode = 1;
}

function examine(): Findings {
  const engine = examineEngine();
  const cpu = examineCpu();
  return {
    ok: cpu.available,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}, kernel ${release()}`,
    cpu: { model: cpus()[0]?.model ?? "unknown", processors: availableParallelism(), threads: attempt(threadCount).value ?? null },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    engine,
    devices: [cpu, { name: "cuda", available: false, reason: whyNoCuda() }],
    datasets: [
      ...officialNames.map((name) => ({ name, folder: attempt(() => findDataset(name)).value ?? null })),
      { name: "glyphs", folder: "built in" },
    ],
    cache: examineCache(),
    variables: variablesInForce(),
  };
}

function attempt<T>(work: () => T): { value?: T; problem?: string } {
  try {
    return { value: work() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function examineEngine(): Findings["engine"] {
  const { value: info, problem } = attempt(() => native().info());
  if (!info) return { loaded: false, problem: problem ?? "unknown" };
  const { version, isa, oneDNN, gemmNote } = info;
  const builtIn = `built-in, several times slower than oneDNN (${gemmNote ?? "oneDNN was not found"}); for full speed: apt-get install libdnnl-dev && npm run setup`;
  return { loaded: true, version, isa, gemm: oneDNN ? `oneDNN ${oneDNN}` : builtIn };
}

/** Multiplies two matrices: what a binary reports is one thing, whether it works another. */
function examineCpu(): DeviceState {
  const { value, problem } = attempt(() =>
    scope(() => {
      const device = deviceOf("cpu");
      const a = tensor(Float32Array.of(1, 2, 3, 4), { shape: [2, 2], device });
      return [...matmul(a, a).dataSync()].join(" ");
    }),
  );
  const works = value === "7 10 15 22";
  return { name: "cpu", available: works, reason: works ? "works" : (problem ?? `gives wrong results: a product is ${value}`) };
}

function whyNoCuda(): string {
  const driver = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"].some((path) => existsSync(path));
  const card = existsSync("/dev/nvidia0") || existsSync("/dev/dxg");
  const hardware = card
    ? "an NVIDIA device is there"
    : driver
      ? "an NVIDIA driver is there, a device is not"
      : "neither an NVIDIA driver nor a device is there";
  return `this version of lconv has no CUDA backend; ${hardware}`;
}

function examineCache(): Findings["cache"] {
  const { value: folder = "unknown", problem: noHome } = attempt(cacheFolder);
  if (noHome) return { folder, writable: false, problem: noHome };
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  const { problem } = attempt(() => accessSync(nearest, constants.W_OK));
  return { folder, writable: problem === undefined, ...(problem !== undefined && { problem }) };
}

function show(found: Findings): string {
  const { cpu, engine } = found;
  const rows: [string, string][] = [
    ["Node", `${found.node} on ${found.platform}`],
    ["processor", `${cpu.model}, ${cpu.processors} usable, ${cpu.threads ?? "?"} threads`],
    ["memory", `${megabytes(found.memory.totalBytes)}, ${megabytes(found.memory.freeBytes)} free`],
    ["engine", engine.loaded ? `${engine.version}, ${engine.isa}; matrix products: ${engine.gemm}` : (engine.problem ?? "missing")],
    ...found.devices.map(({ name, available, reason }): [string, string] => [
      `device ${name}`,
      `${available ? "yes" : "no"}: ${available || engine.loaded || name !== "cpu" ? reason : "see engine"}`,
    ]),
    ...found.datasets.map(({ name, folder }): [string, string] => [`data ${name}`, folder ?? `not here; lconv data fetch ${name}`]),
    ["cache", `${found.cache.folder}, ${found.cache.writable ? "writable" : `not writable: ${found.cache.problem}`}`],
    ...found.variables.map(({ name, value, problem }): [string, string] => [name, problem ? `${value} (${problem})` : value]),
  ];
  return `${list(rows)}\n${found.ok ? "Training on the CPU works." : "Training cannot work here yet; see above."}`;
}
