# lconv_cuda.so, a module of its own that the core opens on the first use of a GPU, so that a machine without one never meets it.
# The CUDA runtime is linked in; cuBLAS is opened at run time, so only its headers are needed here.

if(LCONV_CUDA STREQUAL OFF)
  return()
endif()
# Before the language is looked for: without a list CMake takes the oldest kind alone. sm_75 as PTX, machine code from sm_80 on, and
# PTX of the newest for what comes later.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "75-virtual;80-real;86-real;89-real;90-real;100" CACHE STRING "GPUs to build for")
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(LCONV_CUDA STREQUAL ON)
    message(FATAL_ERROR "lconv: LCONV_CUDA=ON, but nvcc was not found; install the CUDA toolkit 12 or 13, or set CUDACXX")
  endif()
  return()
endif()

enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
find_path(LCONV_CUBLAS_INCLUDE cublas_v2.h HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUBLAS_ROOT ${CMAKE_CURRENT_SOURCE_DIR}/build-cublas
          PATH_SUFFIXES include NO_CACHE)
if(NOT LCONV_CUBLAS_INCLUDE)
  if(LCONV_CUDA STREQUAL ON)
    message(FATAL_ERROR "lconv: LCONV_CUDA=ON, but cublas_v2.h was not found; install cuBLAS's headers, or set CUBLAS_ROOT")
  endif()
  message(STATUS "lconv: nvcc found, but not cublas_v2.h; building without CUDA (npm run setup fetches the headers)")
  return()
endif()

set(cuda_flags -Xptxas=-warn-spills --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas)
if(LCONV_WERROR)
  list(APPEND cuda_flags -Werror=all-warnings -Xptxas=-Werror)
endif()
source_list(cuda cuda_sources)
add_library(lconv_cuda MODULE ${cuda_sources})
target_compile_features(lconv_cuda PRIVATE cxx_std_17 cuda_std_17)
target_compile_definitions(lconv_cuda PRIVATE LCONV_ISA=cuda)
target_include_directories(lconv_cuda SYSTEM PRIVATE ${LCONV_CUBLAS_INCLUDE} ${CUDAToolkit_INCLUDE_DIRS})
target_compile_options(lconv_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:${cuda_flags}> $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra>)
target_link_libraries(lconv_cuda PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS} Threads::Threads)
target_link_options(lconv_cuda PRIVATE -Wl,-Bsymbolic -Wl,--exclude-libs,ALL)
set_target_properties(lconv_cuda PROPERTIES PREFIX "" SUFFIX ".so" SKIP_BUILD_RPATH ON CUDA_VISIBILITY_PRESET hidden
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/$<CONFIG>)
message(STATUS "lconv: CUDA ${CUDAToolkit_VERSION} found, building lconv_cuda.so")
