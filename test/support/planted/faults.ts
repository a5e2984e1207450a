// Faults planted in the sources of lconv_cuda.so, one at a time: each must turn its check red. A text that is not there just once is an
// error: bring it up to date when the sources change.

/** What must turn red. */
export type Check =
  /** Random programs of the parity program. */
  | "programs"
  /** Two commands that are one launch. */
  | "pairs"
  /** The parity program's rows with this in their name. */
  | { rows: string }
  /** The same on what nvcc makes of the faulty file. */
  | { ptx: string };

export interface Fault {
  name: string;
  /** Below native/cuda. */
  file: string;
  from: string;
  to: string;
  by: Check;
}

const sum = { rows: " sum(" };
const product = { rows: " gemm(" };

export const faults: readonly Fault[] = [
  // The schedule -------------------------------------------------------------------------------------------------------------------
  {
    name: "a task does not wait for the one before the last",
    file: "schedule.cpp",
    from: "if (nodes_[i].task.conflicts(task)) needs",
    to: "if (i + 2 != index && nodes_[i].task.conflicts(task)) needs",
    by: "programs",
  },
  {
    name: "one wait for a branch is taken for all",
    file: "schedule.cpp",
    from: "seen[other.branch] >= need) continue;",
    to: "seen[other.branch]) continue;",
    by: "programs",
  },
  {
    name: "a wait brings what the other branch sees later",
    file: "schedule.cpp",
    from: "its = seen_at_[need];",
    to: "its = seen_[other.branch];",
    by: "programs",
  },
  {
    name: "a repeated task is left out though its input changed",
    file: "schedule.cpp",
    from: "if (its.write && mine.begin < its.end && its.begin < mine.end) return false;",
    to: "(void)mine, (void)its;",
    by: "programs",
  },
  {
    name: "updates that conflict join",
    file: "schedule.cpp",
    from: " && !task.conflicts(group);",
    to: ";",
    by: "programs",
  },
  {
    name: "an update joins others over a task between them",
    file: "schedule.cpp",
    from: "if (!before.empty() && joins(task, before.back())) return &before.back();",
    to: `const auto group = std::find_if(before.begin(), before.end(), [&](const Task& t) { return joins(task, t); });
  if (group != before.end()) return &*group;`,
    by: "programs",
  },
  {
    name: "a step's work joins others over a task that it needs",
    file: "schedule.cpp",
    from: "if (before[i].conflicts(task)) return nullptr;",
    to: "",
    by: "programs",
  },
  {
    name: "a work more than a launch has room for",
    file: "schedule.cpp",
    from: "together <= StepWork::kMostJoined) return",
    to: "together <= StepWork::kMostJoined + 1) return",
    by: "programs",
  },
  {
    name: "of several steps in a graph one is left out",
    file: "schedule.cpp",
    from: "for (int64_t i = 0; i < steps; ++i) {",
    to: "for (int64_t i = 1; i < steps; ++i) {",
    by: "programs",
  },
  {
    name: "one update more than a launch has room for",
    file: "schedule.cpp",
    from: "group.updates.size() < Update::kMostJoined",
    to: "group.updates.size() <= Update::kMostJoined",
    by: "programs",
  },
  {
    name: "a write does not wait for reads",
    file: "launch.h",
    from: "return (write || other.write) &&",
    to: "return write &&",
    by: "programs",
  },
  {
    name: "a range lacks its last element",
    file: "launch.h",
    from: "static_cast<uintptr_t>(elements) *",
    to: "static_cast<uintptr_t>(elements - (elements > 1)) *",
    by: "programs",
  },
  {
    name: "a task repeats one with other arguments",
    file: "launch.h",
    from: "std::memcmp(arguments_.data(), other.arguments_.data(), arguments_.size() * kWord) == 0",
    to: "true",
    by: "programs",
  },
  // What commands say they touch -----------------------------------------------------------------------------------------------------
  {
    name: "a second task takes what it reads from the first",
    file: "exec.h",
    from: "if (!range.write || range.begin == range.end) continue;",
    to: "",
    by: "programs",
  },
  {
    name: "an empty operand takes what lies at its address",
    file: "exec.h",
    from: " || range.begin == range.end) continue;",
    to: ") continue;",
    by: "programs",
  },
  {
    name: "Adam does not wait for its rate",
    file: "lower_optimizer.cu",
    from: "range_of(op.lr, 1, false),",
    to: "",
    by: "programs",
  },
  {
    name: "Adam does not wait for its factor",
    file: "lower_optimizer.cu",
    from: "range_of(op.scale, 1, false),",
    to: "",
    by: "programs",
  },
  {
    name: "the bias does not wait for the sums of its rows",
    file: "lower_activation_grad.cu",
    from: "exec.next_task({range_of(sums, size, false),",
    to: "exec.next_task({",
    by: "programs",
  },
  // Graphs and streams ---------------------------------------------------------------------------------------------------------------
  {
    name: "a fresh branch does not join the capture",
    file: "executable.cpp",
    from: "if (!joined[node.branch] && node.waits.empty()) LCONV_CUDA_CALL(cudaStreamWaitEvent(stream, begin_, 0));",
    to: "",
    by: "programs",
  },
  {
    name: "the capture ends before its branches",
    file: "executable.cpp",
    from: "LCONV_CUDA_CALL(cudaStreamWaitEvent(origin, ends_[branch], 0));",
    to: "",
    by: "programs",
  },
  {
    name: "steps do not wait for eager commands",
    file: "executable.cpp",
    from: "LCONV_CUDA_CALL(cudaStreamWaitEvent(stream_, ready_, 0));",
    to: "",
    by: "programs",
  },
  {
    name: "a run returns before its last step ends",
    file: "executable.cpp",
    from: `LCONV_CUDA_CALL(cudaEventRecord(done_[0], stream_));
  wait(done_[0]);`,
    to: "",
    by: "programs",
  },
  {
    name: "products tried beforehand overwrite results",
    file: "attempts.cpp",
    from: "trial.c = static_cast<float*>(result.get());",
    to: "",
    by: "programs",
  },
  {
    name: "branches share a workspace",
    file: "branches.cpp",
    from: "workspaces[branch], static_cast",
    to: "workspaces[0] ? workspaces[0] : workspaces[branch], static_cast",
    by: "programs",
  },
  {
    name: "a download does not wait",
    file: "device.cpp",
    from: `cudaMemcpyDeviceToHost, eager_));
    LCONV_CUDA_CALL(cudaStreamSynchronize(eager_));`,
    to: "cudaMemcpyDeviceToHost, eager_));",
    by: sum,
  },
  {
    name: "scratch space does not grow",
    file: "device.cpp",
    from: "if (floats <= scratch_floats_) return scratch_;",
    to: "if (scratch_) return scratch_;",
    by: product,
  },
  // cuBLAS ---------------------------------------------------------------------------------------------------------------------------
  {
    name: "the workspace is set before the stream, which takes it back",
    file: "cublas.cpp",
    from: `check(*api_, api_->set_stream(handle_, stream), "cublasSetStream");
  // After the stream: setting that takes the workspace back.
  check(*api_, api_->set_workspace(handle_, workspace, bytes), "cublasSetWorkspace");`,
    to: `check(*api_, api_->set_workspace(handle_, workspace, bytes), "cublasSetWorkspace");
  check(*api_, api_->set_stream(handle_, stream), "cublasSetStream");`,
    by: "programs",
  },
  {
    name: "eager products are issued on a branch's stream",
    file: "device.cpp",
    from: "blas(0).use(eager_,",
    to: "blas(0).use(branches_[1],",
    by: product,
  },
  {
    name: "rows of a product's result lie too close",
    file: "cublas.cpp",
    from: "ldc = distance(d.ldc, d.N);",
    to: "ldc = distance(d.N, d.N);",
    by: product,
  },
  {
    name: "a product is added to what was there",
    file: "cublas.cpp",
    from: "d.accumulate ? 1.0f : 0.0f",
    to: "1.0f",
    by: product,
  },
  // Two commands in one launch -------------------------------------------------------------------------------------------------------
  {
    name: "the result that is passed on is stored all the same",
    file: "ops.cu",
    from: "if (!pair || machine.gemms == Gemms::cublas) return {};",
    to: "if (pair || machine.gemms == Gemms::cublas) return {};",
    by: "pairs",
  },
  {
    name: "a loss begins before the parts of its logits are added up",
    file: "lower_loss.cu",
    from: `sums[threadIdx.x] = total;
    }
    __syncthreads();`,
    to: `sums[threadIdx.x] = total;
    }`,
    by: "pairs",
  },
  {
    name: "sums of a gradient lack the last tile of a row",
    file: "lower_activation_grad.cu",
    from: "lower_sum(exec, outer, size / (outer * inner), inner, 1, sums, op.dbias);",
    to: "lower_sum(exec, outer, size / (outer * inner) - (inner == 1), inner, 1, sums, op.dbias);",
    by: "pairs",
  },
  {
    name: "a gradient of several channels reads the weights of the first",
    file: "lower_activation_grad.cu",
    from: "return P::right(0, k, j * this->columns + column);",
    to: "return P::right(0, k, column);",
    by: "pairs",
  },
  {
    name: "a sum over samples has the terms of the first",
    file: "lower_gemm.cu",
    from: "return P::left(at / terms, row, at % terms);",
    to: "return P::left(0, row, at % terms);",
    by: "pairs",
  },
  {
    name: "updates at any address are read in vectors",
    file: "lower_optimizer.cu",
    from: "many.aligned[many.count] = aligned(f);",
    to: "many.aligned[many.count] = true;",
    by: { rows: " rmsprop(" },
  },
  // Kernels --------------------------------------------------------------------------------------------------------------------------
  {
    name: "warps are added up before all are there",
    file: "kernels.cuh",
    from: `__syncthreads();
  T total = 0;`,
    to: "T total = 0;",
    by: sum,
  },
  {
    name: "joined updates begin where the first began",
    file: "lower_optimizer.cu",
    from: "quad = i - (k > 0 ? p.end[k - 1] : 0),",
    to: "quad = i,",
    by: "programs",
  },
  {
    name: "rows at any address are read in vectors",
    file: "kernels.cuh",
    from: "reinterpret_cast<uintptr_t>(data) % 16 == 0 && distance",
    to: "(void)data, distance",
    by: { rows: " biasActivation(" },
  },
  {
    name: "gradients at any address are written in vectors",
    file: "lower_activation_grad.cu",
    from: " && in_quads(op.dx, 0);",
    to: ";",
    by: { rows: " biasActivationGrad(" },
  },
  {
    name: "a block begins a line before the last is summed",
    file: "lower_reduce.cu",
    from: `p.y[line] = p.scale * total;
    __syncthreads();`,
    to: "p.y[line] = p.scale * total;",
    by: sum,
  },
  {
    name: "a block begins squares before the last are summed",
    file: "lower_reduce.cu",
    from: `p.partials[block] = total;
    __syncthreads();`,
    to: "p.partials[block] = total;",
    by: { rows: " sumSquares(" },
  },
  {
    name: "launch bounds below the block",
    file: "lower_reduce.cu",
    from: "__launch_bounds__(kThreads, 1) sum_lines",
    to: "__launch_bounds__(kThreads / 2, 1) sum_lines",
    by: { ptx: " sum(" },
  },
  {
    name: "parts of a sum overlap by a term",
    file: "tile_product.cuh",
    from: "limit = (part + 1) * t.part_depth,",
    to: "limit = (part + 1) * t.part_depth + 1,",
    by: product,
  },
  {
    name: "parts of a product are not added to what was there",
    file: "lower_gemm.cu",
    from: "c = d.accumulate ? c + sum : sum;",
    to: "c = sum;",
    by: product,
  },
];

/** The text with the fault. */
export function plant({ name, file, from, to }: Fault, text: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${name}: ${file} has ${parts.length - 1} places with ${JSON.stringify(from)}`);
  return parts.join(to);
}
