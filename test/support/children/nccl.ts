// NCCL as the engine opens it: its version and path, and two ids.
import { native } from "../../../src/engine/native.js";

const { version, path } = native().ncclLibrary();
console.log(JSON.stringify({ version, path, ids: [[...native().ncclId()], [...native().ncclId()]] }));
