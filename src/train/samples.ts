import { checkFinite } from "../data/dataset.js";
import { type Device, device as deviceOf } from "../engine/device.js";
import { check, clip, showShape } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import { keep, Tensor, tensor } from "../tensor/tensor.js";

/** Samples on the host. */
export interface HostData {
  /** [N, m, d] */
  x: Float32Array;
  /** [N], class numbers from 0 on. */
  labels: Int32Array;
  /** Number of samples, N. */
  count: number;
  /** Number of channels, m. */
  channels: number;
  /** Height in pixels, p; d = p q. */
  height: number;
  /** Width in pixels, q. */
  width: number;
}

/** Samples on a device, from `upload`. */
export interface DeviceData {
  /** [N, m, d] */
  x: Tensor;
  /** int32 [N] */
  labels: Tensor;
  /** The greatest label and one, from `upload`; without it labels are not compared with the outputs of the model. */
  leastClasses?: number;
}

/** Samples on the host, or on the device, where several runs may share them. */
export type Samples = HostData | DeviceData;

/** Whether samples are on the host. Throws ERR_LCONV_ARGUMENT for what is neither there nor on a device. */
function onHost(samples: Samples): samples is HostData {
  const given = typeof samples === "object" && samples !== null && "x" in samples && "labels" in samples;
  check(
    given,
    "ERR_LCONV_ARGUMENT",
    () => `samples are { x, labels, count, channels, height, width }, or what upload() returned; got ${clip(String(samples))}`,
  );
  return "count" in samples;
}

export const countOf = (samples: Samples): number => (onHost(samples) ? samples.count : samples.x.shape[0]);

/** A checksum by which other samples of the same number are recognised; undefined for samples on the device. */
export const checksumOf = (samples: Samples): string | undefined => (onHost(samples) ? crc32Of(samples.labels, samples.x) : undefined);

/**
 * Copies samples to `device` (default `device()`); dispose of both tensors afterwards.
 * Throws ERR_LCONV_DATA if there are none, for a value that is not finite and for a negative label, ERR_LCONV_SHAPE if sizes do not fit,
 * ERR_LCONV_DTYPE for other arrays, ERR_LCONV_OOM.
 */
export function upload({ x, labels, count, channels, height, width }: HostData, device: Device = deviceOf()): DeviceData {
  const shape = [count, channels, height * width];
  check(count > 0, "ERR_LCONV_DATA", () => "there are no samples to work on");
  check(
    x.length === count * channels * height * width && labels.length === count,
    "ERR_LCONV_SHAPE",
    () => `samples ${showShape(shape)} do not fit ${x.length} pixels and ${labels.length} labels`,
  );
  check(
    x instanceof Float32Array && labels instanceof Int32Array,
    "ERR_LCONV_DTYPE",
    () =>
      `samples are a Float32Array x and Int32Array labels, got ${x.constructor.name} and ${labels.constructor.name}; convert with Float32Array.from, Int32Array.from`,
  );
  checkFinite("samples", x, channels * height * width);
  const leastClasses = checkLabels(labels);
  return { x: keep(tensor(x, { shape, device })), labels: keep(tensor(labels, { device })), leastClasses };
}

/** The greatest label and one. */
function checkLabels(labels: Int32Array): number {
  let most = -1;
  labels.forEach((label, i) => {
    check(label >= 0, "ERR_LCONV_DATA", () => `sample ${i} has label ${label}; labels count from 0`);
    if (label > most) most = label;
  });
  return most + 1;
}

/** Throws ERR_LCONV_SHAPE for samples on the device that are not x [N, m, d] with one label each, as upload() makes them. */
function checkUploaded(data: DeviceData): DeviceData {
  const { x, labels } = data;
  const fits = x instanceof Tensor && labels instanceof Tensor && x.rank === 3 && labels.dtype === "int32" && labels.size === x.shape[0];
  const got = (t: unknown): string => (t instanceof Tensor ? `${t.dtype} ${showShape(t.shape)}` : String(t));
  check(
    fits,
    "ERR_LCONV_SHAPE",
    () => `samples on a device are x [N, m, d] and labels int32 [N], as upload() makes them; got x ${got(x)} and labels ${got(labels)}`,
  );
  return data;
}

/** Samples on the device, copied there where they are not; `owned` is what to dispose of then. */
export function onDevice(samples: Samples, device?: Device): { data: DeviceData; owned?: { dispose(): void } } {
  if (!onHost(samples)) return { data: checkUploaded(samples) };
  const data = upload(samples, device);
  return { data, owned: { dispose: () => disposeData(data) } };
}

export function disposeData(data: DeviceData): void {
  data.x.dispose();
  data.labels.dispose();
}
