#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace lieconv {

/// The codes of src/errors.ts that the native engine throws. Numbers are those of one build; they cross cuda/abi.h.
enum class ErrorCode : int32_t {
  argument,
  shape,
  disposed,
  busy,
  recording,
  oom,
  device,
  cuda_module,
  cuda_abi,
  cuda_no_driver,
  cuda_driver,
  cuda_old_driver,
  cuda_no_gpu,
  cuda_hidden,
  cuda_old_gpu,
  cuda_cublas,
  cuda_lost,
  cuda,
  mpi,
  collective,
  nccl,
  ranks,
  native,
};

/// What JavaScript sees of them, in their order.
struct ErrorCodeText {
  ErrorCode code;
  const char* text;
};
inline constexpr ErrorCodeText kErrorCodes[] = {
    {ErrorCode::argument, "ERR_LCONV_ARGUMENT"},
    {ErrorCode::shape, "ERR_LCONV_SHAPE"},
    {ErrorCode::disposed, "ERR_LCONV_DISPOSED"},
    {ErrorCode::busy, "ERR_LCONV_BUSY"},
    {ErrorCode::recording, "ERR_LCONV_RECORDING"},
    {ErrorCode::oom, "ERR_LCONV_OOM"},
    {ErrorCode::device, "ERR_LCONV_DEVICE"},
    {ErrorCode::cuda_module, "ERR_LCONV_CUDA_MODULE"},
    {ErrorCode::cuda_abi, "ERR_LCONV_CUDA_ABI"},
    {ErrorCode::cuda_no_driver, "ERR_LCONV_CUDA_NO_DRIVER"},
    {ErrorCode::cuda_driver, "ERR_LCONV_CUDA_DRIVER"},
    {ErrorCode::cuda_old_driver, "ERR_LCONV_CUDA_OLD_DRIVER"},
    {ErrorCode::cuda_no_gpu, "ERR_LCONV_CUDA_NO_GPU"},
    {ErrorCode::cuda_hidden, "ERR_LCONV_CUDA_HIDDEN"},
    {ErrorCode::cuda_old_gpu, "ERR_LCONV_CUDA_OLD_GPU"},
    {ErrorCode::cuda_cublas, "ERR_LCONV_CUDA_CUBLAS"},
    {ErrorCode::cuda_lost, "ERR_LCONV_CUDA_LOST"},
    {ErrorCode::cuda, "ERR_LCONV_CUDA"},
    {ErrorCode::mpi, "ERR_LCONV_MPI"},
    {ErrorCode::collective, "ERR_LCONV_COLLECTIVE"},
    {ErrorCode::nccl, "ERR_LCONV_NCCL"},
    {ErrorCode::ranks, "ERR_LCONV_RANKS"},
    {ErrorCode::native, "ERR_LCONV_NATIVE"},
};

constexpr bool error_codes_in_order() {
  int32_t number = 0;
  for (const auto& entry : kErrorCodes) {
    if (static_cast<int32_t>(entry.code) != number++) return false;
  }
  return number == static_cast<int32_t>(ErrorCode::native) + 1;
}
static_assert(error_codes_in_order(), "kErrorCodes needs every code, in the order of the enum");

constexpr const char* text_of(ErrorCode code) { return kErrorCodes[static_cast<size_t>(code)].text; }

/// The addon turns it into a JavaScript LconvError.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace lieconv
