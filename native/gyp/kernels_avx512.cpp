#include "../cpu/kernels.cpp"
#include "tuned.h"
