// train STEPS SEED: prints the digest of the weights, the weights and what they were computed with, as one JSON object.
import { native } from "../../../src/engine/native.js";
import { smallTraining } from "../smallTraining.js";

const [steps, seed] = process.argv.slice(2).map(Number);
const training = smallTraining(seed);
await training.program().run({ steps });
process.stdout.write(JSON.stringify({ digest: training.digest(), weights: [...training.weights()], info: native().info() }));
