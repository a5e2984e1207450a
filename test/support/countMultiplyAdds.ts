import type { Device } from "../../src/engine/device.js";

/** Multiply-adds of every matrix product that `work` performs on `device`, from the sizes of its commands. */
export function countMultiplyAdds(device: Device, work: () => void): number {
  let count = 0;
  const execute = device.execute.bind(device);
  device.execute = (op, attributes, operands) => {
    const sizes = op === "gemm" ? attributes.slice(0, 4) : op.startsWith("mixChannels") ? attributes.slice(0, 5) : [0];
    count += sizes.reduce((product, size) => product * size, 1);
    execute(op, attributes, operands);
  };
  try {
    work();
  } finally {
    delete (device as Partial<Device>).execute; // the method of the class again
  }
  return count;
}
