/** Events of a training run; plain data that can be printed as JSON. A metric that was not measured is null. */
export type TrainEvent = StepEvent | EpochEvent | CheckpointEvent | FallbackEvent | DoneEvent;

/** After each chunk of steps, about ten times a second. */
export interface StepEvent {
  /** Tells the events apart. */
  type: "step";
  /** Name of the run, from the option `name`. */
  model: string;
  /** The epoch of the last step, from 1 on. */
  epoch: number;
  /** Number of epochs of the run. */
  epochs: number;
  /** Steps done in the whole run, those before a resume included. */
  step: number;
  /** Steps of the whole run. */
  steps: number;
  /** Mean cross-entropy over the steps of the chunk. */
  loss: number;
  /** Training samples per second in this chunk. */
  samplesPerSecond: number;
}

/** After each epoch and its validation. */
export interface EpochEvent {
  /** Tells the events apart. */
  type: "epoch";
  /** Name of the run, from the option `name`. */
  model: string;
  /** Number of the epoch, from 1 on. */
  epoch: number;
  /** Number of epochs of the run. */
  epochs: number;
  /** Mean cross-entropy over the epoch. */
  loss: number;
  /** Accuracy on the training batches, in [0, 1]. */
  accuracy: number;
  /** Mean cross-entropy on the validation samples; null if there are none. */
  valLoss: number | null;
  /** Accuracy on the validation samples, in [0, 1]; null if there are none. */
  valAccuracy: number | null;
  /** Accuracy on the test samples, in [0, 1], of an epoch whose validation accuracy exceeds that of all before it; null for the others, or without test samples. */
  testAccuracy: number | null;
  /** Duration of this epoch with its validation. */
  seconds: number;
  /** Learning rate of its last step. */
  learningRate: number;
}

/** After a checkpoint was renamed into its place. */
export interface CheckpointEvent {
  /** Tells the events apart. */
  type: "checkpoint";
  /** Name of the run, from the option `name`. */
  model: string;
  /** The file. */
  path: string;
  /** Steps done in the whole run. */
  step: number;
}

/** When a run resumes from the checkpoint before the last one, because the last one is damaged. */
export interface FallbackEvent {
  /** Tells the events apart. */
  type: "fallback";
  /** Name of the run, from the option `name`. */
  model: string;
  /** The file that was read. */
  path: string;
  /** Steps done up to it. */
  step: number;
  /** Which file is damaged, and how. */
  reason: string;
}

/** The final metrics. */
export interface DoneEvent {
  /** Tells the events apart. */
  type: "done";
  /** Name of the run, from the option `name`. */
  model: string;
  /** Accuracy on the validation samples after the last epoch, in [0, 1]; null if there are none. */
  valAccuracy: number | null;
  /** The greatest validation accuracy of all epochs; null if there are no validation samples. */
  bestValAccuracy: number | null;
  /** Accuracy on the test samples after the last epoch, in [0, 1]; null if there are none. */
  testAccuracy: number | null;
  /** Accuracy on the test samples after the first epoch of the greatest validation accuracy, in [0, 1]: the epoch is chosen without them. Null if either are missing. */
  chosenTestAccuracy: number | null;
  /** Accuracy on the training batches of the last epoch, in [0, 1]. */
  trainAccuracy: number | null;
  /** Number of trained values. */
  params: number;
  /** Number of trained values before the classifier's head; 0 for other models. */
  layerParams: number;
  /** Training and validation time of the whole run, in seconds. */
  seconds: number;
  /** Training samples per second since the run began or was resumed. */
  samplesPerSecond: number;
  /** The most memory of the process so far, in bytes. */
  peakRssBytes: number;
  /** Name of the device. */
  device: string;
}
