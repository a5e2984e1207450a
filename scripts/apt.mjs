import { onPath, run, say } from "./support.mjs";

const isRoot = () => process.getuid?.() === 0;
let usable;

/** Whether packages can be installed without a question: apt-get is here, and we are root or sudo needs no password. */
export function aptUsable() {
  usable ??= onPath("apt-get") && (isRoot() || (onPath("sudo") && !run("sudo", ["-n", "true"]).failed));
  return usable;
}

/** The same where nobody asked for it: LCONV_SKIP_APT=1 forbids it then. */
export const canInstall = () => process.env.LCONV_SKIP_APT !== "1" && aptUsable();

let updated = false;

/** Installs Debian packages. Returns undefined, or why it failed in one line. */
export function install(packages) {
  say(`installing ${packages.join(" ")} (apt-get)`);
  if (!updated) aptGet(["update"]); // an outdated list may still do, so only the install decides
  updated = true;
  const { failed, output } = aptGet(["install", "--no-install-recommends", ...packages]);
  if (!failed) return undefined;
  const reason = output.split("\n").find((line) => line.startsWith("E:")) ?? output.trim().split("\n").at(-1);
  return `apt-get: ${reason.replace(/^E: /, "")}`;
}

function aptGet(args) {
  const options = ["-y", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30"];
  // sudo drops the environment, and with it the proxy.
  const settings = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].filter((name) => process.env[name]);
  const command = [
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    ...settings.map((name) => `${name}=${process.env[name]}`),
    "apt-get",
    ...options,
    ...args,
  ];
  const [program, ...rest] = isRoot() ? command : ["sudo", "-n", ...command];
  return run(program, rest, { timeout: 600_000 });
}
