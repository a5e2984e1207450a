import type { Device } from "../../src/engine/device.js";

/** Multiply-adds of one command: of products, channel mixing, sparse matrices and convolutions (taps on padding included), else 0. */
function multiplyAdds(op: string, attributes: readonly number[]): number {
  const product = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1);
  if (op === "gemm") return product(attributes.slice(0, 4));
  if (op.startsWith("mixChannels")) return product(attributes.slice(0, 5));
  if (op === "expand") {
    const [B, r, d, m, o] = attributes;
    return B * o * d * (r + m);
  }
  if (op === "decodeContract") {
    const [B, n_L, d_h, d, m, o] = attributes;
    return B * m * d * (n_L * d_h + (n_L + 1) * o);
  }
  if (op === "sparseApply") return product([attributes[0], attributes[1], attributes[4]]);
  if (!op.startsWith("conv2d")) return 0;
  const [B, m, o, p, q, k_p, k_q, pad] = attributes;
  return product([B, m, o, k_p, k_q, p + 2 * pad - k_p + 1, q + 2 * pad - k_q + 1]);
}

/** Multiply-adds of all that `work` performs on `device`, from the sizes of its commands. */
export function countMultiplyAdds(device: Device, work: () => void): number {
  let count = 0;
  const execute = device.execute.bind(device);
  device.execute = (op, attributes, operands) => {
    count += multiplyAdds(op, attributes);
    execute(op, attributes, operands);
  };
  try {
    work();
  } finally {
    delete (device as Partial<Device>).execute; // the method of the class again
  }
  return count;
}
