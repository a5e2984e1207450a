#pragma once
#include <cstdint>
namespace lieconv {
void rotate_images(float* images, int64_t count, int64_t height, int64_t width, const double* degrees, int64_t images_per_angle, int order, int threads);
}
