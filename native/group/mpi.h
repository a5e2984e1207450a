#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace lieconv {

/// What all ranks do together with `count` elements at `data`, in place. Every rank has to start the same ones in the
/// same order on a lane.
struct Collective {
  enum class Kind { sum_f32, sum_f64, min_f64, max_f64, broadcast } kind;
  void* data;
  int64_t count;  // elements; bytes of a broadcast
  int root = 0;   // whose bytes a broadcast takes
};

/// Where a process is among all, and among those of its host.
struct RankPlace {
  int rank, size, local_rank, local_size;
};

/// The part of MPI that lconv uses, whichever library it is. One thread makes all calls (MPI_THREAD_FUNNELED). On each
/// lane, which is a communicator of its own, one collective is under way at most. Every function throws ERR_LCONV_MPI
/// with what MPI says.
class Mpi {
 public:
  static constexpr int kLanes = 2;

  virtual ~Mpi() = default;
  virtual RankPlace init() = 0;
  virtual void start(int lane, const Collective& what) = 0;
  /// Moves things on; whether the collective that was started has ended.
  virtual bool test(int lane) = 0;
  virtual void finalize() = 0;
  /// What the library calls itself, and its file. Before init() too.
  virtual std::string version() const = 0;
  virtual const std::string& path() const = 0;
};

/// Opens the MPI library at run time: LCONV_MPI alone where it is set, else the one whose launcher started this
/// process, else any. It is never closed. Throws ERR_LCONV_MPI with what was tried.
std::unique_ptr<Mpi> open_mpi();

}  // namespace lieconv
