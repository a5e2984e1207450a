#pragma once
#include "launch.h"
#include "settings.h"

namespace lieconv::cuda {

class CudaExec;

/// Whether a product is one for our own tiles. `automatic`: where the result is a few tiles and the sums are long. A
/// cuBLAS that does not split such sums leaves them to a few multiprocessors, which takes 100 to 400 us.
bool served_by_tiles(const GemmDesc& desc, Gemms gemms);

/// Terms that a block of cuBLAS is expected to add up: all, but for long sums that it splits, so that they fill the
/// GPU.
int64_t terms_of_block(const GemmDesc& desc, int multiprocessors);

/// Writes down the tiles of a product, with long sums cut into parts that are added up in a fixed order.
void lower_product(CudaExec& exec, const Product& product);

/// Sums of a product that was cut into parts, [count, batch, M, N]; none where it was not.
struct Parts {
  int64_t count = 0;
  const float* sums = nullptr;
};
/// Writes down the tiles of a product that is one for them and cut into parts, for others to add these up; else
/// nothing.
Parts lower_parts(CudaExec& exec, const Product& product);

/// The product as one launch of tiles, in float32 whatever the precision: what stands in where cuBLAS fails. It needs
/// no scratch space, as nothing is cut.
Launch tiled(const Product& product);

}  // namespace lieconv::cuda
