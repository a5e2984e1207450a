# Of the toolchain files of the published binaries, linux-x64.cmake and linux-arm64.cmake: compiles with the machine's own g++ and nvcc, against glibc 2.31
# and with libstdc++ and libgcc linked in, so that what comes out runs wherever glibc is 2.31 or newer. The sysroot, packages of Debian 11, comes from
# scripts/packages/sysroot.mjs. Headers and archives are those of g++ 10: those of a newer one need functions that glibc 2.31 does not have.
get_filename_component(root ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
set(sysroot ${root}/build/sysroot/${sysroot})
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${processor})
set(CMAKE_SYSROOT ${sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)

set(triple ${processor}-linux-gnu)
set(CMAKE_CXX_COMPILER ${triple}-g++)
set(CMAKE_CUDA_HOST_COMPILER ${triple}-g++)
# The moves of g++ 10's std::function make g++ 12 warn of what may be uninitialized; the normal build, with its own headers, has that warning.
set(headers "${sysroot}/usr/include/c++/10" "${sysroot}/usr/include/${triple}/c++/10")
list(TRANSFORM headers REPLACE "(.+)" "-isystem;\"\\1\"")
set(compiling "-ffile-prefix-map=\"${root}/\"=" -Wno-maybe-uninitialized -nostdinc++ ${headers})
list(JOIN compiling " " CMAKE_CXX_FLAGS_INIT)
list(JOIN compiling "," compiling)
set(CMAKE_CUDA_FLAGS_INIT "-Xcompiler=--sysroot=\"${sysroot}\",${compiling}")

# A compiler of this machine's own kind looks into its own folders first, so those of the sysroot are named: -B for the objects that start a program.
set(folders "-B\"${sysroot}/usr/lib/${triple}\"")
foreach(folder usr/lib/gcc/${triple}/10 usr/lib/${triple} lib/${triple})
  string(APPEND folders " -L\"${sysroot}/${folder}\"")
endforeach()
# -s: debugging is done on builds of one's own. The sysroot is named again because CMake leaves it out where it links for CUDA.
set(linking "--sysroot=\"${sysroot}\" ${folders} -static-libstdc++ -static-libgcc -s")
set(CMAKE_EXE_LINKER_FLAGS_INIT "${linking}")
# Node exports its own libstdc++, which must not take the place of ours, nor ours that of another addon: only entry points are seen from outside.
set(CMAKE_MODULE_LINKER_FLAGS_INIT "${linking} -Wl,--version-script=\"${CMAKE_CURRENT_LIST_DIR}/exports.map\"")
