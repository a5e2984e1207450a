# Toolchain file of the published binaries: compiles for Linux with the machine's own g++, against glibc 2.31 and with libstdc++ and libgcc linked in, so
# that they run wherever glibc is 2.31 or newer. scripts/packages/binaries.mjs sets LCONV_SYSROOT, a folder of Debian 11 packages, and LCONV_PROCESSOR,
# x86_64 or aarch64. Headers and archives are those of g++ 10: those of a newer one need functions that glibc 2.31 does not have.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LCONV_SYSROOT LCONV_PROCESSOR)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${LCONV_PROCESSOR})
set(CMAKE_SYSROOT ${LCONV_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)

set(triple ${LCONV_PROCESSOR}-linux-gnu)
set(CMAKE_CXX_COMPILER ${triple}-g++)
set(include "${LCONV_SYSROOT}/usr/include")
# The moves of its std::function make g++ 12 warn of what may be uninitialized; the normal build, with its own headers, has that warning.
set(CMAKE_CXX_FLAGS_INIT "-Wno-maybe-uninitialized -nostdinc++ -isystem \"${include}/c++/10\" -isystem \"${include}/${triple}/c++/10\"")
# A compiler of this machine's own kind looks into its own folders first, so those of the sysroot are named: -B for the objects that start a program.
set(libraries "${LCONV_SYSROOT}/usr/lib")
set(folders "-B\"${libraries}/${triple}\" -L\"${libraries}/gcc/${triple}/10\" -L\"${libraries}/${triple}\" -L\"${LCONV_SYSROOT}/lib/${triple}\"")
# -s: debugging is done on builds of one's own.
set(linking "${folders} -static-libstdc++ -static-libgcc -s")
set(CMAKE_EXE_LINKER_FLAGS_INIT "${linking}")
# Node exports its own libstdc++, which must not take the place of ours, nor ours that of another addon: only entry points are seen from outside.
set(CMAKE_MODULE_LINKER_FLAGS_INIT "${linking} -Wl,--version-script=\"${CMAKE_CURRENT_LIST_DIR}/exports.map\"")
