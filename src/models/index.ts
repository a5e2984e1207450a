export * from "./models.js";
export * from "./presets.js";
