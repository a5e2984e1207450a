// Stands in for libnccl.so.2 over the emulated device: sums of float32 over the processes of one machine, which meet in
// shared memory. Strict where NCCL hangs or adds up what does not belong together: ranks that differ in the order,
// count or capture of their sums, two ranks on one GPU, memory that is not the GPU's. LCONV_EMU_NCCL_VERSION plays
// another version, LCONV_EMU_NCCL_FAIL=NAME lets that call fail.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "emu.h"
#include "nccl_shared.h"

namespace lieconv::nccl {

constexpr int kSuccess = 0, kSystemError = 2, kInvalidArgument = 4, kInvalidUsage = 5, kFloat32 = 7, kSum = 0;
constexpr auto kNap = std::chrono::microseconds(200);

struct Id {
  char bytes[128];
};

struct Comm {
  Shared* shared = nullptr;
  int rank = 0, size = 1, device = 0;
  std::atomic<bool> aborted{false};
  std::atomic<int> state{kSuccess};
  std::atomic<int> graphs{0};  // nodes of graphs that hold it
  uint64_t collectives = 0, rounds = 0;
  uint64_t offset = 0;  // floats of the collective under way that are done
  bool showing = false;

  Place& own() const { return shared->places[rank]; }
  ~Comm() {
    if (shared) close_shared_memory(shared);
  }
};
using CommPtr = std::shared_ptr<Comm>;

namespace {

char last_error[300] = "";

int complain(int code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "emulated NCCL: %s\n", last_error);
  return code;
}

bool fails(const char* name) {
  const char* planted = std::getenv("LCONV_EMU_NCCL_FAIL");
  return planted && std::strcmp(planted, name) == 0;
}

/// A sum in a stream or in a graph.
struct Sum {
  CommPtr comm;
  const float* from;
  float* to;
  uint64_t count;
  bool captured;
};

bool all_have(const Comm& comm, std::atomic<uint64_t> Place::*what, uint64_t rounds) {
  for (int rank = 0; rank < comm.size; ++rank) {
    if ((comm.shared->places[rank].*what).load(std::memory_order_acquire) < rounds) return false;
  }
  return true;
}

bool agree(Comm& comm) {
  const Said& own = comm.own().said;
  for (int rank = 0; rank < comm.size; ++rank) {
    const Said& its = comm.shared->places[rank].said;
    if (its.number == own.number && its.count == own.count && its.captured == own.captured) continue;
    comm.state =
        complain(kInvalidUsage, "rank %d is in sum %llu of %llu values%s, rank %d in sum %llu of %llu%s", comm.rank,
                 static_cast<unsigned long long>(own.number), static_cast<unsigned long long>(own.count),
                 own.captured ? ", captured" : "", rank, static_cast<unsigned long long>(its.number),
                 static_cast<unsigned long long>(its.count), its.captured ? ", captured" : "");
    return false;
  }
  return true;
}

/// Neighbours first, then pairs, as MPI's recursive doubling does.
float sum_of(const Comm& comm, size_t i) {
  float values[kMostRanks];
  for (int rank = 0; rank < comm.size; ++rank) values[rank] = comm.shared->places[rank].values[i];
  for (int step = 1; step < comm.size; step *= 2) {
    for (int rank = 0; rank + step < comm.size; rank += 2 * step) values[rank] += values[rank + step];
  }
  return values[0];
}

/// Ends a sum without a result.
bool spoil(const Sum& sum) {
  std::fill_n(sum.to, sum.count, std::nanf(""));
  sum.comm->showing = false;
  sum.comm->offset = 0;
  return true;
}

/// Goes on with a sum as far as the other ranks let it; whether it is done.
bool work(void* data) {
  const Sum& sum = *static_cast<Sum*>(data);
  Comm& comm = *sum.comm;
  for (;;) {
    if (comm.aborted || comm.state != kSuccess) return spoil(sum);
    const size_t here = std::min<uint64_t>(kChunk, sum.count - comm.offset);
    if (!comm.showing) {
      if (!all_have(comm, &Place::read, comm.rounds)) return false;  // somebody still reads what we showed before
      Place& own = comm.own();
      own.said = {comm.collectives, sum.count, sum.captured};
      std::memcpy(own.values, sum.from + comm.offset, here * sizeof(float));
      own.shown.store(comm.rounds + 1, std::memory_order_release);
      comm.showing = true;
    }
    if (!all_have(comm, &Place::shown, comm.rounds + 1)) return false;
    if (!agree(comm)) return spoil(sum);
    for (size_t i = 0; i < here; ++i) sum.to[comm.offset + i] = sum_of(comm, i);
    comm.own().read.store(++comm.rounds, std::memory_order_release);
    comm.showing = false;
    comm.offset += here;
    if (comm.offset < sum.count) continue;
    comm.offset = 0;
    ++comm.collectives;
    return true;
  }
}

void release(void* data) {
  const std::unique_ptr<Sum> sum(static_cast<Sum*>(data));
  if (sum->captured) --sum->comm->graphs;
}

CommPtr& comm_of(void* handle) { return *static_cast<CommPtr*>(handle); }

/// Waits for the others, as NCCL does: without an end.
int meet(Comm& comm) {
  Place& own = comm.own();
  own.device = emu_physical_device(comm.device);
  own.size = comm.size;
  ++comm.shared->arrived;
  while (comm.shared->arrived < comm.size) std::this_thread::sleep_for(kNap);
  for (int rank = 0; rank < comm.size; ++rank) {
    const Place& other = comm.shared->places[rank];
    if (other.size != comm.size)
      return complain(kInvalidArgument, "rank %d says that there are %d ranks, rank %d says %d", comm.rank, comm.size,
                      rank, other.size);
    if (rank != comm.rank && other.device == own.device)
      return complain(kInvalidUsage, "Duplicate GPU detected : rank %d and rank %d both on CUDA device %d", comm.rank,
                      rank, own.device);
  }
  return kSuccess;
}

}  // namespace
}  // namespace lieconv::nccl

