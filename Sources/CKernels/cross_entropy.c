#include "CKernels.h"
#include "vectorised.h"

KERNEL void ks_cross_entropy(const float *logits, const int32_t *targets, ks_token_loss *losses, int statistics,
                             ptrdiff_t rows, ptrdiff_t columns) {
  VECTORISED
  for (ptrdiff_t i = 0; i < rows; i++) {
    const float *row = logits + i * columns;
    float largest = vectorised_maximum(row, columns), target = row[targets[i]], sum = 0, weighted = 0, support = 0;
    for (ptrdiff_t j = 0; j < columns; j++) sum += vectorised_exp(row[j] - largest);
    if (statistics & KS_ENTROPY)
      for (ptrdiff_t j = 0; j < columns; j++) weighted += vectorised_exp(row[j] - largest) * (row[j] - largest);
    if (statistics & KS_SUPPORT)
      for (ptrdiff_t j = 0; j < columns; j++) support += row[j] > target ? 0 : vectorised_exp(row[j] - largest);
    ptrdiff_t top = 0;
    while (top < columns - 1 && row[top] != largest) top++;
    float log_sum = logf(sum);
    losses[i].log_sum_exp = largest + log_sum;
    losses[i].negative_log_likelihood = log_sum - (target - largest);
    losses[i].entropy = statistics & KS_ENTROPY ? log_sum - weighted / sum : 0;
    losses[i].support = support / sum;
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
