import { variants } from "../../data/transform.js";
import { NETWORKS, TOLERANCE } from "../../discover/data.js";
import { channelModes } from "../../discover/pairs.js";
import { authorsExperiments, SIZE } from "../../experiments/discover/authors.js";
import { truthNames } from "../../experiments/discover/truths.js";
import { deviceFlag, progressFlag, threadsFlag } from "../run/flags.js";
import { choice, fraction, type Given, integer, type Kind, text, toggle } from "../terminal/flags.js";

const experimentNames = [...authorsExperiments, ...truthNames] as const;

const count = integer(1, 64);

/** A number, or "auto". */
const orAuto = (of: Kind<number>): Kind<number | "auto"> => ({
  what: `${of.what}, or auto`,
  is: (x): x is number | "auto" => x === "auto" || of.is(x),
  read: (value) => (value === "auto" ? value : of.read(value)),
});

/** A number of generators, or "auto". */
const countOrAuto = orAuto(count);

/** A number of components, or "auto". */
const componentsOrAuto: Kind<number | "auto"> = orAuto(integer(2, 2048));

export const discoverFlags = {
  experiment: { value: "NAME", kind: choice(experimentNames), help: `problem with a known symmetry: ${experimentNames.join(", ")}` },
  pairs: {
    value: "PATH",
    kind: text("a file or folder"),
    help: ".npz file or folder of .npy files with pairs x and y = g x, where g is unknown and differs from pair to pair",
  },
  data: { value: "PATH", kind: text("a file or folder"), help: ".npz file or folder of .npy files with labelled samples x and y" },
  distribution: {
    value: "DATA",
    kind: text("a file, a folder or a data set"),
    help: ".npz file or folder of .npy files with samples x alone, or a data set of lconv train; finds what keeps their distribution, by its moments",
  },
  run: {
    value: "DIR",
    kind: text("a folder"),
    help: "folder of a run of lconv train; examines the generators of its layers and the network as a function",
  },
  size: { value: "SIDE", kind: integer(3, 32), help: "fixed-rot, random-rot: side of the images", default: SIZE },
  angle: {
    value: "ANGLE",
    kind: text("an angle such as pi/10 or 0.3", /^(\d*\.?\d+|pi(\/\d+)?)$/),
    help: "fixed-rot: the angle, random-rot: the largest angle; in radians, or such as pi/10",
  },
  samples: {
    value: "N",
    kind: integer(64),
    help: "fixed-rot, random-rot: images (default: 50,000); --distribution: the first N samples (default: all)",
  },
  epochs: {
    value: "N",
    kind: integer(1, 100_000),
    help: "passes over the samples (default: 20; for --data as many as make 4,000 steps, 250 at most)",
  },
  generators: {
    value: "N",
    kind: countOrAuto,
    help: "--pairs: number of generators; auto: the smallest number that more generators do not improve on held-out pairs",
    default: 1,
  },
  channels: {
    value: "KIND",
    kind: choice(channelModes),
    help: "--pairs: shared (one g moves all channels of a sample) or separate (each channel has another g)",
    default: "shared",
  },
  output: {
    value: "KIND",
    kind: choice(["invariant", "equivariant"]),
    help: "--data: invariant (labels do not change under the symmetry) or equivariant (they change linearly)",
    default: "invariant",
  },
  variant: {
    value: "NAME",
    kind: choice(variants),
    help: `--distribution: transformation of the images, as of lconv train: ${variants.join(", ")}`,
  },
  components: {
    value: "K",
    kind: componentsOrAuto,
    help: "--distribution: principal directions that are kept; auto: all up to 40, else up to 40 that end at a gap of their variances",
    default: "auto",
  },
  moments: {
    value: "ORDERS",
    kind: text("2,3 or 2,4 or 2,3,4", /^(2,)?(3|4|3,4)$/),
    help: "--distribution: orders of the cumulants (default: 2,3,4; with more than 40 components 2,3, or 2,3,4 where the third shows nothing; 4 with up to 103)",
  },
  labels: { value: "", kind: toggle, help: "--distribution: look for what keeps the distribution of each class, by labels y of the data" },
  weights: {
    value: "",
    kind: toggle,
    help: "--distribution: samples count by the array w (or weights) of the data, numbers of at least 0",
  },
  robust: {
    value: "",
    kind: toggle,
    help: "--distribution: draw in samples far out, where tails are so heavy that few samples decide the moments",
  },
  affine: { value: "", kind: toggle, help: "--data, --pairs: look for x -> L x + c, too; generators then act on (x, 1)" },
  networks: {
    value: "N",
    kind: integer(1, 100),
    help: "--data: networks to fit, each to a bootstrap sample; an error bar requires at least 3",
    default: NETWORKS,
  },
  within: { value: "NAME", kind: text("a name"), help: "--data, --run: search only among these generators, such as affine (for images)" },
  grid: {
    value: "P,Q",
    kind: text("sizes with commas", /^\d+(,\d+)*$/),
    help: "--pairs, --data, --distribution: sizes of the grid that the positions form, such as 28,28",
  },
  known: {
    value: "A,B",
    kind: text("names with commas"),
    help: "compare with these algebras: so2, translations, se2, scaling, affine, so(3), ...",
  },
  tolerance: {
    value: "T",
    kind: fraction(0, 1, true),
    help: "--data, --run: largest residual of a symmetry; --distribution: largest share of the change of the moments that may remain (default there: 0.15)",
    default: TOLERANCE,
  },
  seed: { value: "N", kind: integer(0, Number.MAX_SAFE_INTEGER), help: "first seed", default: 0 },
  seeds: { value: "N", kind: integer(1, 100), help: "number of seeds (default: 1 for fixed-rot and random-rot, else 5)" },
  out: {
    value: "DIR",
    kind: text("a folder"),
    help: "write generators.safetensors, generators.npz, symmetries.json and report.html there",
  },
  device: deviceFlag,
  threads: threadsFlag,
  progress: progressFlag,
} as const;

export type DiscoverValues = Given<typeof discoverFlags>;
