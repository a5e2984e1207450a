// Checks the format of native/ by .clang-format, or with --write applies it. CLANG_FORMAT names another clang-format.
import { filesUnder, main, onPath, run, SetupError } from "./support.mjs";

main(() => {
  const program = process.env.CLANG_FORMAT || "clang-format";
  if (!onPath(program)) throw new SetupError(`${program} not found, so the C++ format is unchecked; type: apt-get install clang-format`);
  const sources = filesUnder("native").filter((path) => /\.(h|cpp|cu|cuh)$/.test(path));
  if (sources.length === 0) throw new SetupError("no C++ source found under native/");
  const mode = process.argv.includes("--write") ? ["-i"] : ["--dry-run", "--Werror"];
  const { failed, output } = run(program, [...mode, ...sources]);
  if (failed) throw new SetupError(`format differs; type: npm run format\n${output.split("\n").slice(0, 40).join("\n")}`);
});
