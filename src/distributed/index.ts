/**
 * Several processes that train one network: `init` finds them, `fit` with the option `group` trains by them, `ops.allReduce` adds up over them.
 *
 * @module
 */

export type { Agreement } from "./calls.js";
export type { Connection } from "./connect.js";
export { Group, type InitOptions, init } from "./group.js";
