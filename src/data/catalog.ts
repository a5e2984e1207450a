import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { cacheFolder } from "../engine/places.js";
import { type CifarLayout, cifar10, cifar100, cifarBytes, isCifarIn, readCifar } from "./cifar.js";
import type { DatasetFiles, ImageShape } from "./dataset.js";
import { glyphsShape } from "./glyphs.js";
import { idxFiles, isIdxIn, readIdx } from "./idx.js";

/** Checksum of a file. */
export interface Checksum {
  /** How it is computed. */
  algorithm: "sha256" | "md5";
  /** In lower-case hexadecimal digits. */
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

/** A data set with official files: all that the rest of the program knows about it. */
export interface CatalogEntry {
  title: string;
  /** What the training file holds, known without it. */
  shape: ImageShape;
  files: readonly RemoteFile[];
  /** Folders outside LCONV_DATA and the cache where a package may have put it. */
  systemFolders: readonly string[];
  /** Whether `folder` holds the training files. */
  isIn(folder: string): boolean;
  /** Reads the files in `folder`; samples are named after `name`. Throws ERR_LCONV_IO, ERR_LCONV_FORMAT, ERR_LCONV_DATA. */
  read(folder: string, name: string): Promise<DatasetFiles>;
}

const mnistMirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];
const fashionMirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"];
const cifarMirrors = ["https://www.cs.toronto.edu/~kriz/"];

/** Debian's package dataset-fashion-mnist. */
export const DEBIAN_FASHION = "/usr/share/datasets/fashion-mnist";

/** The data sets by name. A new entry is all that a data set needs. */
export const catalog = {
  mnist: idxSet("MNIST", mnistMirrors, [
    [9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"],
    [28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"],
    [1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"],
    [4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"],
  ]),
  "fashion-mnist": {
    ...idxSet("Fashion-MNIST", fashionMirrors, [
      [26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"],
      [29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"],
      [4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"],
      [5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"],
    ]),
    systemFolders: [DEBIAN_FASHION],
  },
  cifar10: cifarSet("CIFAR-10", cifar10, {
    ...remote(cifarMirrors, "cifar-10-binary.tar.gz", 170_052_171, "md5", "c32a1d4ab5d03f1284b67883e8d87530"),
    ...cifarMembers(cifar10, "cifar-10-batches-bin"),
  }),
  cifar100: cifarSet("CIFAR-100", cifar100, {
    ...remote(cifarMirrors, "cifar-100-binary.tar.gz", 168_513_733, "md5", "03b5dce01913d631647c71ecec9e9cb8"),
    ...cifarMembers(cifar100, "cifar-100-binary"),
  }),
} satisfies Record<string, CatalogEntry>;

/** Name of a data set with official files. */
export type OfficialName = keyof typeof catalog;
export const officialNames = Object.keys(catalog) as readonly OfficialName[];
export const isOfficial = (name: string): name is OfficialName => Object.hasOwn(catalog, name);

/** Names of the data sets that `loadDataset` takes; anything else is the path of a folder of .npy files or of an .npz archive. */
export const datasetNames = [...officialNames, "glyphs"] as const;
/** One of `datasetNames`. */
export type DatasetName = (typeof datasetNames)[number];

/** What the training file of each of them holds, known without it. */
export const imageShapes = {
  ...Object.fromEntries(Object.entries(catalog).map(([name, { shape }]) => [name, shape])),
  glyphs: glyphsShape,
} as Readonly<Record<DatasetName, ImageShape>>;

function remote(mirrors: readonly string[], name: string, size: number, algorithm: Checksum["algorithm"], hex: string): RemoteFile {
  return { name, urls: mirrors.map((mirror) => mirror + name), size, checksum: { algorithm, hex } };
}

/** A set in the four IDX files of MNIST; `files` are the size and the SHA-256 of each when compressed, in the order of `idxFiles`. */
function idxSet(
  title: string,
  mirrors: readonly string[],
  files: readonly [size: number, sha256: string][],
  shape: ImageShape = { count: 60_000, channels: 1, height: 28, width: 28, classes: 10 },
): CatalogEntry {
  return {
    title,
    shape,
    files: files.map(([size, sha256], i) => remote(mirrors, `${idxFiles[i]}.gz`, size, "sha256", sha256)),
    systemFolders: [],
    isIn: isIdxIn,
    read: (folder, name) => readIdx(folder, name, shape.classes),
  };
}

/** A CIFAR set in the archive `file`. */
function cifarSet(title: string, layout: CifarLayout, file: RemoteFile): CatalogEntry {
  const count = layout.train.length * layout.trainRecords;
  return {
    title,
    shape: { count, channels: 3, height: 32, width: 32, classes: layout.classes },
    files: [file],
    systemFolders: [],
    isIn: (folder) => isCifarIn(folder, layout),
    read: (folder, name) => readCifar(folder, name, layout),
  };
}

/** What an archive of a CIFAR set holds in `folder`. */
function cifarMembers(layout: CifarLayout, folder: string): Pick<RemoteFile, "members" | "unpacked"> {
  const members = Object.fromEntries([...layout.train, layout.test].map((file) => [`${folder}/${file}`, file]));
  return { members, unpacked: cifarBytes(layout) };
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
