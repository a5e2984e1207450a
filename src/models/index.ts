export * from "./asLConv.js";
export * from "./equivariance.js";
export * from "./models.js";
