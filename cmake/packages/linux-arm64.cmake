set(processor aarch64)
set(sysroot arm64)
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)
