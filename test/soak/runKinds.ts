export const kinds = ["train", "compare"] as const;
export type Kind = (typeof kinds)[number];

/** A run of `lconv train` or `lconv compare`: what begins it and goes on with it, and the folders in its folder that hold a checkpoint and a model. */
export interface RunKind {
  begin: readonly string[];
  resume: readonly string[];
  parts: readonly string[];
}

const data = ["--dataset", "tiny.npz", "--variant", "default", "--batch", "4", "--generators", "2", "--rank", "4", "--filters", "4"];
const often = ["--checkpoint-seconds", "0"];
const own = {
  train: { sizes: ["--epochs", "200"], parts: ["."] },
  compare: { sizes: ["--epochs", "100", "--cnn-filters", "4"], parts: ["lconv", "cnn"] },
};

/** A run into `folder` on the images in tiny.npz that takes some seconds and writes hundreds of checkpoints. */
export function runOf(kind: Kind, seed: number, folder: string): RunKind {
  const { sizes, parts } = own[kind];
  return {
    begin: [kind, ...data, ...sizes, "--seed", String(seed), "--out", folder, ...often],
    resume: [kind, "--resume", folder, ...often],
    parts,
  };
}
