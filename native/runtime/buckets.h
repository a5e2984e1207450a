#pragma once
#include <unordered_map>
#include <vector>

#include "device.h"

namespace lieconv {

/// Which buffers of a recording lie behind each other in one block, as some of its commands want them to
/// (Binder::inout_behind).
class Buckets {
 public:
  /// Throws ERR_LCONV_RECORDING for buffers that cannot: those made before the recording, kept, or in two buckets.
  Buckets(const std::vector<RecordedCommand>& commands, const std::vector<BufferRef>& keep);

  /// Where a buffer is: in the block of the first of its bucket, or in one of its own.
  struct Place {
    const Buffer* block;
    int64_t offset;
  };
  Place place_of(const Buffer* buffer) const;
  int64_t bytes_of(const Buffer* block) const;
  bool shares(const Buffer* buffer) const { return places_.count(buffer) > 0; }

 private:
  void add(const Buffer* buffer, const Place& place);

  std::unordered_map<const Buffer*, Place> places_;
  std::unordered_map<const Buffer*, int64_t> bytes_;
};

}  // namespace lieconv
