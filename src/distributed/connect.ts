import { type Device, graphSettings } from "../engine/device.js";
import { native } from "../engine/native.js";
import { check, LconvError } from "../errors.js";
import type { Calls } from "./calls.js";

/** How the sums of tensors of a device come about. */
export interface Connection {
  /** "none" for a process alone. */
  way: "none" | "mpi" | "nccl";
  /** Why GPUs have no NCCL, where that is so. */
  fault?: string;
}

/** See Group.connect; for a group of more than one. */
export async function connect(group: Calls, device: Device): Promise<Connection> {
  const gpus = device.asynchronous;
  const [some, none] = await group.agree([Number(gpus), -Number(gpus)], "max");
  check(
    some === -none,
    "ERR_LCONV_RANKS",
    () =>
      `rank ${group.rank} computes on ${device.name}, and others on ${gpus ? "the CPU" : "GPUs"}; take the device cpu, or no more ranks on a host than it has GPUs`,
  );
  if (!gpus) return { way: "mpi" };
  const fault = await faultOfNccl(group);
  await checkGraphs(group);
  const id = fault === undefined ? await idOfRank0(group) : undefined;
  await together(group, () => device.joinGroup(id));
  return fault === undefined ? { way: "nccl" } : { way: "mpi", fault };
}

/** Why the ranks cannot use NCCL; undefined where all can. Throws ERR_LCONV_RANKS where their versions differ. */
async function faultOfNccl(group: Calls): Promise<string | undefined> {
  let version = 0;
  let fault = "";
  try {
    version = native().ncclLibrary().version;
  } catch (error) {
    if (!(error instanceof LconvError) || error.code !== "ERR_LCONV_NCCL") throw error;
    fault = error.message;
  }
  const [missing] = await group.agree([version === 0 ? group.rank : group.size], "min");
  if (missing < group.size) return `rank ${missing}: ${await group.text(fault, missing)}`;
  const [newest, oldest] = await group.agree([version, -version], "max");
  check(
    newest === -oldest,
    "ERR_LCONV_RANKS",
    () => `the ranks have NCCL ${-oldest} and ${newest} (20000 + 100 minor + patch); give all the same, or name one in LCONV_NCCL`,
  );
  return undefined;
}

/** NCCL needs its sums in graphs on all ranks, or on none. */
async function checkGraphs(group: Calls): Promise<void> {
  const own = graphSettings();
  const first = await group.text(own, 0);
  const [different] = await group.agree([own === first ? group.size : group.rank], "min");
  if (different === group.size) return;
  const its = await group.text(own, different);
  throw new LconvError("ERR_LCONV_RANKS", `rank ${different} has ${its}, and rank 0 ${first}; give all ranks the same`);
}

async function idOfRank0(group: Calls): Promise<Uint8Array> {
  const text = await group.first(() => Buffer.from(native().ncclId()).toString("base64"));
  return new Uint8Array(Buffer.from(text, "base64"));
}

/** Has all ranks do something; where one cannot, all throw what it says. */
async function together(group: Calls, task: () => Promise<void>): Promise<void> {
  let own: LconvError | undefined;
  try {
    await task();
  } catch (error) {
    if (!(error instanceof LconvError)) throw error;
    own = error;
  }
  try {
    const [failed] = await group.agree([own ? group.rank : group.size], "min");
    if (failed === group.size) return;
    const { code, message } = JSON.parse(
      await group.text(JSON.stringify({ code: own?.code, message: own?.message }), failed),
    ) as LconvError;
    own ??= new LconvError(code, `rank ${failed}: ${message}`);
  } catch (error) {
    throw own ?? error; // where it waited for ranks that wait in NCCL
  }
  throw own;
}