using namespace lieconv::nccl;

EMU_API int ncclGetVersion(int* version) {
  if (!version) return kInvalidArgument;
  const char* text = std::getenv("LCONV_EMU_NCCL_VERSION");
  *version = text && *text ? std::atoi(text) : 23007;
  return kSuccess;
}

EMU_API int ncclGetUniqueId(Id* id) {
  if (!id) return kInvalidArgument;
  if (fails("ncclGetUniqueId")) return complain(kSystemError, "planted failure");
  const std::string name = make_shared_memory();
  if (name.empty() || name.size() >= sizeof(id->bytes)) return complain(kSystemError, "no shared memory");
  std::memset(id->bytes, 0, sizeof(id->bytes));
  std::memcpy(id->bytes, name.data(), name.size());
  return kSuccess;
}

EMU_API int ncclCommInitRank(void** handle, int size, Id id, int rank) {
  if (!handle || size < 1 || size > kMostRanks || rank < 0 || rank >= size) return kInvalidArgument;
  *handle = nullptr;
  if (fails("ncclCommInitRank")) return complain(kSystemError, "planted failure");
  const std::string name(id.bytes, strnlen(id.bytes, sizeof(id.bytes)));
  auto comm = std::make_shared<Comm>();
  comm->rank = rank;
  comm->size = size;
  if (cudaGetDevice(&comm->device) != cudaSuccess) return complain(kSystemError, "no device");
  comm->shared = open_shared_memory(name);
  if (!comm->shared) return complain(kInvalidArgument, "the unique id names nothing: \"%.60s\"", name.c_str());
  const int met = meet(*comm);
  forget_shared_memory(name);
  if (met != kSuccess) return met;
  *handle = new CommPtr(comm);
  return kSuccess;
}

EMU_API int ncclAllReduce(const void* from, void* to, size_t count, int type, int op, void* handle,
                          cudaStream_t stream) {
  if (!handle) return complain(kInvalidArgument, "no communicator");
  if (fails("ncclAllReduce")) return complain(kSystemError, "planted failure");
  const CommPtr& comm = comm_of(handle);
  int device = -1;
  if (comm->aborted) return complain(kInvalidUsage, "the communicator was aborted");
  if (comm->state != kSuccess) return comm->state;
  if (cudaGetDevice(&device) != cudaSuccess || device != comm->device)
    return complain(kInvalidUsage, "the communicator belongs to device %d, the current one is %d", comm->device,
                    device);
  if (type != kFloat32 || op != kSum || count == 0)
    return complain(kInvalidArgument, "the emulation sums float32, got type %d, operation %d, %zu values", type, op,
                    count);
  if (!emu_is_device_range(from, count * sizeof(float)) || !emu_is_device_range(to, count * sizeof(float)))
    return complain(kInvalidArgument, "%zu values from %p to %p are not inside an allocation of this device", count,
                    from, to);
  auto* sum = new Sum{comm, static_cast<const float*>(from), static_cast<float*>(to), count, emu_is_capturing(stream)};
  if (sum->captured) ++comm->graphs;
  static const EmuShared calls{work, release};
  return emu_enqueue_shared(stream, "ncclAllReduce", &calls, sum) == cudaSuccess ? kSuccess : 1;
}

EMU_API int ncclCommGetAsyncError(void* handle, int* state) {
  if (!handle || !state) return kInvalidArgument;
  *state = comm_of(handle)->state;
  return kSuccess;
}

/// Ends what is under way at once, and comes back when no graph holds the communicator any more, as NCCL's does.
EMU_API int ncclCommAbort(void* handle) {
  if (!handle) return kInvalidArgument;
  const CommPtr comm = comm_of(handle);
  comm->aborted = true;
  while (comm->graphs > 0) std::this_thread::sleep_for(kNap);
  delete static_cast<CommPtr*>(handle);
  return kSuccess;
}

EMU_API const char* ncclGetErrorString(int result) {
  switch (result) {
    case kSuccess:
      return "no error";
    case kSystemError:
      return "unhandled system error (run with NCCL_DEBUG=INFO for details)";
    case kInvalidArgument:
      return "invalid argument (run with NCCL_DEBUG=WARN for details)";
    case kInvalidUsage:
      return "invalid usage (run with NCCL_DEBUG=WARN for details)";
    default:
      return "unknown result code";
  }
}

EMU_API const char* ncclGetLastError(void*) { return last_error; }
