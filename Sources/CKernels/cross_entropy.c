#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_cross_entropy(const float *logits, const int32_t *targets, ks_token_loss *losses, int with_entropy,
                             ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *row = logits + i * columns;
    float largest = vectorised_maximum(row, columns), sum = 0, weighted = 0;
    for (ptrdiff_t j = 0; j < columns; j++) sum += vectorised_exp(row[j] - largest);
    if (with_entropy)
      for (ptrdiff_t j = 0; j < columns; j++) weighted += vectorised_exp(row[j] - largest) * (row[j] - largest);
    ptrdiff_t top = 0;
    while (top < columns - 1 && row[top] != largest) top++;
    float log_sum = logf(sum);
    losses[i].log_sum_exp = largest + log_sum;
    losses[i].negative_log_likelihood = log_sum - (row[targets[i]] - largest);
    losses[i].entropy = with_entropy ? log_sum - weighted / sum : 0;
    losses[i].top = (int32_t)top;
  }
}

KERNEL void ks_cross_entropy_backward(float *logits, const int32_t *targets, const ks_token_loss *losses,
                                      const float *weights, float inverse_cap, ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    float *row = logits + i * columns;
    float lse = losses[i].log_sum_exp, weight = weights[i];
    if (inverse_cap != 0) {
      float slope = 1.0f - row[targets[i]] * inverse_cap * (row[targets[i]] * inverse_cap);
      for (ptrdiff_t j = 0; j < columns; j++) {
        float tanh = row[j] * inverse_cap;
        row[j] = weight * vectorised_exp(row[j] - lse) * (1.0f - tanh * tanh);
      }
      row[targets[i]] -= weight * slope;
      continue;
    }
    for (ptrdiff_t j = 0; j < columns; j++) row[j] = weight * vectorised_exp(row[j] - lse);
    row[targets[i]] -= weight;
  }
}
