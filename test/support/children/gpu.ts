// gpu DEVICE: the same small program twice on a device and once on the CPU; prints the sum or the error of each as one JSON object.
import { native } from "../../../src/engine/native.js";
import { LconvError } from "../../../src/errors.js";

const n = 64;

async function attempt(name: string): Promise<{ sum?: number; code?: string; message?: string }> {
  try {
    return { sum: await work(name) };
  } catch (error) {
    if (!(error instanceof LconvError)) throw error;
    return { code: error.code, message: error.message };
  }
}

/** The sum of a * a, as a program of a product and a reduction. Nothing of the device is left, whatever happens. */
async function work(name: string): Promise<number> {
  const { gemm, sum } = native().ops;
  const device = native().openDevice(name, 1, 0);
  try {
    const [a, total] = [device.alloc(4 * n * n, 0), device.alloc(4, 0)];
    device.write(
      a,
      Float32Array.from({ length: n * n }, (_, i) => (i % 7) / 8),
    );
    device.execute(sum, [a, 0, total, 0], [1, n * n, 1, 1]);
    device.beginRecord();
    const product = device.alloc(4 * n * n, 0);
    device.execute(gemm, [a, 0, a, 0, product, 0], [1, n, n, n, n, n, n, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    device.execute(sum, [product, 0, total, 0], [1, n * n, 1, 1]);
    const program = device.endRecord([]);
    try {
      await program.run(3);
    } finally {
      program.dispose();
    }
    const result = new Float32Array(1);
    device.read(total, result, 0);
    return result[0];
  } finally {
    device.dispose();
  }
}

const [, , name] = process.argv;
process.stdout.write(JSON.stringify({ first: await attempt(name), second: await attempt(name), cpu: await attempt("cpu") }));
