// NVIDIA's own NCCL, where it is: no GPU is needed to open it, nor to make an id.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runProcess, typescript } from "../../bench/process.js";
import { skip } from "../support/skip.js";

const test = suite("distributed/nccl");

/** Where CI puts it. */
const library = "build/nccl/nvidia/nccl/lib/libnccl.so.2";
/** lconv_cuda.so, or the one for the emulated GPU, which opens NCCL by the same code. */
const module = ["build/Release/lconv_cuda.so", "build/emu/lconv_cuda_emu.so"].find((path) => existsSync(path));

if (!existsSync(library)) test("NCCL", () => skip("NCCL is not here: pip install --target build/nccl --no-deps nvidia-nccl-cu13"));
else if (!module) test("NCCL", () => skip("no lconv_cuda.so here: npm run setup -- --tests"));
else {
  test("it opens, says its version, and makes ids", async () => {
    const env = { LCONV_CUDA: module, LCONV_NCCL: library, LD_LIBRARY_PATH: "build/emu" };
    const { code, stdout, stderr } = await runProcess(typescript("test/support/children/nccl.ts"), { env, seconds: 60 });
    assert.is(code, 0, stderr);
    const { version, path, ids } = JSON.parse(stdout) as { version: number; path: string; ids: number[][] };
    assert.ok(version >= 21800, String(version));
    assert.match(path, /libnccl\.so\.2/);
    assert.equal(
      ids.map((id) => id.length),
      [128, 128],
    );
    assert.not.equal(ids[0], ids[1]);
  });

  test("its header has the numbers that we count on", () => {
    const header = readFileSync(join(dirname(library), "../include/nccl.h"), "utf8");
    const number = (name: string): number => Number(new RegExp(`\\b${name}\\s*=?\\s*(\\d+)`).exec(header)?.[1]);
    const ours = readFileSync("native/cuda/nccl.h", "utf8");
    const own = (name: string): number => Number(new RegExp(`\\b${name} = (\\d+)`).exec(ours)?.[1]);
    assert.equal(
      ["ncclSuccess", "ncclInProgress", "ncclFloat32", "ncclSum"].map(number),
      ["kSuccess", "kInProgress", "kFloat32", "kSum"].map(own),
    );
    assert.is(number("NCCL_UNIQUE_ID_BYTES"), 128);
    for (const [name, list] of [
      [
        "ncclAllReduce",
        "const void* sendbuff, void* recvbuff, size_t count, ncclDataType_t datatype, ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream",
      ],
      ["ncclCommInitRank", "ncclComm_t* comm, int nranks, ncclUniqueId commId, int rank"],
      ["ncclCommGetAsyncError", "ncclComm_t comm, ncclResult_t *asyncError"],
      ["ncclCommAbort", "ncclComm_t comm"],
      ["ncclGetLastError", "ncclComm_t comm"],
    ] as const) {
      const found = new RegExp(`\\s${name}\\(([^)]*)\\)`).exec(header)?.[1]?.replace(/\s+/g, " ");
      assert.is(found, list, name);
    }
  });
}

test.run();
