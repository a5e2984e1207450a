#pragma once
#include <cstddef>
#include <string>

#include "emu.h"

namespace emu {

/// One cudaMalloc: [base, base + size) lies in pages [map, map_end), as far back as 256-byte alignment allows; pages
/// without access surround it and what is left over holds canaries. Addresses are never used twice.
struct Allocation {
  char* base;
  size_t size;
  char* map;
  char* map_end;
  int device;
};

cudaError_t allocate(int device, size_t size, void** pointer);
/// Null when `pointer` is not the start of a live allocation.
const Allocation* find_allocation(const void* pointer);
void release(const void* pointer);

enum class Place { kHost, kDevice, kInvalid };
/// Where a range lies; kInvalid = in device addresses, but not inside one live allocation. Gives its device.
Place place_of(const void* pointer, size_t bytes, int* device);

/// Device memory can be touched between these two.
void open_memory(int device);
void close_memory();

/// Whether all canaries stand; otherwise describes the first that does not. `thorough` looks at whole pages of them,
/// and at all allocations.
bool check_canaries(bool thorough, std::string* what);

bool in_device_addresses(const void* address);
/// For the text of a fault.
std::string describe_address(const void* address);

size_t used_memory(int device);
void memory_totals(long* allocations, long* bytes);

/// Poison and canaries of shared memory are written by the same means.
void fill_canary(char* from, char* to);
const char* broken_canary(const char* from, const char* to);
void guard_bytes(const char* from, const char* to);
void unguard_bytes(const char* from, const char* to);

}  // namespace emu
