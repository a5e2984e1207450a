import { type Device, device } from "../../src/engine/device.js";
import { type ErrorCode, LconvError } from "../../src/errors.js";

const absent: readonly ErrorCode[] = [
  "ERR_LCONV_CUDA_NO_DRIVER",
  "ERR_LCONV_CUDA_NO_GPU",
  "ERR_LCONV_CUDA_HIDDEN",
  "ERR_LCONV_CUDA_MODULE",
];

/** The devices of this machine; a device that is not there is left out, any other fault is a fault. */
const devices: readonly Device[] = ["cpu", "cuda"].flatMap((name) => {
  try {
    return [device(name)];
  } catch (error) {
    if (error instanceof LconvError && absent.includes(error.code)) return [];
    throw error;
  }
});

type Suite = (name: string, body: () => void | Promise<void>) => void;

/** Registers one test a device: "cpu: name". */
export function everyDevice(test: Suite, name: string, body: (device: Device) => void | Promise<void>): void {
  for (const on of devices) test(`${on.name}: ${name}`, () => body(on));
}
