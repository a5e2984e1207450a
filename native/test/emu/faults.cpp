#include "faults.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "block.h"
#include "memory.h"
#include "work.h"

namespace emu {

__thread HostFrame* host_frame = nullptr;

namespace {

char last_fault[1024] = "";

void keep(const char* text) {
  snprintf(last_fault, sizeof last_fault, "%s", text);
  fprintf(stderr, "emulated CUDA: %s\n", text);
}

/// A host program that touches device memory, or calls device code, has no device to fail: it ends.
[[noreturn]] void end_process(const char* text) {
  fprintf(stderr, "emulated CUDA: %s\n", text);
  abort();
}

}  // namespace

std::string demangled(const char* name) {
  int status = 0;
  char* readable = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  const std::string text = status == 0 ? readable : name;
  free(readable);
  return text;
}

const char* kernel_name(const Launch& launch) {
  static char name[256];
  Dl_info info;
  auto* address = reinterpret_cast<void*>(launch.kernel.function);
  if (!dladdr(address, &info) || !info.dli_sname || info.dli_saddr != address) {
    // A hidden symbol: the types of the parameters still tell which kernel it is.
    const char* types = strstr(launch.kernel.signature, "with P");
    snprintf(name, sizeof name, "at %p [%s", address, types ? types : "]");
    return name;
  }
  snprintf(name, sizeof name, "%s", demangled(info.dli_sname).c_str());
  return name;
}

void note_fault(const char* format, ...) {
  char text[sizeof last_fault];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  keep(text);
}

void raise_fault(cudaError_t code, const char* format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (const EmuLane* lane = emu_lane) {
    note_fault("kernel %s, block (%u,%u,%u), thread (%u,%u,%u): %s", kernel_name(*running.block->launch), lane->block.x,
               lane->block.y, lane->block.z, lane->thread.x, lane->thread.y, lane->thread.z, text);
    abandon_kernel(code);
  }
  if (HostFrame* frame = host_frame) {
    note_fault("%s: %s", frame->work->name(), text);
    frame->code = code;
    siglongjmp(frame->jump, 1);
  }
  end_process(text);
}

const char* fault_text() { return last_fault; }

namespace {

struct sigaction previous_segv, previous_bus;

/// What would have happened without us; the access is repeated when this returns.
void pass_on(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = signal == SIGBUS ? previous_bus : previous_segv;
  if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
}

void raise_access_fault(int signal, siginfo_t* info) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  const void* address = info->si_addr;
  if (info->si_code == SI_KERNEL) raise_fault(cudaErrorMisalignedAddress, "a misaligned access");
  if (in_device_addresses(address)) {
    raise_fault(cudaErrorIllegalAddress, "an access outside device memory: %s", describe_address(address).c_str());
  }
  if (in_shared_memory(address)) raise_fault(cudaErrorIllegalAddress, "an access outside shared memory");
  if (in_fiber_guard(address)) raise_fault(cudaErrorIllegalAddress, "the stack of the thread is full");
  raise_fault(cudaErrorIllegalAddress, "an access to address %p, which is no device memory", address);
}

void on_signal(int signal, siginfo_t* info, void* context) {
  const bool device_address = in_device_addresses(info->si_addr);
  if (emu_lane || (host_frame && device_address)) raise_access_fault(signal, info);
  if (device_address) {
    char text[96];
    const int n = snprintf(text, sizeof text, "emulated CUDA: host access to device memory at %p\n", info->si_addr);
    if (write(STDERR_FILENO, text, static_cast<size_t>(n)) < 0) abort();
  }
  pass_on(signal, info, context);
}

/// Frees the thread of the stack before the memory goes.
struct SignalStack {
  static constexpr size_t kBytes = size_t{64} << 10;
  void* memory = nullptr;
  ~SignalStack() {
    if (!memory) return;
    stack_t none = {};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    free(memory);
  }
};

}  // namespace

void install_signal_handlers() {
  static bool installed = false;
  if (installed) return;
  installed = true;
  struct sigaction ours = {};
  ours.sa_sigaction = &on_signal;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &ours, &previous_segv);
  sigaction(SIGBUS, &ours, &previous_bus);
}

void use_signal_stack() {
  static thread_local SignalStack own;
  stack_t now;
  if (own.memory || sigaltstack(nullptr, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
  own.memory = malloc(SignalStack::kBytes);
  stack_t stack = {};
  stack.ss_sp = own.memory;
  stack.ss_size = SignalStack::kBytes;
  sigaltstack(&stack, nullptr);
}

}  // namespace emu

void emu_misaligned(const void* address, size_t alignment) {
  emu::raise_fault(cudaErrorMisalignedAddress, "address %p is not aligned to %zu bytes", address, alignment);
}

const char* emu_last_fault() { return emu::fault_text(); }
