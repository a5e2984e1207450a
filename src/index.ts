/**
 * Lie algebra convolutional networks that learn the symmetries of their data, trained by a native engine for Node.
 *
 * Tensors, operations and layers run on a device, the CPU or an NVIDIA GPU; generators and their algebra (`lie`) are on the host in
 * float64. Errors are LconvErrors with a stable code. The symbols are the paper's: `h` [B, m, d] are samples with m channels and d positions,
 * `L_i` the n_L generators, `L_0 = I`, `U` and `V` their factors of rank d_h, `W` [n_L + 1, m_in, m_out] the weights, `b` [m_out] the bias.
 *
 * @packageDocumentation
 */
export { backward, gradients, noGrad } from "./autograd/autograd.js";
export * as data from "./data/index.js";
export * as discover from "./discover/index.js";
export * as distributed from "./distributed/index.js";
export type { BuildInfo, DeviceInfo, GroupTraffic, MemoryInfo, ProgramStats } from "./engine/addon.js";
export type { Pieces } from "./engine/breathe.js";
export { type Device, type DeviceOptions, type DType, device, type HostArray, type Precision, type Ref } from "./engine/device.js";
export type { Program, RunOptions } from "./engine/program.js";
export { Philox, streams } from "./engine/random.js";
export { type ErrorCode, LconvError } from "./errors.js";
export * as io from "./io/index.js";
export * as models from "./models/index.js";
export * as lie from "./moments/index.js";
export * as nn from "./nn/index.js";
export * as ops from "./ops/index.js";
export * as optim from "./optim/index.js";
export {
  type LoadModelOptions,
  loadModel,
  type Prediction,
  Predictor,
  type PredictorOptions,
  type Preparation,
  type RawSamples,
  type RawValues,
  saveModel,
} from "./predict/index.js";
export type { EpochMetrics } from "./report/curves.js";
export type { DenseGenerators, GeneratorLayer, LowRankGenerators } from "./report/generators.js";
export { type ModelReport, type ReportInput, renderReport, type SampleImages } from "./report/html.js";
export type { PageHead } from "./report/page.js";
export { saveSymmetries } from "./report/saveSymmetries.js";
export { renderSymmetries } from "./report/symmetries.js";
export { type RandomOptions, rand, randn } from "./tensor/random.js";
export { record } from "./tensor/record.js";
export { scope } from "./tensor/scope.js";
export type { Shape } from "./tensor/shape.js";
export { full, keep, type Nested, ones, Tensor, type TensorOptions, tensor, zeros } from "./tensor/tensor.js";
export { Augment, type AugmentOptions, type DeviceAugment } from "./train/augment.js";
export { type Evaluation, evaluate } from "./train/evaluate.js";
export type { CheckpointEvent, DoneEvent, EpochEvent, FallbackEvent, StepEvent, TrainEvent } from "./train/events.js";
export { type FitData, type FitResult, fit, train } from "./train/fit.js";
export type { FitOptions } from "./train/options.js";
export { type DeviceData, type HostData, type Samples, upload } from "./train/samples.js";
