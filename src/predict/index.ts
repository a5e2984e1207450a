/** From a trained network to answers: loads it, and predicts raw samples. */
export type { Preparation } from "./forward.js";
export { type LoadModelOptions, loadModel, saveModel } from "./loadModel.js";
export { type Prediction, Predictor, type PredictorOptions } from "./predictor.js";
export type { RawSamples, RawValues } from "./samples.js";
