// What a failed native build is told as.
import { command } from "./support.mjs";

/** The first error of a build with the lines after it, and what to install when the cause is known. */
export function explain(output) {
  const lines = output.split("\n");
  const at = lines.findIndex(
    (line) => /\berror\b[: ]|CMake Error|undefined reference|No such file/i.test(line) && !/^info|gyp info/i.test(line),
  );
  const shown = (at < 0 ? lines.slice(-20) : lines.slice(at, at + 12)).map((line) => `  ${line}`).join("\n");
  const advice =
    remedies.find(([pattern]) => pattern.test(output))?.[1] ?? `see all of it: ${command("build:native", "build-native.mjs", "--verbose")}`;
  return `the native build failed:\n${shown}\n${advice}`;
}

const remedies = [
  [
    /Could NOT find OpenMP|omp\.h: No such file|cannot find -lgomp/,
    "install OpenMP for your compiler: apt-get install g++ (clang: libomp-dev)",
  ],
  [
    /CMake 3\.\d+ or higher is required/,
    `this CMake is too old: install 3.21 or newer, or build by node-gyp: ${command("build:gyp", "build-native.mjs", "--gyp")}`,
  ],
  [/x86-64-v[34]|mprefer-vector-width/, "this compiler is too old: install g++ 11 or clang 12, or newer"],
  [/LCONV_ONEDNN=ON/, "install oneDNN: apt-get install libdnnl-dev"],
  [
    /EAI_AGAIN|ENOTFOUND|getaddrinfo|tunneling socket/,
    "node-gyp wants to download Node's headers: set npm_config_nodedir to the folder that has include/node",
  ],
  [/No space left on device/, "the disk is full"],
  [/Killed|cc1plus.*terminated/, "the compiler ran out of memory: close other programs, or build with CMAKE_BUILD_PARALLEL_LEVEL=1"],
];
