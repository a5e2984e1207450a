// The GPU as a target of the rows: every operand in device memory of exactly its size, or, one of them, some elements
// behind the beginning of its memory, where it is not aligned to the 16 bytes that vectors need.
#include "../engine/error.h"
#include "../gpu/module.h"
#include "target.h"

namespace lieconv::parity {
namespace {

/// One operand on the device, copied there and back.
class DeviceBlock {
 public:
  DeviceBlock(Backend& backend, const Operand& host, int64_t behind)
      : backend_(backend),
        host_(host.data),
        bytes_(host.elements * kElementBytes),
        before_(behind * kElementBytes),
        memory_(backend.allocate(before_ + bytes_)) {
    backend_.upload(data(), host_, bytes_);
  }
  DeviceBlock(const DeviceBlock&) = delete;
  DeviceBlock& operator=(const DeviceBlock&) = delete;
  ~DeviceBlock() { backend_.release(memory_, before_ + bytes_); }
  /// Copies it back, and its bits into `digest` (FNV-1a).
  void fetch(uint64_t& digest) {
    backend_.download(host_, data(), bytes_);
    const auto* byte = static_cast<const unsigned char*>(host_);
    for (int64_t i = 0; i < bytes_; ++i) digest = (digest ^ byte[i]) * 1099511628211ull;
  }
  void* data() const { return static_cast<char*>(memory_) + before_; }

 private:
  Backend& backend_;
  void* host_;
  int64_t bytes_, before_;
  void* memory_;
};

class GpuTarget final : public Target {
 public:
  GpuTarget(GpuRuns runs, uint64_t& digest) : runs_(runs), digest_(digest), backend_(make_cuda_backend(0, 0)) {}
  std::string name() const override {
    return runs_ == GpuRuns::kCompiled ? "GPU compiled" : runs_ == GpuRuns::kEager ? "GPU eager" : "GPU displaced";
  }
  int threads() const override { return 1; }
  void run(int op, std::vector<Operand>& operands, const std::vector<double>& attributes, int) override {
    Command command{op, operands, attributes};
    std::vector<std::unique_ptr<DeviceBlock>> blocks;
    const size_t displaced = displaced_operand(command.operands);
    for (Operand& operand : command.operands) {
      const auto behind = static_cast<int64_t>(blocks.size() == displaced ? 1 + displaced % 3 : 0);
      blocks.push_back(std::make_unique<DeviceBlock>(*backend_, operand, behind));
      operand.data = blocks.back()->data();
    }
    if (runs_ == GpuRuns::kCompiled) {
      const std::atomic<bool> stop{false};
      backend_->compile({command})->run(1, stop);
    } else {
      backend_->execute(command);
    }
    for (const auto& block : blocks) block->fetch(digest_);
  }

 private:
  /// By the sizes, so that the rows of an operation displace now this one and now that one.
  size_t displaced_operand(const std::vector<Operand>& operands) const {
    if (runs_ != GpuRuns::kDisplaced) return operands.size();
    int64_t elements = 0;
    for (const Operand& operand : operands) elements += operand.elements;
    return static_cast<size_t>(elements) % operands.size();
  }
  GpuRuns runs_;
  uint64_t& digest_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace

std::unique_ptr<Target> gpu_target(GpuRuns runs, uint64_t& digest, std::string& why_not) {
  try {
    return std::make_unique<GpuTarget>(runs, digest);
  } catch (const Error& error) {
    why_not = error.what();
    return nullptr;
  }
}

}  // namespace lieconv::parity
