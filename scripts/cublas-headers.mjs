// cuBLAS's headers for the CUDA build where the toolkit came without them: from Python's nvidia-cublas package, through a private venv.
// Only the headers are kept; the library itself is a machine's own and opened at run time.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onPath, root, run } from "./support.mjs";

export const headersFolder = join(root, "build-cublas");

export const nvcc = () =>
  process.env.CUDACXX || (onPath("nvcc") ? "nvcc" : ["/usr/local/cuda/bin/nvcc", "/opt/cuda/bin/nvcc"].find(existsSync));

/** Whether the build will find cublas_v2.h: in a toolkit, in CUBLAS_ROOT, or fetched before. */
export function haveCublasHeaders() {
  const toolkits = ["/usr/local", "/opt"].flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => name.startsWith("cuda"))
          .map((name) => join(folder, name))
      : [],
  );
  const roots = [process.env.CUBLAS_ROOT, process.env.CUDA_PATH, process.env.CUDA_HOME, headersFolder, "/usr", ...toolkits];
  return roots.some((folder) => folder && existsSync(join(folder, "include/cublas_v2.h")));
}

/** The version of the toolkit, such as 13: the package has its major number. */
function toolkitMajor() {
  const { output } = run(nvcc(), ["--version"]);
  return Number(/release (\d+)\./.exec(output)?.[1] ?? 13);
}

const extract = `
import sys, zipfile
wheel, to = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        part = name.split("/include/")
        if len(part) == 2 and part[0].startswith("nvidia/") and part[1].endswith(".h"):
            with open(to + "/" + part[1].split("/")[-1], "wb") as file:
                file.write(archive.read(name))
`;

/** Returns undefined, or why the headers could not be fetched. */
export function fetchCublasHeaders() {
  if (!onPath("python3")) return "python3 is missing";
  const work = mkdtempSync(join(tmpdir(), "lconv-cublas-"));
  try {
    const python = join(work, "venv/bin/python");
    if (run("python3", ["-m", "venv", join(work, "venv")]).failed) return "python3 -m venv failed (Debian: apt-get install python3-venv)";
    const name = toolkitMajor() >= 13 ? "nvidia-cublas" : "nvidia-cublas-cu12";
    const got = run(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, name], { timeout: 900_000 });
    const wheel = readdirSync(work).find((file) => file.endsWith(".whl"));
    if (got.failed || !wheel) return `pip download ${name} failed: ${got.output.trim().split("\n").at(-1)}`;
    const to = join(headersFolder, "include");
    mkdirSync(to, { recursive: true });
    const { failed, output } = run(python, ["-c", extract, join(work, wheel), to]);
    if (failed || !existsSync(join(to, "cublas_v2.h"))) {
      rmSync(dirname(to), { recursive: true, force: true });
      return `the package ${wheel} has no headers: ${output.trim().split("\n").at(-1)}`;
    }
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
