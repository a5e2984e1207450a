// The C and C++ libraries that published binaries are linked against: packages of Debian 11, unpacked into build/sysroot/<processor>, without root.
// Its glibc, 2.31, is the oldest that Debian's mirrors still have: those of Debian 10, 2.28, are gone.
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { onPath, root, run, SetupError, say } from "../support.mjs";

const RELEASE = "bullseye";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const packages = ["libc6", "libc6-dev", "linux-libc-dev", "libgcc-10-dev", "libgcc-s1", "libstdc++-10-dev", "libstdc++6", "libgomp1"];
/** oneDNN, with the loader of OpenCL that it needs: a bundle has both. */
const onlyOn = { amd64: ["libdnnl2", "libdnnl-dev", "ocl-icd-libopencl1"], arm64: [] };

/** The folder with headers and libraries for `processor`, "amd64" or "arm64" as Debian calls it. */
export function sysroot(processor) {
  const folder = join(root, "build/sysroot", processor);
  const done = join(folder, "complete");
  const wanted = [...packages, ...onlyOn[processor]].join("\n");
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return folder;
  requireTools();
  say(`fetching Debian's ${RELEASE} libraries for ${processor}`);
  rmSync(folder, { recursive: true, force: true });
  const work = join(root, "build/sysroot", `${processor}.apt`);
  try {
    for (const archive of download(processor, work)) {
      const { failed, output } = run("dpkg-deb", ["-x", archive, folder]);
      if (failed) throw new SetupError(`dpkg-deb cannot unpack ${archive}: ${output.trim()}`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  makeLinksRelative(folder, folder);
  writeFileSync(done, wanted);
  return folder;
}

function requireTools() {
  const missing = ["apt-get", "dpkg-deb"].find((tool) => !onPath(tool));
  if (missing) throw new SetupError(`${missing} is missing; packages are made on Debian or Ubuntu`);
  if (!existsSync(KEYRING)) throw new SetupError(`${KEYRING} is missing; type: apt-get install debian-archive-keyring`);
}

/** Paths of the packages, downloaded with a configuration of its own in `work`; proxies are as the machine's. */
function download(processor, work) {
  for (const folder of [
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "var/lib/dpkg",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
  ])
    mkdirSync(join(work, folder), { recursive: true });
  const status = join(work, "var/lib/dpkg/status");
  writeFileSync(status, "");
  writeFileSync(join(work, "etc/apt/sources.list"), `deb [arch=${processor} signed-by=${KEYRING}] ${mirror()} ${RELEASE} main\n`);
  const settings = [
    `Dir=${work}`,
    `Dir::State::status=${status}`,
    `APT::Architecture=${processor}`,
    `APT::Architectures=${processor}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::Retries=2",
    "Acquire::http::Timeout=30",
  ].flatMap((setting) => ["-o", setting]);
  for (const command of [["update"], ["download", ...packages, ...onlyOn[processor]]]) {
    const { failed, output } = run("apt-get", ["-q", ...settings, ...command], { cwd: work, timeout: 600_000 });
    if (failed)
      throw new SetupError(`apt-get ${command[0]} failed for ${RELEASE} ${processor}:\n${output.trim().split("\n").slice(-6).join("\n")}`);
  }
  return readdirSync(work)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(work, name));
}

/** Where this machine gets Debian's packages. */
function mirror() {
  const { output } = run("apt-get", ["indextargets", "--format", "$(ORIGIN) $(CODENAME) $(REPO_URI)"]);
  const found = /^Debian [a-z]+ (\S+)$/m.exec(output);
  return found?.[1] ?? "http://deb.debian.org/debian";
}

/** Links such as libdl.so -> /lib/... would leave the folder. */
function makeLinksRelative(folder, top) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const status = lstatSync(path);
    if (status.isDirectory()) makeLinksRelative(path, top);
    if (!status.isSymbolicLink() || !readlinkSync(path).startsWith("/")) continue;
    const target = relative(dirname(path), join(top, readlinkSync(path)));
    rmSync(path);
    symlinkSync(target, path);
  }
}
