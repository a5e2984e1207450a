/** What a training run tells its caller while it goes; plain data, safe to print as JSON. A metric that was not measured is null. */
export type TrainEvent = StepEvent | EpochEvent | CheckpointEvent | FallbackEvent | DoneEvent;

/** After each chunk of steps, about ten a second. */
export interface StepEvent {
  type: "step";
  model: string;
  epoch: number; // 1..epochs, the epoch of the last step
  epochs: number;
  step: number; // steps done in the whole run, those before a resume included
  steps: number; // steps of the whole run
  loss: number; // mean over the steps of the chunk
  samplesPerSecond: number;
}

/** After each epoch and its validation. */
export interface EpochEvent {
  type: "epoch";
  model: string;
  epoch: number;
  epochs: number;
  loss: number; // mean over the epoch
  accuracy: number; // on the training batches, in [0, 1]
  valLoss: number | null;
  valAccuracy: number | null;
  seconds: number; // of this epoch
  learningRate: number; // at its last step
}

/** After a checkpoint was renamed into its place. */
export interface CheckpointEvent {
  type: "checkpoint";
  model: string;
  path: string;
  step: number;
}

/** When a run goes on from the checkpoint before the last one, because the last one is damaged. */
export interface FallbackEvent {
  type: "fallback";
  model: string;
  path: string; // what was used
  step: number; // where it goes on
  reason: string; // which file is damaged, and how
}

/** Once, at the end. */
export interface DoneEvent {
  type: "done";
  model: string;
  valAccuracy: number | null; // after the last epoch
  bestValAccuracy: number | null; // greatest over the epochs
  testAccuracy: number | null; // on the official test file
  trainAccuracy: number | null;
  params: number;
  layerParams: number; // those before the classifier
  seconds: number;
  samplesPerSecond: number;
  peakRssBytes: number;
  device: string;
}
