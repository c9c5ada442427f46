#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_round_to_bfloat16(const float *x, ptrdiff_t stride, uint16_t *y, float scale, ptrdiff_t rows,
                                 ptrdiff_t columns) {
  // Rows without gaps are one long row.
  if (stride == columns) columns *= rows, rows = rows > 0;
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *xi = x + i * stride;
    uint16_t *yi = y + i * columns;
    for (ptrdiff_t j = 0; j < columns; j++) {
      float scaled = scale * xi[j];
      uint32_t bits;
      memcpy(&bits, &scaled, sizeof bits);
      // To the nearest, ties to the even one. A not-a-number stays one: its quiet bit is set.
      uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
      uint32_t quiet = (bits >> 16) | 0x40;
      yi[j] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
    }
  }
}

KERNEL void ks_widen_bfloat16(const uint16_t *x, ptrdiff_t stride, float *y, ptrdiff_t rows, ptrdiff_t columns) {
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < columns; j++) {
      uint32_t bits = (uint32_t)x[i * stride + j] << 16;
      memcpy(y + i * columns + j, &bits, sizeof bits);
    }
}
