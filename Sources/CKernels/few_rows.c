#include "CKernels.h"
#include "vectorised.h"

// A lane is a row of x, so that each weight is read once, in order, and meets 16 rows at a time; no sum is taken
// across lanes.

/// `outputs` columns of y from as many rows of the weight, both sums and lanes in registers.
static inline __attribute__((always_inline)) void tile(const lanes *x, const float *weight, ptrdiff_t inputs, float *y,
                                                       ptrdiff_t y_stride, ptrdiff_t rows, int adding,
                                                       const int outputs, const int width) {
  lanes sums[12][2];
  for (int o = 0; o < outputs; o++)
    for (int l = 0; l < width; l++) sums[o][l] = (lanes){0};
  for (ptrdiff_t j = 0; j < inputs; j++) {
    // The processor does not foresee this many streams: the lines of the next tile's weights are asked for in turn.
    if (j % 16 == 0)
      for (int o = 0; o < outputs; o++) __builtin_prefetch(weight + outputs * inputs + outputs * j + 16 * o);
    for (int o = 0; o < outputs; o++)
      for (int l = 0; l < width; l++) sums[o][l] += weight[o * inputs + j] * x[j * width + l];
  }
  float results[12][32];
  for (int o = 0; o < outputs; o++) memcpy(results[o], sums[o], (size_t)width * sizeof(lanes));
  for (ptrdiff_t i = 0; i < rows; i++)
    for (int o = 0; o < outputs; o++)
      y[i * y_stride + o] = adding ? y[i * y_stride + o] + results[o][i] : results[o][i];
}

/// y[R,O] in blocks of 16 * width rows and at most `most` outputs.
static inline __attribute__((always_inline)) void blocks(const float *x, ptrdiff_t x_stride, const float *weight,
                                                         float *y, ptrdiff_t y_stride, float *workspace, ptrdiff_t rows,
                                                         ptrdiff_t inputs, ptrdiff_t outputs, int adding,
                                                         const int most, const int width) {
  for (ptrdiff_t first = 0; first < rows; first += 16 * width, x += 16 * width * x_stride, y += 16 * width * y_stride) {
    ptrdiff_t count = rows - first < 16 * width ? rows - first : 16 * width, o = 0;
    for (ptrdiff_t j = 0; j < inputs; j++)
      for (ptrdiff_t i = 0; i < 16 * width; i++) workspace[j * 16 * width + i] = i < count ? x[i * x_stride + j] : 0;
    const lanes *turned = (const lanes *)workspace;
    for (; o + most <= outputs; o += most)
      tile(turned, weight + o * inputs, inputs, y + o, y_stride, count, adding, most, width);
    for (; o + 4 <= outputs; o += 4)
      tile(turned, weight + o * inputs, inputs, y + o, y_stride, count, adding, 4, width);
    for (; o < outputs; o++) tile(turned, weight + o * inputs, inputs, y + o, y_stride, count, adding, 1, width);
  }
}

// As many sums as the registers hold: 32 of 16 floats, or 16 of 8.
KERNEL static void project_wide(const float *x, ptrdiff_t x_stride, const float *weight, float *y, ptrdiff_t y_stride,
                                float *workspace, ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int adding) {
  VECTORISED
  ptrdiff_t pairs = rows % 32 > 16 || rows % 32 == 0 ? rows : rows - rows % 32;
  blocks(x, x_stride, weight, y, y_stride, workspace, pairs, inputs, outputs, adding, 12, 2);
  blocks(x + pairs * x_stride, x_stride, weight, y + pairs * y_stride, y_stride, workspace, rows - pairs, inputs,
         outputs, adding, 12, 1);
}

KERNEL static void project_narrow(const float *x, ptrdiff_t x_stride, const float *weight, float *y,
                                  ptrdiff_t y_stride, float *workspace, ptrdiff_t rows, ptrdiff_t inputs,
                                  ptrdiff_t outputs, int adding) {
  VECTORISED
  blocks(x, x_stride, weight, y, y_stride, workspace, rows, inputs, outputs, adding, 6, 1);
}

void ks_project_few(const float *x, ptrdiff_t x_stride, const float *weight, float *y, ptrdiff_t y_stride,
                    float *workspace, ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int adding) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return project_wide(x, x_stride, weight, y, y_stride, workspace, rows, inputs, outputs, adding);
#endif
  project_narrow(x, x_stride, weight, y, y_stride, workspace, rows, inputs, outputs, adding);
}
