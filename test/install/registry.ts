import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
export const packages = join(root, "build/packages");

export interface Registry {
  url: string;
  /** npm's own, that it takes others' packages from. */
  behind: string;
  stop(): void;
}

/** The program of the registry, in a folder of its own; some of its dependencies name a tag that not every mirror has. */
const tool = { private: true, dependencies: { verdaccio: "^6.1.0" }, overrides: { "node-fetch": "2.7.0" } };

/** A registry on loopback that has the packages of build/packages, and takes all others from npm's own. */
export async function startRegistry(folder: string): Promise<Registry> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify(tool));
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, timeout: 300_000 });
  const behind = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  writeFileSync(join(folder, "config.yaml"), configuration(behind));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const listen = ["--config", "config.yaml", "--listen", `127.0.0.1:${port}`];
  const server = spawn(process.execPath, ["node_modules/verdaccio/bin/verdaccio", ...listen], { cwd: folder, stdio: "ignore" });
  try {
    await answers(url, server);
    const key = `//127.0.0.1:${port}/:_authToken=anybody`;
    writeFileSync(join(folder, ".npmrc"), key);
    for (const name of readdirSync(packages))
      execFileSync("npm", ["publish", "--registry", url, "--userconfig", join(folder, ".npmrc"), "--loglevel=error"], {
        cwd: join(packages, name),
        stdio: ["ignore", "ignore", "inherit"],
      });
  } catch (error) {
    server.kill();
    throw error;
  }
  return { url, behind, stop: () => void server.kill() };
}

const configuration = (behind: string): string => `
storage: ./storage
max_body_size: 50mb
uplinks:
  npm:
    url: ${behind}
    cache: true
    maxage: 60m
    timeout: 120s
packages:
  "lconv": { access: $all, publish: $all }
  "@lconv/*": { access: $all, publish: $all }
  "**": { access: $all, proxy: npm }
log: { type: file, path: verdaccio.log, level: warn }
`;

async function answers(url: string, server: ChildProcess): Promise<void> {
  for (let i = 0; i < 300 && server.exitCode === null; i++) {
    const reply = await fetch(new URL("-/ping", url)).catch(() => undefined);
    if (reply?.ok) return;
    await setTimeout(100);
  }
  throw new Error(`the registry does not answer at ${url}`);
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer().once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => done(port));
    });
  });
}
