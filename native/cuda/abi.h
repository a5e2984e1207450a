#pragma once
#include <atomic>
#include <cstdint>

#include "../engine/binder.h"
#include "../engine/error.h"

// The C interface between the core and lconv_cuda.so, which is opened on the first use of a CUDA device. Functions that
// can fail return 0, or 1 with `error` filled in; none throws.

extern "C" {

constexpr uint32_t kCudaAbi = 5;

struct lconv_cuda_error {
  lieconv::ErrorCode code;
  char message[1500];
};

/// One operation on operands in device memory. `access` of the operands is filled in by validate.
struct lconv_cuda_command {
  int32_t op;
  int32_t operand_count;
  int32_t attribute_count;
  lieconv::Operand* operands;
  const double* attributes;
  int32_t into_next;  // what it writes is read by the next command of the list alone
};

struct lconv_cuda_version {
  int32_t runtime;        // CUDA runtime linked in, 13000 = 13.0
  int32_t cublas;         // 0 when none was found
  char cublas_path[512];  // or what was tried
};

constexpr int kNcclIdBytes = 128;

struct lconv_nccl_version {
  int32_t version;  // 23007 = 2.30.7
  char path[512];
};

/// The processes that train together, for a device that adds up over them.
struct lconv_group {
  int32_t rank, size;
  double timeout_seconds;  // for which a rank waits for the others
  const char* nccl_id;     // kNcclIdBytes, the same on all ranks; null where sums go through memory of the host
  /// Adds memory of the host up over all ranks, in place.
  int (*sum)(float* data, int64_t count, lconv_cuda_error* error);
  /// Notes sums that the device made by itself.
  void (*count_sums)(int64_t sums, int64_t bytes);
  /// Whether the process is ending, so that nobody may wait for others.
  int (*ending)();
};

struct lconv_device_info {
  int32_t major, minor;  // compute capability
  int32_t multiprocessors;
  int64_t total_bytes, free_bytes, l2_bytes;
  lconv_cuda_version version;
  char products[600];  // why cuBLAS does not serve all products; empty where it does
};

/// What one replay of a program does, counted from its launches.
struct lconv_program_stats {
  int64_t launches;      // kernels, matrix products and sums over ranks
  int64_t longest_path;  // launches on the longest chain of dependencies
  // Of the chain that takes longest where products are counted, too: launches, and slices of 32 terms that blocks of
  // its products go through.
  int64_t chain_launches, chain_slices;
  int64_t branches;                       // streams that the launches are spread over
  int64_t graph_nodes;                    // of the captured graph; a product may be several. 0 where there is no graph
  int64_t graph_steps;                    // of the graph of several steps; 0 where there is none
  int64_t cublas_products, own_products;  // matrix products by cuBLAS, and by our own kernels
  double bytes;                           // operands read and written once by each command
  double flops;                           // of matrix products, convolutions and channel mixing
  char note[600];  // why steps are no graph, or products are not cuBLAS's; empty where there is nothing to say
};

/// Numbers of `precision` in open.
constexpr int32_t kCudaFp32 = 0, kCudaTf32 = 1, kCudaBf16 = 2;
/// An ordinal that needs neither driver nor GPU: programs are planned and counted, but have no memory and cannot run.
constexpr int32_t kCudaPlanOnly = -1;

struct lconv_cuda {
  uint32_t abi;
  /// Looks for cuBLAS; needs no GPU. Fails with ERR_LCONV_CUDA_CUBLAS, `version` filled in all the same.
  int (*libraries)(lconv_cuda_version* version, lconv_cuda_error* error);
  /// Looks for NCCL; needs no GPU. Fails with ERR_LCONV_NCCL.
  int (*nccl)(lconv_nccl_version* version, lconv_cuda_error* error);
  /// Something for all ranks to find each other by, made by one of them: kNcclIdBytes. Fails with ERR_LCONV_NCCL.
  int (*nccl_id)(char* id, lconv_cuda_error* error);
  int (*open)(int32_t ordinal, int32_t precision, void** device, lconv_cuda_error* error);
  void (*close)(void* device);
  int (*info)(void* device, lconv_device_info* info, lconv_cuda_error* error);
  /// Has the device add up over the ranks of a group from now on; waits until all of them call it. Not on the thread
  /// that waits for the others in any other way. Another call does nothing.
  int (*join)(void* device, const lconv_group* group, lconv_cuda_error* error);
  int (*allocate)(void* device, int64_t bytes, void** data, lconv_cuda_error* error);
  void (*release)(void* device, void* data);
  int (*upload)(void* device, void* to, const void* from, int64_t bytes, lconv_cuda_error* error);
  int (*download)(void* device, void* to, const void* from, int64_t bytes, lconv_cuda_error* error);
  /// Whether two operations may run as one, where the first's result is for the second alone.
  int (*joins)(int32_t first, int32_t second);
  int (*validate)(lconv_cuda_command* command, lconv_cuda_error* error);
  int (*execute)(void* device, const lconv_cuda_command* command, lconv_cuda_error* error);
  int (*compile)(void* device, const lconv_cuda_command* commands, int64_t count, void** executable,
                 lconv_cuda_error* error);
  int (*run)(void* executable, int64_t steps, const std::atomic<bool>* stop, int64_t* ran, lconv_cuda_error* error);
  int (*stats)(void* executable, lconv_program_stats* stats, lconv_cuda_error* error);
  void (*discard)(void* executable);
};

/// Exported by lconv_cuda.so. Null when the ABI differs.
const lconv_cuda* lconv_cuda_init(uint32_t abi);
}
