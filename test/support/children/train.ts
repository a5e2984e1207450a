// train STEPS SEED: prints the digest of the weights, the weights, stats and arena of the program and what it ran on, as one JSON object.
import { native } from "../../../src/engine/native.js";
import { smallTraining } from "../smallTraining.js";

const [steps, seed] = process.argv.slice(2).map(Number);
const training = smallTraining(seed);
const program = training.program();
await program.run({ steps });
const { stats, arenaBytes } = program;
process.stdout.write(
  JSON.stringify({ digest: training.digest(), weights: [...training.weights()], stats, arenaBytes, info: native().info() }),
);
