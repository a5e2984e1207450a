#pragma once
#include "cublas_product.h"

// What a GPU lets pass and the stand-in does not: operands outside device memory, and results that share elements.

namespace lieconv::blas {

/// Whether all elements lie inside one live allocation of the current device, on their natural alignment.
bool lives_on_device(const Stored& stored);

/// Whether an element belongs to two members.
bool members_overlap(const Stored& stored);

/// Whether an element of `x` is an element of `y`.
bool share_elements(const Stored& x, const Stored& y);

}  // namespace lieconv::blas
