#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "abi.h"

namespace lieconv::cuda {

/// What all ranks are told by one of them, so that they find each other.
struct NcclId {
  char bytes[kNcclIdBytes];
};

/// The functions of NCCL that we call, from a library opened at run time. Declared by hand, as its header need not be
/// where lconv is built; its binary interface fixes names and numbers (test/distributed/nccl.test.ts compares them).
struct Nccl {
  static constexpr int kSuccess = 0, kInProgress = 7, kFloat32 = 7, kSum = 0;

  std::string path;
  int version;  // 23007 = 2.30.7
  int (*get_version)(int* version);
  int (*get_unique_id)(NcclId* id);
  int (*comm_init_rank)(void** comm, int size, NcclId id, int rank);
  int (*all_reduce)(const void* from, void* to, size_t count, int type, int op, void* comm, cudaStream_t stream);
  int (*comm_get_async_error)(void* comm, int* state);
  int (*comm_abort)(void* comm);
  const char* (*get_error_string)(int result);
  const char* (*get_last_error)(void* comm);

  /// Throws ERR_LCONV_NCCL, with what NCCL says, unless the call succeeded.
  void check(int result, const char* call) const;
};

/// NCCL 2.18 or newer, opened once a process: LCONV_NCCL, the loader's default, Python's nvidia packages. Throws
/// ERR_LCONV_NCCL with every place that was tried and what to do.
const Nccl& nccl();

/// Writes kNcclIdBytes. Throws ERR_LCONV_NCCL.
void make_nccl_id(char* id);

}  // namespace lieconv::cuda
