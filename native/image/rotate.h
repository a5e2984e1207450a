#pragma once
#include <cstdint>

namespace lieconv {

/// Rotates `count` images [height, width] in place, image i by degrees[i / images_per_angle], as
/// scipy.ndimage.rotate(image, degrees, reshape=False, mode="nearest", order=order) does; order is 1 (linear) or 3
/// (cubic). The result does not depend on `threads`. Throws std::invalid_argument before any image is touched.
void rotate_images(float* images, int64_t count, int64_t height, int64_t width, const double* degrees,
                   int64_t images_per_angle, int order, int threads);

}  // namespace lieconv
