// Two hosts on this machine, for ssh: network namespaces with an address and an sshd each, on the files of this machine. Keys and settings lie in a
// temporary folder; nothing of the system's ssh is read or changed.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ofEndedProcesses } from "./killed.js";

const programs = { ip: "iproute2", sshd: "openssh-server", ssh: "openssh-client", "ssh-keygen": "openssh-client", parallel: "parallel" };
/** sbin is not in the PATH of every user, and sshd requires to be called by its full path. */
const environment = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { env: environment, encoding: "utf8", stdio: "pipe" });
const pathOf = (program: string): string =>
  spawnSync("sh", ["-c", `command -v ${program}`], { env: environment, encoding: "utf8" }).stdout.trim();

/** Why there can be no hosts here; undefined where there can. */
export function whyNoHosts(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  const missing = Object.entries(programs).filter(([name]) => pathOf(name) === "");
  if (missing.length > 0)
    return `no ${missing.map(([name]) => name).join(", ")} here: apt-get install ${[...new Set(missing.map(([, of]) => of))].join(" ")}`;
  if (process.getuid?.() !== 0) return "only root makes network namespaces";
  const probe = spawnSync("unshare", ["--net", "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"], {
    env: environment,
    encoding: "utf8",
  });
  return probe.status === 0 ? undefined : `no network namespaces with a link here (${probe.stderr?.trim()})`;
}

export interface Hosts {
  /** What ssh knows them by. */
  names: readonly string[];
  /** The ssh that knows them, as a command line; `gone` is a name at which nothing listens. */
  ssh: string;
  /** Of their addresses. */
  net: string;
  /** Takes the link of a host down, and up again. */
  cut(i: number): void;
  mend(i: number): void;
  /** Gives the link of a host a bandwidth, such as "1gbit", in both directions. */
  shape(i: number, rate: string): void;
  stop(): Promise<void>;
}

