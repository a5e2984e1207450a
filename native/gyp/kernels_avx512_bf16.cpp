// A file per instruction set, because gyp names an object after its source alone.
#include "../cpu/kernels.cpp"
