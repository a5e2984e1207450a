/**
 * Layers with named parameters, and their initial weights.
 *
 * @module
 */
export { Activate, type Activation, type ActivationName, activationNames } from "./activation.js";
export { type Fans, fansOf, type Initializer, initializers, WeightSource } from "./init.js";
export { Conv2d, type Conv2dOptions, Flatten, Linear, type LinearOptions, MaxPool2d, Reshape } from "./layers.js";
export { type GeneratorSpec, LConv, type LConvOptions } from "./lconv.js";
export { Module, type ParameterValues, Sequential, type Weights, type WeightsEntry } from "./module.js";
export { OrbitPool, type OrbitPoolOptions } from "./orbitPool.js";
export { LConvMax, LConvStrided, type LConvStridedOptions } from "./pooling.js";
