#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_rms_norm(const float *x, const float *weight, float offset, float epsilon, float *y, float *inverse_rms,
                        ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *xi = x + i * columns;
    float *yi = y + i * columns;
    float sum = 0;
    for (ptrdiff_t j = 0; j < columns; j++) sum += xi[j] * xi[j];
    float scale = 1.0f / sqrtf(sum / (float)columns + epsilon);
    inverse_rms[i] = scale;
    for (ptrdiff_t j = 0; j < columns; j++) yi[j] = xi[j] * scale * (offset + weight[j]);
  }
}

KERNEL void ks_rms_norm_backward(const float *x, const float *weight, float offset, const float *inverse_rms, const float *dy,
                                 float *dx, float *d_weight, ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *xi = x + i * columns, *dyi = dy + i * columns;
    float *dxi = dx + i * columns;
    float scale = inverse_rms[i], sum = 0;
    for (ptrdiff_t j = 0; j < columns; j++) sum += dyi[j] * (offset + weight[j]) * xi[j];
    float along = sum * scale * scale * scale / (float)columns;
    for (ptrdiff_t j = 0; j < columns; j++) dxi[j] += dyi[j] * (offset + weight[j]) * scale - along * xi[j];
    if (d_weight)
      for (ptrdiff_t j = 0; j < columns; j++) d_weight[j] += dyi[j] * xi[j] * scale;
  }
}

KERNEL void ks_rms_norm_recompute(const float *x, const float *weight, float offset, const float *inverse_rms, float *y,
                                  ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *xi = x + i * columns;
    float *yi = y + i * columns, scale = inverse_rms[i];
    for (ptrdiff_t j = 0; j < columns; j++) yi[j] = xi[j] * scale * (offset + weight[j]);
  }
}
