#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_rotate(float *x, ptrdiff_t stride, const int32_t *positions, const float *cosines, const float *sines,
                      float sign, ptrdiff_t rows, ptrdiff_t heads, ptrdiff_t head_dimension) {
  VECTORISED
  ptrdiff_t half = head_dimension / 2;
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *cosine = cosines + positions[i] * half, *sine = sines + positions[i] * half;
    for (ptrdiff_t h = 0; h < heads; h++) {
      float *a = x + i * stride + h * head_dimension, *b = a + half;
      for (ptrdiff_t j = 0; j < half; j++) {
        float s = sign * sine[j], aj = a[j], bj = b[j];
        a[j] = aj * cosine[j] - bj * s;
        b[j] = bj * cosine[j] + aj * s;
      }
    }
  }
}
