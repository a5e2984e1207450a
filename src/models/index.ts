/**
 * The paper's classifiers, familiar layers as L-conv layers, and what keeps a layer from being equivariant.
 *
 * @module
 */
export * from "./asLConv.js";
export * from "./equivariance.js";
export * from "./models.js";
