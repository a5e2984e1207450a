// The tuned kernels in one translation unit with the table that includes this: gyp names an object after its source
// alone, and cannot compile one source for two instruction sets. A forgotten one is an undefined symbol.
#include "../cpu/tuned/conv.cpp"
#include "../cpu/tuned/conv_weight_grad.cpp"
#include "../cpu/tuned/expand.cpp"
#include "../cpu/tuned/products.cpp"
