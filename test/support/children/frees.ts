// frees DEVICE: gives large blocks back while a program runs and while commands are queued; prints the free bytes of the device at the end and before.
import { setTimeout as pause } from "node:timers/promises";
import { native } from "../../../src/engine/native.js";

const [, , name] = process.argv;
const beyondThePool = 257 * 2 ** 20;
const { sum } = native().ops;
const device = native().openDevice(name, 1, 0);
const [x, total] = [device.alloc(4096, 0), device.alloc(4, 0)];
device.write(x, new Float32Array(1024).fill(1));
const command = (): void => device.execute(sum, [x, 0, total, 0], [1, 1024, 1, 1]);
device.beginRecord();
command();
const program = device.endRecord([]);
const before = device.info().freeBytes;

const block = device.alloc(beyondThePool, 0);
const run = program.run(1e9);
await pause(200);
device.free(block);
program.stop();
const steps = await run;

const other = device.alloc(beyondThePool, 0);
command();
device.free(other);
const result = new Float32Array(1);
device.read(total, result, 0);
const after = device.info().freeBytes;
process.stdout.write(JSON.stringify({ steps, result: result[0], before, after }));
program.dispose();
device.dispose();
