import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type CifarLayout, cifar10, cifar100, cifarBytes, findCifarFile } from "./cifar.js";
import type { ImageShape } from "./dataset.js";
import { findIdxFile } from "./idx.js";

export interface Checksum {
  algorithm: "sha256" | "md5";
  hex: string;
}

/** A file at its official addresses, tried in turn. `members` maps names in a tar archive to the files they become. */
export interface RemoteFile {
  name: string;
  urls: readonly string[];
  size: number; // bytes
  checksum: Checksum;
  members?: Readonly<Record<string, string>>;
  unpacked?: number; // bytes of the members
}

export interface CatalogEntry {
  title: string;
  files: readonly RemoteFile[];
  /** Folders outside LCONV_DATA and the cache where a package may have put it. */
  systemFolders: readonly string[];
  /** Whether `folder` holds the training files. */
  isIn(folder: string): boolean;
}

export const officialNames = ["mnist", "fashion-mnist", "cifar10", "cifar100"] as const;
export type OfficialName = (typeof officialNames)[number];

const mnistMirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];
const fashionMirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"];
const cifarMirrors = ["https://www.cs.toronto.edu/~kriz/"];

/** Debian's package dataset-fashion-mnist. */
export const DEBIAN_FASHION = "/usr/share/datasets/fashion-mnist";

const idxIsIn = (folder: string): boolean =>
  ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"].every((file) => findIdxFile(folder, file) !== undefined);

const remote = (mirrors: readonly string[], name: string, size: number, algorithm: Checksum["algorithm"], hex: string): RemoteFile => ({
  name,
  urls: mirrors.map((mirror) => mirror + name),
  size,
  checksum: { algorithm, hex },
});

/** The archive of a CIFAR set: what it is called, and the folder in it. */
function cifarArchive(name: string, size: number, md5: string, folder: string, layout: CifarLayout): RemoteFile {
  return {
    ...remote(cifarMirrors, name, size, "md5", md5),
    members: Object.fromEntries([...layout.train, layout.test].map((file) => [`${folder}/${file}`, file])),
    unpacked: cifarBytes(layout),
  };
}

export const catalog: Readonly<Record<OfficialName, CatalogEntry>> = {
  mnist: {
    title: "MNIST",
    files: [
      remote(
        mnistMirrors,
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "sha256",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
      ),
      remote(
        mnistMirrors,
        "train-labels-idx1-ubyte.gz",
        28_881,
        "sha256",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
      ),
      remote(
        mnistMirrors,
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "sha256",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
      ),
      remote(
        mnistMirrors,
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "sha256",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
      ),
    ],
    systemFolders: [],
    isIn: idxIsIn,
  },
  "fashion-mnist": {
    title: "Fashion-MNIST",
    files: [
      remote(
        fashionMirrors,
        "train-images-idx3-ubyte.gz",
        26_421_880,
        "sha256",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
      ),
      remote(
        fashionMirrors,
        "train-labels-idx1-ubyte.gz",
        29_515,
        "sha256",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
      ),
      remote(
        fashionMirrors,
        "t10k-images-idx3-ubyte.gz",
        4_422_102,
        "sha256",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
      ),
      remote(
        fashionMirrors,
        "t10k-labels-idx1-ubyte.gz",
        5_148,
        "sha256",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
      ),
    ],
    systemFolders: [DEBIAN_FASHION],
    isIn: idxIsIn,
  },
  cifar10: {
    title: "CIFAR-10",
    files: [cifarArchive("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin", cifar10)],
    systemFolders: [],
    isIn: (folder) => cifar10.train.every((file) => findCifarFile(folder, file) !== undefined),
  },
  cifar100: {
    title: "CIFAR-100",
    files: [cifarArchive("cifar-100-binary.tar.gz", 168_513_733, "03b5dce01913d631647c71ecec9e9cb8", "cifar-100-binary", cifar100)],
    systemFolders: [],
    isIn: (folder) => cifar100.train.every((file) => findCifarFile(folder, file) !== undefined),
  },
};

const mnistShape: ImageShape = { count: 60_000, channels: 1, height: 28, width: 28, classes: 10 };
const cifarShape = ({ train, trainRecords, classes }: CifarLayout): ImageShape => ({
  count: train.length * trainRecords,
  channels: 3,
  height: 32,
  width: 32,
  classes,
});

/** What the training file of each named data set holds, known without it. */
export const imageShapes: Readonly<Record<OfficialName | "glyphs", ImageShape>> = {
  mnist: mnistShape,
  "fashion-mnist": mnistShape,
  cifar10: cifarShape(cifar10),
  cifar100: cifarShape(cifar100),
  glyphs: { ...mnistShape, count: 12_000 },
};

/** XDG_CACHE_HOME/lconv or ~/.cache/lconv; a relative XDG_CACHE_HOME does not count, as its standard says. */
export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return base?.startsWith("/") ? join(base, "lconv") : join(homedir(), ".cache", "lconv");
}

/** The folders that hold a folder for each data set, first the one that downloads go to. `root` stands before LCONV_DATA. */
export function dataRoots(root?: string): string[] {
  const chosen = root ?? process.env["LCONV_DATA"];
  return chosen ? [resolve(chosen), cacheFolder()] : [cacheFolder()];
}

/** Where `name` may lie, best first. */
export const datasetFolders = (name: OfficialName, root?: string): string[] => [
  ...dataRoots(root).map((folder) => join(folder, name)),
  ...catalog[name].systemFolders,
];

/** The folder where `name` lies now, or undefined. */
export const findDataset = (name: OfficialName, root?: string): string | undefined =>
  datasetFolders(name, root).find((folder) => existsSync(folder) && catalog[name].isIn(folder));
