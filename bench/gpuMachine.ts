// What is known of the machine of a gpu-check, without the engine: driver, GPU, libraries, environment.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, freemem, release, totalmem } from "node:os";
import { join } from "node:path";
import { type Check, findTool, type Outcome } from "./gpuStep.js";

const ofInterest = /^(CUDA|NVIDIA|CUBLAS|NCCL|LCONV|LD|VIRTUAL_ENV|CONDA|PYTHONPATH|JAX|XLA|TORCH|PATH$)/;

/** The fields of nvidia-smi that decide how fast a GPU is, and whether it is a whole one. */
const fields = [
  ...["name", "driver_version", "vbios_version", "ecc.mode.current", "mig.mode.current", "persistence_mode", "compute_mode"],
  ...["clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit", "temperature.gpu", "memory.total", "memory.used"],
];

interface Header {
  glibcVersionRuntime?: string;
}

function software(): string[] {
  const { header } = process.report.getReport() as unknown as { header: Header };
  return [
    `glibc ${header.glibcVersionRuntime ?? "unknown"}`,
    `kernel ${release()} ${arch()}`,
    `node ${process.version}`,
    `cpu ${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} processors`,
    `memory ${totalmem()} bytes, ${freemem()} free`,
    ...["/etc/os-release", "/proc/driver/nvidia/version"].flatMap((path) =>
      existsSync(path) ? [`${path}:`, readFileSync(path, "utf8").trim()] : [`${path}: none`],
    ),
  ];
}

/** Everything goes to machine.txt; cuBLAS with its path is in doctor.json. */
export async function machine(check: Check): Promise<Outcome> {
  const environment = Object.entries(process.env)
    .filter(([name]) => ofInterest.test(name))
    .sort()
    .map(([name, value]) => `${name}=${value}`);
  writeFileSync(join(check.out, "machine.txt"), `${[...software(), "", "environment:", ...environment].join("\n")}\n`);
  const glibc = software()[0];
  const smi = findTool("nvidia-smi");
  if (smi === undefined) return { figure: `${glibc}; nvidia-smi is not there, so clocks, ECC and MIG are unknown` };
  await check.run("nvidia-smi", [smi, "-q"]);
  const asked = await check.run("nvidia-smi-fields", [smi, `--query-gpu=${fields.join(",")}`, "--format=csv,noheader"]);
  const values = asked.stdout.trim().split("\n")[0].split(", ");
  if (asked.code !== 0 || values.length !== fields.length)
    return { figure: `${glibc}; nvidia-smi: ${asked.stdout.trim() || asked.stderr.trim()}` };
  const known = new Map(fields.map((field, i) => [field, values[i]]));
  const of = (field: string): string => known.get(field) ?? "";
  return {
    figure: `driver ${of("driver_version")}, ${glibc}, ECC ${of("ecc.mode.current")}, MIG ${of("mig.mode.current")}, ${of("clocks.sm")} of ${of("clocks.max.sm")}`,
  };
}
