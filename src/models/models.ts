import type { Device } from "../engine/device.js";
import { WeightSource } from "../nn/init.js";
import { Conv2d, Flatten, Linear, MaxPool2d, Reshape } from "../nn/layers.js";
import { LConv } from "../nn/lconv.js";
import { type Module, Sequential } from "../nn/module.js";
import { LConvMax, LConvStrided } from "../nn/pooling.js";
import { architecture, type LayerSpec, type ModelName } from "./architecture.js";
import type { InputSize, ModelOptions } from "./options.js";

export { type ModelName, modelNames } from "./architecture.js";
export { type InputSize, type ModelOptions, type Pool, pools } from "./options.js";

/** A classifier of the paper's comparison: one or two hidden layers, then a linear head; x [B, m, p q] -> logits [B, classes]. */
export class Classifier extends Sequential {
  /** Which model it is. */
  readonly name: ModelName;
  /** The layers before the head, from the input on. */
  readonly hidden: readonly Module[];
  /** The linear layer that gives the logits. */
  readonly head: Linear;
  /** The images it takes. */
  readonly input: InputSize;
  /** The options it was made with. */
  readonly options: ModelOptions;

  /** `makeModel` makes one. */
  constructor(
    name: ModelName,
    { hidden, head }: { hidden: readonly Module[]; head: Linear },
    { input, options }: { input: InputSize; options: ModelOptions },
  ) {
    super(...hidden, new Flatten(), head);
    this.name = name;
    this.hidden = hidden;
    this.head = head;
    this.input = input;
    this.options = options;
  }

  /** Number of trained values of the hidden layers alone; the head dominates every total. */
  layerParameterCount(): number {
    return this.hidden.reduce((n, layer) => n + layer.parameterCount(), 0);
  }

  /**
   * The L-conv layers, from the input on, with a maximum or without. Strided layers, which have no L_0 and no square L_i, are not among
   * them.
   */
  lconvLayers(): LConv[] {
    return this.hidden.filter((layer) => layer instanceof LConv);
  }
}

/**
 * The paper's models (section 4, Fig 2 and 3) on flattened images [B, m, d], with the authors' defaults: 32 filters, relu, 8 generators of rank 16.
 *   lconv          L-conv layers with learned low-rank generators
 *   lconv-random   the same, generators frozen as drawn
 *   cnn            convolutions without padding
 *   cnn-pool       each followed by 2 x 2 max pooling of stride 1
 *   fc             per layer d m -> (n_L + 1) d_h -> d filters, relu after both: L-conv's sizes without its sharing
 *   fc-shallow     one hidden layer, as wide as gives the parameter count of lconv with these options
 * `pool` changes the first two, whose layers have 2 n_L d d_h + (n_L + 1) m_in m_out + m_out values without it:
 *   max            LConvMax in place of LConv; the same values
 *   strided        behind each L-conv layer a LConvStrided from d to floor(d / stride) positions, with as many generators of the same rank:
 *                  n_L d_h (d + d_out) + n_L m_out^2 + m_out values more a layer, and all that follows has d_out positions. Behind, not in
 *                  place of it: the strided layer has no L_0, so alone it passes on only what its low rank holds, and it learns more slowly.
 * Throws ERR_LCONV_OPTION, ERR_LCONV_ARGUMENT.
 */
export function makeModel(name: ModelName, input: InputSize, device: Device, options: ModelOptions = {}): Classifier {
  const specs = architecture(name, input, options);
  const source = new WeightSource(device, options.seed ?? 0);
  const hidden = specs.hidden.map((spec) => makeLayer(source, spec)); // before the head: the order of the layers is that of the weights drawn
  const { channels, height, width, classes } = input; // a data set may be given, whose samples would be kept
  const layers = { hidden, head: makeLayer(source, specs.head) as Linear };
  return new Classifier(name, layers, { input: { channels, height, width, classes }, options: { ...options } });
}

function makeLayer(source: WeightSource, spec: LayerSpec): Module {
  switch (spec.layer) {
    case "lconv":
      return new LConv(source, spec.options);
    case "lconv-max":
      return new LConvMax(source, spec.options);
    case "lconv-strided":
      return new LConvStrided(source, spec.options);
    case "conv":
      return new Conv2d(source, spec.m_in, spec.m_out, spec.options);
    case "max-pool":
      return new MaxPool2d(spec.options);
    case "linear":
      return new Linear(source, spec.n_in, spec.n_out, spec.options);
    case "flatten":
      return new Flatten();
    case "reshape":
      return new Reshape(...spec.shape);
  }
}
