#include "nccl_shared.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <random>

namespace lieconv::nccl {

std::string make_shared_memory() {
  std::random_device random;
  const std::string name = "/lconv-emulated-nccl-" + std::to_string(getpid()) + "-" + std::to_string(random());
  const int file = shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  if (file < 0) return "";
  const bool sized = ftruncate(file, sizeof(Shared)) == 0;  // zeros, which is where all counts begin
  close(file);
  return sized ? name : "";
}

Shared* open_shared_memory(const std::string& name) {
  const int file = shm_open(name.c_str(), O_RDWR, 0600);
  if (file < 0) return nullptr;
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

void forget_shared_memory(const std::string& name) { shm_unlink(name.c_str()); }

void close_shared_memory(Shared* shared) { munmap(shared, sizeof(Shared)); }

}  // namespace lieconv::nccl
