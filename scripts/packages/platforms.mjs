// The packages of binaries: what they are called, what is in them, and how that is built.
import { fetchCublasHeaders, haveCublasHeaders, nvcc } from "../cublas-headers.mjs";
import { onPath } from "../support.mjs";

/**
 * folder: of build/packages, and of build, where it is compiled; toolchain: a file of cmake/packages; processor: Debian's name, for the sysroot;
 * missing: what is not on this machine and has to be, or undefined.
 */
export const platforms = [
  {
    name: "@lconv/linux-x64",
    folder: "linux-x64",
    cpu: "x64",
    description: "The engine of lconv for Linux on x86-64, with glibc 2.31 or newer",
    binaries: ["lconv.node", "lconv_onednn.so"],
    about: [
      "It has kernels for processors without AVX, with AVX2 and with AVX-512, and takes the best that the processor has.",
      "Where oneDNN is installed (Debian, Ubuntu: `apt-get install libdnnl2`), narrow matrix products run on it; where it is not, on lconv's own.",
      "`lconv_onednn.so` contains inline functions of oneDNN's headers (Apache-2.0).",
    ],
    toolchain: "linux-x64",
    processor: "amd64",
    targets: ["lconv", "lconv_onednn"],
    settings: ["LCONV_CUDA=OFF", "LCONV_ONEDNN=ON"],
    missing: () => missingCompiler("x86_64-linux-gnu-g++", "g++"),
  },
  {
    name: "@lconv/linux-arm64",
    folder: "linux-arm64",
    cpu: "arm64",
    description: "The engine of lconv for Linux on 64-bit ARM, with glibc 2.31 or newer",
    binaries: ["lconv.node"],
    about: ["Its matrix products are lconv's own; oneDNN is not used on this processor."],
    toolchain: "linux-arm64",
    processor: "arm64",
    targets: ["lconv"],
    settings: ["LCONV_CUDA=OFF", "LCONV_ONEDNN=OFF"],
    missing: () => missingCompiler("aarch64-linux-gnu-g++", "g++-aarch64-linux-gnu"),
  },
  {
    name: "@lconv/cuda-linux-x64",
    folder: "cuda-linux-x64",
    cpu: "x64",
    description: "The part of lconv that trains on NVIDIA GPUs, for Linux on x86-64, with glibc 2.31 or newer",
    binaries: ["lconv_cuda.so"],
    about: [
      "It needs an NVIDIA driver and cuBLAS, which it looks for at run time; `npx lconv doctor` prints what it finds.",
      "It contains the CUDA runtime, which NVIDIA licenses under the CUDA Toolkit EULA.",
    ],
    toolchain: "linux-x64",
    processor: "amd64",
    targets: ["lconv_cuda"],
    settings: ["LCONV_CUDA=ON", "LCONV_ONEDNN=OFF", "LCONV_PARITY=OFF"],
    missing: () => missingCompiler("x86_64-linux-gnu-g++", "g++") ?? missingCuda(),
  },
];

const missingCompiler = (program, debian) => (onPath(program) ? undefined : `${program} (apt-get install ${debian})`);

function missingCuda() {
  if (!nvcc()) return "nvcc (install the CUDA toolkit 12 or 13, or set CUDACXX)";
  const failure = haveCublasHeaders() ? undefined : fetchCublasHeaders();
  return failure && `cublas_v2.h (${failure}; set CUBLAS_ROOT)`;
}
