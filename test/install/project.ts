import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Ran {
  code: number | null;
  output: string;
}

/** A user's machine: tools of its own on PATH, no compilers, a home and a cache that are empty. */
export class Machine {
  readonly #env: Record<string, string>;

  constructor(
    readonly folder: string,
    registry: string,
    tools: Record<string, string>,
  ) {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    for (const [name, target] of Object.entries(tools)) symlinkSync(target, join(bin, name));
    const home = join(folder, "home");
    mkdirSync(home);
    this.#env = {
      ...{ PATH: bin, HOME: home, TMPDIR: join(folder, "tmp"), npm_config_registry: registry, npm_config_cache: join(folder, "npm") },
      ...{ npm_config_audit: "false", npm_config_fund: "false", npm_config_update_notifier: "false", NO_COLOR: "1" },
      ...{ YARN_NPM_REGISTRY_SERVER: registry, YARN_UNSAFE_HTTP_WHITELIST: "127.0.0.1", YARN_NPM_MINIMAL_AGE_GATE: "0", CI: "" },
    };
    mkdirSync(this.#env["TMPDIR"]);
  }

  /** A project with these files. */
  project(name: string, files: Record<string, string | object>): string {
    const folder = join(this.folder, "projects", name);
    for (const [path, content] of Object.entries(files)) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    }
    return folder;
  }

  /** Runs a command line in a project; one that takes longer than `seconds` is killed with all that it started, and fails. */
  run(cwd: string, line: string, env: Record<string, string> = {}, seconds = 300): Promise<Ran> {
    return new Promise((done, fail) => {
      const child = spawn(line, {
        cwd,
        shell: "/bin/sh",
        env: { ...this.#env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
      const limit = setTimeout(() => {
        fail(new Error(`${line} did not end in ${seconds} s:\n${output}`));
        if (child.pid) process.kill(-child.pid, "SIGKILL");
      }, seconds * 1e3);
      child.once("error", fail).once("close", (code) => {
        clearTimeout(limit);
        done({ code, output });
      });
    });
  }

  /** The same; an error with what it printed where it fails. */
  async works(cwd: string, line: string, env: Record<string, string> = {}, seconds?: number): Promise<string> {
    const { code, output } = await this.run(cwd, line, env, seconds);
    if (code !== 0) throw new Error(`${line} ended with ${code}:\n${output}`);
    return output;
  }
}
