import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { dirname, join } from "node:path";
import { native } from "../../engine/native.js";
import { engineFolder, root } from "../../engine/places.js";
import { check, LconvError } from "../../errors.js";
import { ioError } from "../../io/files.js";
import { makeFolder } from "../../io/folders.js";
import type { Context } from "../terminal/context.js";
import { type Given, toggle } from "../terminal/flags.js";

export const setupFlags = {
  apt: {
    value: "",
    kind: toggle,
    help: "install missing tools by apt-get (as root or by sudo); without this flag nothing of the system is changed",
  },
  force: { value: "", kind: toggle, help: "build even where an engine works already" },
} as const;

/** `lconv setup`: builds the engine from source where no package of binaries fits, into the cache, which `npm ci` keeps. */
export async function setup({ apt = false, force = false }: Given<typeof setupFlags>, { out, signal }: Context): Promise<void> {
  check(process.platform !== "win32", "ERR_LCONV_NATIVE", () => "Windows is not supported; lconv runs there in WSL 2");
  const before = works();
  if (before && !force) {
    out.text(`The engine works (${before}); nothing to do. To build it from source all the same: npx lconv setup --force`);
    out.emit({ event: "done", built: false, engine: before });
    return;
  }
  const folder = engineFolder();
  prepareFolder(dirname(folder));
  await build(folder, apt, signal);
  out.text(`The engine is in ${folder}. See also: npx lconv doctor`);
  out.emit({ event: "done", built: true, folder });
}

function works(): string | undefined {
  try {
    const { version, isa } = native().info();
    return `${version}, ${isa}`;
  } catch {
    return undefined;
  }
}

function prepareFolder(folder: string): void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    const { code, message } = ioError("write", folder, error);
    throw new LconvError(code, `${message}; or set XDG_CACHE_HOME to a folder that this user may write, now and when lconv runs`, {
      cause: error,
    });
  }
}

/** Its lines go to stderr as they come; the last one is the error where it fails. */
async function build(folder: string, apt: boolean, signal: AbortSignal): Promise<void> {
  const script = join(root(), "scripts/setup-engine.mjs");
  const child = spawn(process.execPath, [script, "--to", folder, ...(apt ? ["--apt"] : [])], {
    stdio: ["ignore", "inherit", "pipe"],
    signal,
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    process.stderr.write(part);
    text += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  const reason = text.slice(text.lastIndexOf("lconv setup: ") + "lconv setup: ".length).trim();
  check(code === 0, "ERR_LCONV_NATIVE", () => `the engine was not built: ${reason || "its build ended without a word"}`);
}
