import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { breathing } from "../engine/breathe.js";
import { checkOptions, clip, LconvError, type OptionNames, unknownName } from "../errors.js";
import { removeLitterOf } from "../io/folders.js";
import { extractTar } from "../io/tar.js";
import { readArrays } from "./arrays.js";
import {
  catalog,
  type DatasetName,
  DEBIAN_FASHION,
  dataRoots,
  datasetFolders,
  datasetNames,
  findDataset,
  isOfficial,
  type OfficialName,
  type RemoteFile,
} from "./catalog.js";
import { checkRaw, type LoadedDataset } from "./dataset.js";
import { type DownloadOptions, type DownloadProgress, downloadOnce, downloadOptions, receiveFile } from "./download.js";
import { drawGlyphs } from "./glyphs.js";
import { checkSpace, type DownloadLimits } from "./limits.js";
import { PartFile } from "./partFile.js";

/** Where data sets are looked for, and the limits of downloads. */
export interface LoadOptions extends DownloadLimits {
  /** Folder in place of LCONV_DATA. */
  root?: string;
  /** Whether a set that is on none of the known folders is downloaded. Default true. */
  download?: boolean;
  /** Called as bytes of a file arrive. */
  onProgress?: (file: string, progress: DownloadProgress) => void;
  /** Stops the work, which then throws the reason of the signal. */
  signal?: AbortSignal;
}

/** The data of the main job. */
export interface ChosenDataset extends LoadedDataset {
  /** Which set it is. */
  name: DatasetName;
  /** Why this one, in a sentence. */
  reason: string;
}

/** Options of fetchDataset. */
export interface FetchOptions extends Omit<DownloadOptions, "onProgress" | "size">, Pick<LoadOptions, "root" | "onProgress"> {}

const loadOptions: OptionNames<LoadOptions> = { root: 1, download: 1, onProgress: 1, signal: 1, maxBytes: 1, minRate: 1, rateWindow: 1 };
const { size: _, ...fetchOptions } = { ...downloadOptions, root: 1 };

/**
 * Loads a data set by name, from LCONV_DATA, the cache, a system folder, or, if it is in none of them, its official address; or a user's
 * arrays by path: a folder of .npy files or an .npz archive with `x` and `labels`, and optionally `x_test` and `labels_test`, x being [N,
 * p, q], [N, m, p, q] or [N, d].
 * Throws ERR_LCONV_ARGUMENT (unknown name), ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_DATA, ERR_LCONV_SHAPE, ERR_LCONV_DOWNLOAD,
 * ERR_LCONV_OPTION.
 */
export async function loadDataset(name: string, options: LoadOptions = {}): Promise<LoadedDataset> {
  checkOptions("loadDataset", options, loadOptions);
  if (name === "glyphs") return breathing(drawGlyphs(), options.signal);
  if (isOfficial(name)) return readOfficial(name, findDataset(name, options.root) ?? (await fetchMissing(name, options)));
  if (existsSync(name)) return readArrays(name);
  if (/[/\\]|\.npz$/.test(name)) throw new LconvError("ERR_LCONV_IO", `cannot read ${clip(name, 300)}: no such file or folder`);
  const list = `known: ${datasetNames.join(", ")}, a folder of .npy files or an .npz archive`;
  throw new LconvError("ERR_LCONV_ARGUMENT", unknownName("loadDataset", "data set", name, datasetNames, list));
}

/**
 * Downloads a data set from its official address to LCONV_DATA (or the cache) and returns its folder. Several processes share one download.
 * Throws as `download` does, ERR_LCONV_FORMAT.
 */
export async function fetchDataset(name: OfficialName, options: FetchOptions = {}): Promise<string> {
  checkOptions("fetchDataset", options, fetchOptions);
  const folder = join(dataRoots(options.root)[0], name);
  for (const file of catalog[name].files) await fetchFile(file, folder, options);
  return folder;
}

