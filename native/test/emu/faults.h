#pragma once
#include <csetjmp>
#include <string>

#include "emu.h"

namespace emu {

/// Ends the work that runs on this thread (a kernel or host code) with `code`; the text is prefixed with what ran.
[[noreturn]] __attribute__((format(printf, 2, 3))) void raise_fault(cudaError_t code, const char* format, ...);

/// Keeps the text of a fault and prints it to stderr.
__attribute__((format(printf, 1, 2))) void note_fault(const char* format, ...);
const char* fault_text();

/// A name of the compiler's as it stands in the source.
std::string demangled(const char* name);

class Work;

/// While host code runs as device work: where raise_fault jumps to. Null otherwise.
struct HostFrame {
  sigjmp_buf jump;
  cudaError_t code;
  const Work* work;
};
extern __thread HostFrame* host_frame __attribute__((tls_model("initial-exec")));

/// Turns wrong accesses of device code into faults; wrong accesses of host code end the process with a message.
void install_signal_handlers();
/// A stack of its own for the handler on this thread, since a fiber may have overflowed its stack.
void use_signal_stack();

const char* error_name(cudaError_t error);
const char* error_text(cudaError_t error);

}  // namespace emu
