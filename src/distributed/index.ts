/**
 * Several processes that train one network: `init` finds them, `fit` with the option `group` trains by them, `ops.allReduce` adds up over them.
 *
 * @module
 */
export type { Connection } from "./connect.js";
export { type Agreement, Group, type InitOptions, init } from "./group.js";
