import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { availableParallelism, cpus, freemem, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { findDataset, officialNames } from "../../data/catalog.js";
import { defined } from "../../defined.js";
import { native } from "../../engine/native.js";
import { cacheFolder, inCheckout } from "../../engine/places.js";
import { threadCount } from "../../engine/threads.js";
import { attempt, type CudaFindings, type DeviceState, examineCuda, examineDevice, ncclVersion, showCuda } from "../run/examine.js";
import { mpirunName } from "../run/mpirun.js";
import type { Context } from "../terminal/context.js";
import { list, megabytes } from "../terminal/output.js";
import { type Variable, variablesInForce } from "./variables.js";

interface Findings {
  ok: boolean; // training on the CPU can work
  node: string;
  platform: string;
  cpu: { model: string; processors: number; threads: number | null };
  memory: { totalBytes: number; freeBytes: number };
  engine: { loaded: boolean; version?: string; isa?: string; gemm?: string; problem?: string };
  devices: DeviceState[];
  cuda: CudaFindings;
  /** What several processes would train one network by. */
  mpi: { version?: string; path?: string; mpirun?: string; problem?: string };
  /** What they would add up by between GPUs. `version` is 23007 for 2.30.7. */
  nccl: { version?: number; path?: string; problem?: string };
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
  const cpu = examineDevice("cpu");
  const { devices, cuda } = examineCuda();
  return {
    ok: cpu.available,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}, kernel ${release()}`,
    cpu: { model: cpus()[0]?.model ?? "unknown", processors: availableParallelism(), threads: attempt(threadCount).value ?? null },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    engine,
    devices: [cpu, ...devices],
    cuda,
    mpi: examineMpi(),
    nccl: examineNccl(),
    datasets: [
      ...officialNames.map((name) => ({ name, folder: attempt(() => findDataset(name)).value ?? null })),
      { name: "glyphs", folder: "built in" },
    ],
    cache: examineCache(),
    variables: variablesInForce(),
  };
}

function examineEngine(): Findings["engine"] {
  const { value: info, problem } = attempt(() => native().info());
  if (!info) return { loaded: false, problem: problem ?? "unknown" };
  const { version, isa, oneDNN, gemmNote } = info;
  const builtIn = `built-in (${gemmNote ?? "oneDNN was not found"})${oneDnnAdvice()}`;
  return { loaded: true, version, isa, gemm: oneDNN ? `built-in, narrow and large square ones by oneDNN ${oneDNN}` : builtIn };
}

/** The package of binaries for x64 has the module for oneDNN, and needs the system's library alone; others are built with it, or not at all. */
function oneDnnAdvice(): string {
  if (process.platform !== "linux") return "";
  const install = inCheckout() ? "apt-get install libdnnl-dev && npm run setup" : "apt-get install libdnnl2";
  return process.arch === "x64" ? `; with oneDNN narrow ones are faster: ${install}` : "";
}

function examineMpi(): Findings["mpi"] {
  const { value: library, problem } = attempt(() => native().mpiLibrary());
  if (!library) return { problem: problem ?? "unknown" };
  const { value: version } = attempt(() => execFileSync(mpirunName(), ["--version"], { encoding: "utf8", stdio: "pipe" }));
  return { ...library, ...defined({ mpirun: version?.split("\n", 1)[0] }) };
}

function showMpi({ version, path, mpirun, problem }: Findings["mpi"], loaded: boolean): string {
  if (!loaded) return "see engine";
  if (problem !== undefined) return "not here, and needed by lconv train --ranks alone; apt-get install openmpi-bin";
  return `${version} (${path}); ${mpirun ?? `${mpirunName()} does not run: apt-get install openmpi-bin`}`;
}

function examineNccl(): Findings["nccl"] {
  const { value: library, problem } = attempt(() => native().ncclLibrary());
  return library ?? { problem: problem ?? "unknown" };
}

/** Nothing where there are not several GPUs to add up over. */
function showNccl({ version, path, problem }: Findings["nccl"], gpus: number): [string, string][] {
  if (gpus < 2) return [];
  return [["NCCL", version === undefined ? `${problem}` : `${ncclVersion(version)} (${path})`]];
}

function examineCache(): Findings["cache"] {
  const { value: folder = "unknown", problem: noHome } = attempt(cacheFolder);
  if (noHome) return { folder, writable: false, problem: noHome };
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  const { problem } = attempt(() => accessSync(nearest, constants.W_OK));
  return { folder, writable: problem === undefined, ...defined({ problem }) };
}

function show(found: Findings): string {
  const { cpu, engine } = found;
  const rows: [string, string][] = [
    ["Node", `${found.node} on ${found.platform}`],
    ["processor", `${cpu.model}, ${cpu.processors} usable, ${cpu.threads ?? "?"} threads`],
    ["memory", `${megabytes(found.memory.totalBytes)}, ${megabytes(found.memory.freeBytes)} free`],
    ["engine", engine.loaded ? `${engine.version}, ${engine.isa}; matrix products: ${engine.gemm}` : (engine.problem ?? "missing")],
    ...found.devices.map(({ name, available, reason, path }): [string, string] => [
      `device ${name}`,
      `${available ? "yes" : "no"}: ${engine.loaded ? [reason, ...(path ? [path] : [])].join("; ") : "see engine"}`,
    ]),
    ...showCuda(found.cuda),
    ["MPI", showMpi(found.mpi, engine.loaded)],
    ...showNccl(found.nccl, found.cuda?.gpus?.length ?? 0),
    ...found.datasets.map(({ name, folder }): [string, string] => [`data ${name}`, folder ?? `not here; lconv data fetch ${name}`]),
    ["cache", `${found.cache.folder}, ${found.cache.writable ? "writable" : `not writable: ${found.cache.problem}`}`],
    ...found.variables.map(({ name, value, problem }): [string, string] => [name, problem ? `${value} (${problem})` : value]),
  ];
  const works = found.devices.filter(({ available }) => available).map(({ name }) => name);
  return `${list(rows)}\n${found.ok ? `Training works on: ${works.join(", ")}.` : "Training cannot work here yet; see above."}`;
}
