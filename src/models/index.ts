export * from "./equivariance.js";
export * from "./models.js";
export * from "./presets.js";