/**
 * The data of the main job: MNIST if it is on this machine; else Fashion-MNIST if that is (Debian's package dataset-fashion-mnist); else
 * MNIST from its official address, given up within seconds when offline; else `glyphs`. Damaged files are an error and no reason to go on.
 * Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_DATA, ERR_LCONV_OPTION, and the reason of `signal`.
 */
export async function chooseDataset(options: LoadOptions = {}): Promise<ChosenDataset> {
  checkOptions("chooseDataset", options, loadOptions);
  const mnist = findDataset("mnist", options.root);
  if (mnist) return { name: "mnist", ...(await readOfficial("mnist", mnist)), reason: `MNIST from ${mnist}, where it already is` };
  const fashion = findDataset("fashion-mnist", options.root);
  if (fashion) {
    const from = fashion === DEBIAN_FASHION ? "Debian's package dataset-fashion-mnist" : "there";
    return {
      name: "fashion-mnist",
      ...(await readOfficial("fashion-mnist", fashion)),
      reason: `Fashion-MNIST from ${fashion} (${from}), as MNIST is not on this machine`,
    };
  }
  const { folder, failure } = await attemptMnist(options);
  if (folder) return { name: "mnist", ...(await readOfficial("mnist", folder)), reason: `MNIST, downloaded to ${folder}` };
  return {
    name: "glyphs",
    ...(await breathing(drawGlyphs(), options.signal)),
    reason: `glyphs, the generated digits, as neither MNIST nor Fashion-MNIST is on this machine and ${failure}`,
  };
}

/** The folder MNIST was downloaded to, or why it could not be. */
async function attemptMnist(options: LoadOptions): Promise<{ folder?: string; failure?: string }> {
  if (options.download === false) return { failure: "downloading is off" };
  const { download: _, ...others } = options;
  try {
    return { folder: await fetchDataset("mnist", { ...others, retries: 0, connectTimeout: 2_500, idleTimeout: 5_000 }) };
  } catch (error) {
    if (!(error instanceof LconvError)) throw error;
    const [first, second] = error.message.split("\n");
    return { failure: `MNIST could not be downloaded (${(second ?? first).replace(/^ *- /, "")})` };
  }
}

async function fetchMissing(name: OfficialName, { download, ...options }: LoadOptions): Promise<string> {
  if (download !== false) return fetchDataset(name, options);
  const { title, files } = catalog[name];
  throw new LconvError(
    "ERR_LCONV_IO",
    `${title} is on none of ${datasetFolders(name, options.root).join(", ")}; put ${files.map((file) => file.name).join(", ")} into the first, or set LCONV_DATA to the folder that holds ${name}/`,
  );
}

/** An archive is downloaded, unpacked and removed by one process; who waits for it waits for its members. */
async function fetchFile(file: RemoteFile, folder: string, { root: _, onProgress, ...options }: FetchOptions): Promise<void> {
  const path = join(folder, file.name);
  const members = new Map(Object.entries(file.members ?? {}).map(([member, name]) => [member, join(folder, name)]));
  const report = onProgress && { onProgress: (progress: DownloadProgress) => onProgress(file.name, progress) };
  const all: DownloadOptions = { ...options, ...report, size: file.size };
  await downloadOnce(path, members.size > 0 ? [...members.values()] : [path], all, async (signal) => {
    removeLitterOf(folder, [file.name, `${file.name}.part.json`, ...Object.values(file.members ?? {})]);
    if (file.unpacked !== undefined) checkSpace(path, missingBytes(path, file.size) + file.unpacked);
    await receiveFile(file.urls, path, file.checksum, { ...all, signal });
    if (members.size === 0) return;
    await extractTar(path, members, signal);
    rmSync(path, { force: true });
  });
}

const missingBytes = (path: string, size: number): number => (existsSync(path) ? 0 : Math.max(0, size - new PartFile(path).size));

async function readOfficial(name: OfficialName, folder: string): Promise<LoadedDataset> {
  const files = await catalog[name].read(folder, name);
  checkRaw(files.train);
  if (files.test) checkRaw(files.test);
  return { ...files, source: folder };
}
