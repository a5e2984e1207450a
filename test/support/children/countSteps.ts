// countSteps STEPS: counts the steps of a program on the device, and prints the count and the stats of the program as a JSON object.
import { stepAdvance } from "../../../src/ops/step.js";
import { record } from "../../../src/tensor/record.js";
import { tensor } from "../../../src/tensor/tensor.js";

const count = tensor(Int32Array.of(0));
const program = record(() => stepAdvance(count));
await program.run({ steps: Number(process.argv[2]) });
const { stats } = program;
program.dispose();
process.stdout.write(JSON.stringify({ count: count.item(), stats }));
