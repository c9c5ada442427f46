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

// GELU's approximation by tanh is x * sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3).
static const float root = 0.7978845608f, cubic = 0.044715f;

KERNEL void ks_geglu(const float *gate_up, float *y, ptrdiff_t rows, ptrdiff_t width) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *gate = gate_up + 2 * i * width, *up = gate + width;
    float *yi = y + i * width;
    for (ptrdiff_t j = 0; j < width; j++) {
      float g = gate[j], u = root * (g + cubic * g * g * g);
      yi[j] = g * up[j] / (1.0f + vectorised_exp(-2.0f * u));
    }
  }
}

KERNEL void ks_geglu_backward(float *gate_up, const float *dy, ptrdiff_t rows, ptrdiff_t width) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    float *gate = gate_up + 2 * i * width, *up = gate + width;
    const float *dyi = dy + i * width;
    for (ptrdiff_t j = 0; j < width; j++) {
      float g = gate[j], v = up[j], u = root * (g + cubic * g * g * g);
      float slope = root * (1.0f + 3.0f * cubic * g * g);
      float sigmoid = 1.0f / (1.0f + vectorised_exp(-2.0f * u));
      gate[j] = dyi[j] * v * sigmoid * (1.0f + 2.0f * g * slope * (1.0f - sigmoid));
      up[j] = dyi[j] * g * sigmoid;
    }
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
