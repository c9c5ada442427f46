#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_swiglu(const float *gate_up, float *y, ptrdiff_t rows, ptrdiff_t width) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *gate = gate_up + 2 * i * width, *up = gate + width;
    float *yi = y + i * width;
    for (ptrdiff_t j = 0; j < width; j++) yi[j] = gate[j] * up[j] / (1.0f + vectorised_exp(-gate[j]));
  }
}

KERNEL void ks_swiglu_backward(float *gate_up, const float *dy, ptrdiff_t rows, ptrdiff_t width) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    float *gate = gate_up + 2 * i * width, *up = gate + width;
    const float *dyi = dy + i * width;
    for (ptrdiff_t j = 0; j < width; j++) {
      float g = gate[j], u = up[j], sigmoid = 1.0f / (1.0f + vectorised_exp(-g));
      gate[j] = dyi[j] * u * sigmoid * (1.0f + g * (1.0f - sigmoid));
      up[j] = dyi[j] * g * sigmoid;
    }
  }
}