/** Starts two hosts, and waits until both let this process in. */
export async function startHosts(): Promise<Hosts> {
  removeOfKilled();
  const folder = mkdtempSync(join(tmpdir(), `lconv-hosts-${process.pid}-`));
  const [names, spaces] = [["host1", "host2"], ["a", "b"].map((letter) => `lconv-${process.pid}${letter}`)];
  const daemons: ChildProcess[] = [];
  const privileged = "/run/sshd"; // sshd wants this empty folder, which the start of the service makes
  const made = !existsSync(privileged);
  const remove = (): void => {
    for (const space of spaces) removeSpace(space);
    spawnSync("ip", ["link", "delete", bridge], { env: environment });
    if (made && existsSync(privileged)) rmdirSync(privileged);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", remove);
  const stop = async (): Promise<void> => {
    for (const daemon of daemons) await end(daemon);
    process.removeListener("exit", remove);
    remove();
  };
  const ssh = `ssh -F ${folder}/ssh_config`;
  try {
    if (made) mkdirSync(privileged, { mode: 0o755 });
    addBridge();
    const addresses = spaces.map((space, i) => addHost(space, i));
    writeKeys(folder, names, addresses);
    for (const [i, space] of spaces.entries()) daemons.push(startSshd(folder, space, addresses[i], names[i]));
    for (const name of names) await until(() => spawnSync("sh", ["-c", `${ssh} ${name} true`], { timeout: 10_000 }).status === 0, name);
  } catch (error) {
    await stop();
    throw error;
  }
  const cut = (i: number): string => run("ip", "link", "set", linkOf(i), "down");
  const mend = (i: number): string => run("ip", "link", "set", linkOf(i), "up");
  const shape = (i: number, rate: string): void => {
    const limit = ["root", "tbf", "rate", rate, "burst", "128kb", "latency", "400ms"];
    run("tc", "qdisc", "replace", "dev", linkOf(i), ...limit);
    run("ip", "netns", "exec", spaces[i], "tc", "qdisc", "replace", "dev", "eth0", ...limit);
  };
  return { names, ssh, net: `${net}.0/24`, cut, mend, shape, stop };
}

/** With all that runs there, and its link. */
function removeSpace(space: string): void {
  const pids = spawnSync("ip", ["netns", "pids", space], { env: environment, encoding: "utf8" }).stdout ?? "";
  for (const pid of pids.split("\n").filter((line) => line !== "")) spawnSync("kill", ["-9", pid]);
  spawnSync("ip", ["netns", "delete", space], { env: environment });
}

function removeOfKilled(): void {
  const spaces = run("ip", "netns", "list")
    .split("\n")
    .map((line) => line.split(" ")[0]);
  for (const space of ofEndedProcesses(spaces, /^lconv-(\d+)[ab]$/)) removeSpace(space);
  const links = run("ip", "-brief", "link", "show", "type", "bridge")
    .split("\n")
    .map((line) => line.split(" ")[0]);
  for (const link of ofEndedProcesses(links, /^lc(\d+)$/)) spawnSync("ip", ["link", "delete", link], { env: environment });
  for (const left of ofEndedProcesses(readdirSync(tmpdir()), /^lconv-hosts-(\d+)-/))
    rmSync(join(tmpdir(), left), { recursive: true, force: true });
}

/** Out of a range for tests (RFC 2544). */
const net = `198.18.${process.pid % 256}`;
const bridge = `lc${process.pid}`;

/** What the links of all hosts, and this machine, are plugged into. */
function addBridge(): void {
  run("ip", "link", "add", bridge, "type", "bridge");
  run("ip", "address", "add", `${net}.1/24`, "dev", bridge);
  run("ip", "link", "set", bridge, "up");
}

/** A namespace with a link to the bridge. Returns its address. */
function addHost(space: string, i: number): string {
  const [here, there] = [linkOf(i), "eth0"];
  run("ip", "netns", "add", space);
  run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", space);
  run("ip", "link", "set", here, "master", bridge);
  run("ip", "link", "set", here, "up");
  run("ip", "-netns", space, "address", "add", `${net}.${i + 2}/24`, "dev", there);
  for (const device of ["lo", there]) run("ip", "-netns", space, "link", "set", device, "up");
  return `${net}.${i + 2}`;
}
const linkOf = (i: number): string => `${bridge}${"ab"[i]}`;

function writeKeys(folder: string, names: readonly string[], addresses: readonly string[]): void {
  for (const key of ["user_key", "host_key"]) run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(folder, key));
  writeFileSync(join(folder, "authorized_keys"), readFileSync(join(folder, "user_key.pub")));
  chmodSync(join(folder, "authorized_keys"), 0o600);
  const hostKey = readFileSync(join(folder, "host_key.pub"), "utf8");
  writeFileSync(join(folder, "known_hosts"), addresses.map((address) => `${address} ${hostKey}`).join(""));
  const hosts = names.map((name, i) => `Host ${name}\n  HostName ${addresses[i]}\n`);
  const common = [
    `IdentityFile ${folder}/user_key`,
    "IdentitiesOnly yes",
    `UserKnownHostsFile ${folder}/known_hosts`,
    "GlobalKnownHostsFile none",
  ];
  const careful = ["User root", "BatchMode yes", "StrictHostKeyChecking yes", "ConnectTimeout 5"];
  const gone = `Host gone\n  HostName ${addresses[0]}\n  Port 9\n`;
  writeFileSync(
    join(folder, "ssh_config"),
    `${hosts.join("")}${gone}Host *\n${[...common, ...careful].map((line) => `  ${line}\n`).join("")}`,
  );
}

/** It listens on the address of its host alone, and has that host's name: MPI takes two of one name for one. */
function startSshd(folder: string, space: string, address: string, name: string): ChildProcess {
  const lines = [
    ...[`ListenAddress ${address}`, `HostKey ${folder}/host_key`, `AuthorizedKeysFile ${folder}/authorized_keys`, "PidFile none"],
    ...["PermitRootLogin prohibit-password", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no", "StrictModes no"],
  ];
  const config = join(folder, `sshd_${address}`);
  writeFileSync(config, `${lines.join("\n")}\n`);
  const named = ["unshare", "--uts", "sh", "-c", `hostname ${name} && exec ${pathOf("sshd")} -D -e -f ${config}`];
  return spawn("ip", ["netns", "exec", space, ...named], { env: environment, stdio: "ignore" });
}

async function until(ready: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; !ready(); await new Promise((go) => setTimeout(go, 100)))
    if (performance.now() > end) throw new Error(`waited half a minute for ${what}`);
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null || daemon.pid === undefined) return;
  daemon.kill("SIGTERM");
  await once(daemon, "exit");
}
