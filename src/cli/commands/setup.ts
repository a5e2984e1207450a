import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { dirname, join } from "node:path";
import { native, opened } from "../../engine/native.js";
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
  const named = process.env["LCONV_NATIVE"];
  check(
    !named,
    "ERR_LCONV_NATIVE",
    () => `LCONV_NATIVE names ${named}, and no other engine is used: unset it, then again: npx lconv setup`,
  );
  const folder = engineFolder();
  prepareFolder(dirname(folder));
  await build(folder, apt, signal);
  const made = inPlace(join(folder, "lconv.node"));
  out.text(`The engine is in ${folder} (${made}). See also: npx lconv doctor`);
  out.emit({ event: "done", built: true, folder });
}

/** What the engine says of itself that was built. Throws ERR_LCONV_NATIVE where it does not load. */
function inPlace(path: string): string {
  const { version, isa } = opened(path).info();
  return `${version}, ${isa}`;
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

/** Its lines go to stderr as they come; the last one is the error where it fails. A stop ends its compilers, too: they are a group of processes. */
async function build(folder: string, apt: boolean, signal: AbortSignal): Promise<void> {
  const script = join(root(), "scripts/setup-engine.mjs");
  const child = spawn(process.execPath, [script, "--to", folder, ...(apt ? ["--apt"] : [])], {
    stdio: ["ignore", "inherit", "pipe"],
    detached: true,
  });
  const stop = (): void => void process.kill(-(child.pid as number), "SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    process.stderr.write(part);
    text += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  check(code === 0, "ERR_LCONV_NATIVE", () => `the engine was not built: ${lastWords(text)}`);
}

/** What the script said last, or where it threw. */
function lastWords(text: string): string {
  const said = text.split("lconv setup: ");
  if (said.length > 1) return (said.at(-1) as string).trim();
  return /^\w*Error: .*$/m.exec(text)?.[0] ?? "its build ended without a word";
}
