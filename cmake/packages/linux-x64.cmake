set(processor x86_64)
set(sysroot amd64)
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)
