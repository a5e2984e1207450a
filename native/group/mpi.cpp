#include "mpi.h"

#include <dlfcn.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <vector>

#include "../engine/error.h"

namespace lieconv {
namespace {

[[noreturn]] void fail(const std::string& text) { throw Error(ErrorCode::mpi, text); }

/// A library that is open for good: plug-ins and threads of MPI outlive whoever opened it.
struct Library {
  void* handle;
  std::string path;

  void* find(const char* symbol) const { return dlsym(handle, symbol); }
  template <class F>
  void bind(F*& function, const char* symbol) const {
    function = reinterpret_cast<F*>(find(symbol));
    if (!function) fail(path + " is no MPI library: it has no " + symbol);
  }
};

// An MPI library differs from another in what its handles are (pointers to objects of the library, or numbers) and in a
// few constants; functions are named and called alike. Numbers are those of the libraries' mpi.h, which their binary
// interface fixes.

/// Open MPI 3 to 5.
struct OpenMpi {
  using Handle = void*;
  static constexpr const char* mark = "ompi_mpi_comm_world";
  static constexpr int split_shared = 0;
  static void* in_place() { return reinterpret_cast<void*>(1); }
  static void* no_status() { return nullptr; }

  explicit OpenMpi(const Library& library) : library(library) {}
  Handle world() const { return object("ompi_mpi_comm_world"); }
  Handle no_info() const { return object("ompi_mpi_info_null"); }
  Handle errors_return() const { return object("ompi_mpi_errors_return"); }
  Handle f32() const { return object("ompi_mpi_float"); }
  Handle f64() const { return object("ompi_mpi_double"); }
  Handle byte() const { return object("ompi_mpi_byte"); }
  Handle sum() const { return object("ompi_mpi_op_sum"); }
  Handle min() const { return object("ompi_mpi_op_min"); }
  Handle max() const { return object("ompi_mpi_op_max"); }

 private:
  Handle object(const char* symbol) const {
    Handle const found = library.find(symbol);
    if (!found) fail(library.path + " is no Open MPI that lconv knows: it has no " + symbol);
    return found;
  }
  const Library& library;
};

/// MPICH 3.1 and later, and those with its binary interface (Intel MPI, MVAPICH, Cray).
struct Mpich {
  using Handle = int;
  static constexpr int split_shared = 1;
  static void* in_place() { return reinterpret_cast<void*>(-1); }
  static void* no_status() { return reinterpret_cast<void*>(1); }

  explicit Mpich(const Library&) {}
  static constexpr Handle world() { return 0x44000000; }
  static constexpr Handle no_info() { return 0x1c000000; }
  static constexpr Handle errors_return() { return 0x54000001; }
  static constexpr Handle f32() { return 0x4c00040a; }
  static constexpr Handle f64() { return 0x4c00080b; }
  static constexpr Handle byte() { return 0x4c00010d; }
  static constexpr Handle max() { return 0x58000001; }
  static constexpr Handle min() { return 0x58000002; }
  static constexpr Handle sum() { return 0x58000003; }
};

template <class Abi>
class MpiLibrary final : public Mpi {
  using Handle = typename Abi::Handle;

 public:
  MpiLibrary(const MpiLibrary&) = delete;
  MpiLibrary& operator=(const MpiLibrary&) = delete;
  explicit MpiLibrary(Library library) : library_(std::move(library)), abi_(library_) {
    library_.bind(init_thread_, "MPI_Init_thread");
    library_.bind(finalize_, "MPI_Finalize");
    library_.bind(comm_rank_, "MPI_Comm_rank");
    library_.bind(comm_size_, "MPI_Comm_size");
    library_.bind(comm_dup_, "MPI_Comm_dup");
    library_.bind(comm_split_type_, "MPI_Comm_split_type");
    library_.bind(set_errhandler_, "MPI_Comm_set_errhandler");
    library_.bind(iallreduce_, "MPI_Iallreduce");
    library_.bind(ibcast_, "MPI_Ibcast");
    library_.bind(test_, "MPI_Test");
    library_.bind(error_string_, "MPI_Error_string");
    library_.bind(library_version_, "MPI_Get_library_version");
  }

  RankPlace init() override {
    constexpr int kFunneled = 1;
    int provided = 0;
    done(init_thread_(nullptr, nullptr, kFunneled, &provided), "MPI_Init_thread");
    if (provided < kFunneled) fail(library_.path + " was built without threads (MPI_THREAD_FUNNELED)");
    const Handle world = abi_.world();
    done(set_errhandler_(world, abi_.errors_return()), "MPI_Comm_set_errhandler");
    RankPlace place{};
    done(comm_rank_(world, &place.rank), "MPI_Comm_rank");
    done(comm_size_(world, &place.size), "MPI_Comm_size");
    Handle host{};
    done(comm_split_type_(world, Abi::split_shared, place.rank, abi_.no_info(), &host), "MPI_Comm_split_type");
    done(comm_rank_(host, &place.local_rank), "MPI_Comm_rank");
    done(comm_size_(host, &place.local_size), "MPI_Comm_size");
    for (Handle& lane : lanes_) {  // they inherit the error handler
      done(comm_dup_(world, &lane), "MPI_Comm_dup");
    }
    return place;
  }

