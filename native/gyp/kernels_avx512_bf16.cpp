#include "../cpu/kernels_bf16.cpp"
#include "tuned.h"
