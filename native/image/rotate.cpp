#include "rotate.h"
namespace lieconv {
void rotate_images(float*, int64_t, int64_t, int64_t, const double*, int64_t, int, int) {}
}
