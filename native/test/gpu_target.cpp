// The GPU as a target of the rows: every operand in device memory of exactly its size.
#include "../engine/error.h"
#include "../gpu/module.h"
#include "target.h"

namespace lieconv::parity {
namespace {

/// One operand on the device, copied there and back.
class DeviceBlock {
 public:
  DeviceBlock(Backend& backend, const Operand& host)
      : backend_(backend), host_(host.data), bytes_(host.elements * kElementBytes), data_(backend.allocate(bytes_)) {
    backend_.upload(data_, host_, bytes_);
  }
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;
  ~DeviceBlock() { backend_.release(data_, bytes_); }
  /// Copies it back, and its bits into `digest` (FNV-1a).
  void fetch(uint64_t& digest) {
    backend_.download(host_, data_, bytes_);
    const auto* byte = static_cast<const unsigned char*>(host_);
    for (int64_t i = 0; i < bytes_; ++i) digest = (digest ^ byte[i]) * 1099511628211ull;
  }
  void* data() const { return data_; }

 private:
  Backend& backend_;
  void* host_;
  int64_t bytes_;
  void* data_;
};

class GpuTarget final : public Target {
 public:
  GpuTarget(bool compiled, uint64_t& digest)
      : compiled_(compiled), digest_(digest), backend_(make_cuda_backend(0, 0)) {}
  std::string name() const override { return compiled_ ? "GPU compiled" : "GPU eager"; }
  int threads() const override { return 1; }
  void run(int op, std::vector<Operand>& operands, const std::vector<double>& attributes, int) override {
    Command command{op, operands, attributes};
    std::vector<std::unique_ptr<DeviceBlock>> blocks;
    for (Operand& operand : command.operands) {
      blocks.push_back(std::make_unique<DeviceBlock>(*backend_, operand));
      operand.data = blocks.back()->data();
    }
    if (compiled_) {
      const std::atomic<bool> stop{false};
      backend_->compile({command})->run(1, stop);
    } else {
      backend_->execute(command);
    }
    for (const auto& block : blocks) block->fetch(digest_);
  }

 private:
  bool compiled_;
  uint64_t& digest_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace

std::unique_ptr<Target> gpu_target(bool compiled, uint64_t& digest, std::string& why_not) {
  try {
    return std::make_unique<GpuTarget>(compiled, digest);
  } catch (const Error& error) {
    why_not = error.what();
    return nullptr;
  }
}

}  // namespace lieconv::parity