  void start(int lane, const Collective& what) override {
    using Kind = Collective::Kind;
    if (what.count > INT_MAX)
      fail("a collective of " + std::to_string(what.count) + " elements is more than MPI takes");
    const int count = static_cast<int>(what.count);
    if (what.kind == Kind::broadcast) {
      done(ibcast_(what.data, count, abi_.byte(), what.root, lanes_[lane], &requests_[lane]), "MPI_Ibcast");
      return;
    }
    const Handle type = what.kind == Kind::sum_f32 ? abi_.f32() : abi_.f64();
    const Handle op = what.kind == Kind::min_f64 ? abi_.min() : what.kind == Kind::max_f64 ? abi_.max() : abi_.sum();
    done(iallreduce_(Abi::in_place(), what.data, count, type, op, lanes_[lane], &requests_[lane]), "MPI_Iallreduce");
  }

  bool test(int lane) override {
    int ended = 0;
    done(test_(&requests_[lane], &ended, Abi::no_status()), "MPI_Test");
    return ended != 0;
  }

  void finalize() override { done(finalize_(), "MPI_Finalize"); }

  std::string version() const override {
    constexpr int kLongest = 8192;  // MPICH's
    std::string text(kLongest, '\0');
    int length = 0;
    if (library_version_(text.data(), &length) != 0 || length <= 0) return "";
    text.resize(static_cast<size_t>(length));
    text.resize(std::min(text.size(),
                         text.find_first_of(",\n")));  // "Open MPI v4.1.4, package: ..", "MPICH Version:\t4.0.2\n.."
    std::replace(text.begin(), text.end(), '\t', ' ');
    text.erase(std::unique(text.begin(), text.end(), [](char x, char y) { return x == ' ' && y == ' '; }), text.end());
    return text;
  }
  const std::string& path() const override { return library_.path; }

 private:
  void done(int code, const char* call) const {
    if (code == 0) return;
    constexpr int kLongest = 1024;
    char text[kLongest] = "";
    int length = 0;
    if (error_string_(code, text, &length) != 0) text[0] = '\0';
    fail(std::string(call) + " failed: " + (text[0] ? text : ("error " + std::to_string(code)).c_str()));
  }

  Library library_;
  Abi abi_;
  Handle lanes_[kLanes]{};
  Handle requests_[kLanes]{};

  int (*init_thread_)(int*, char***, int, int*) = nullptr;
  int (*finalize_)() = nullptr;
  int (*comm_rank_)(Handle, int*) = nullptr;
  int (*comm_size_)(Handle, int*) = nullptr;
  int (*comm_dup_)(Handle, Handle*) = nullptr;
  int (*comm_split_type_)(Handle, int, int, Handle, Handle*) = nullptr;
  int (*set_errhandler_)(Handle, Handle) = nullptr;
  int (*iallreduce_)(const void*, void*, int, Handle, Handle, Handle, Handle*) = nullptr;
  int (*ibcast_)(void*, int, Handle, int, Handle, Handle*) = nullptr;
  int (*test_)(Handle*, int*, void*) = nullptr;
  int (*error_string_)(int, char*, int*) = nullptr;
  int (*library_version_)(char*, int*) = nullptr;
};

bool set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value && *value;
}

constexpr const char* kOpenMpi = "libmpi.so.40";
/// Debian's name, and the one that MPICH and those compatible with it agreed on.
constexpr const char* kMpich[] = {"libmpich.so.12", "libmpi.so.12"};

/// Hydra, MPICH's launcher, says PMI_SIZE; all else starts Open MPI as often as not.
std::vector<std::string> candidates() {
  if (set("LCONV_MPI")) return {std::getenv("LCONV_MPI")};
  std::vector<std::string> names{kOpenMpi, kMpich[0], kMpich[1], "libmpi.so"};
  if (set("PMI_SIZE") && !set("OMPI_COMM_WORLD_SIZE")) std::swap(names[0], names[2]), std::swap(names[0], names[1]);
  return names;
}

/// The file behind a name, where the loader says so.
std::string path_of(void* symbol, const std::string& name) {
  Dl_info info{};
  return dladdr(symbol, &info) != 0 && info.dli_fname ? info.dli_fname : name;
}

}  // namespace

std::unique_ptr<Mpi> open_mpi() {
  std::string tried;
  for (const std::string& name : candidates()) {
    // Open MPI's plug-ins look up the symbols of libmpi itself.
    void* const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (!handle) {
      const char* const why = dlerror();
      tried += "\n  - " + name + ": " + (why ? why : "cannot be opened");
      continue;
    }
    void* const mark = dlsym(handle, OpenMpi::mark);
    void* const known = mark ? mark : dlsym(handle, "MPI_Init_thread");
    Library library{handle, known ? path_of(known, name) : name};
    if (mark) return std::make_unique<MpiLibrary<OpenMpi>>(std::move(library));
    return std::make_unique<MpiLibrary<Mpich>>(std::move(library));
  }
  fail("no MPI library can be opened; tried:" + tried +
       "\ninstall one (apt-get install openmpi-bin), or name its file in LCONV_MPI");
}

}  // namespace lieconv
