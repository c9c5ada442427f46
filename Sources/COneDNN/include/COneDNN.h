/// oneDNN's matmul primitive for bf16: C[m,n] (float) = A[m,k] B[k,n] (bf16), or C += A B.
///
/// The C API of oneDNN 2 and 3 differ; this is the part of both that the project uses. The library is loaded at run
/// time, so a program built with its headers also runs where it is missing. Built without headers, everything here
/// reports KS_ONEDNN_NOT_BUILT. Source: https://uxlfoundation.github.io/oneDNN/dev_guide_matmul.html
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum {
  KS_ONEDNN_READY,
  /// Compiled without oneDNN's headers.
  KS_ONEDNN_NOT_BUILT,
  /// The shared library of the headers' version cannot be loaded.
  KS_ONEDNN_NO_LIBRARY,
} ks_onednn_status;

/// Loads the library at the first call.
ks_onednn_status ks_onednn_load(void);

/// The loaded library's version, such as "2.6.3"; "" where none is loaded.
const char *ks_onednn_version(void);

/// The order in which the library keeps B[k,n] for its fastest product.
typedef struct ks_onednn_layout ks_onednn_layout;

/// NULL where the library refuses. Free it with `ks_onednn_layout_free`.
ks_onednn_layout *ks_onednn_layout_create(ptrdiff_t k, ptrdiff_t n);
void ks_onednn_layout_free(ks_onednn_layout *layout);
/// Bytes of a matrix in this layout.
size_t ks_onednn_layout_bytes(const ks_onednn_layout *layout);
/// Writes B[k,n] to `packed`. Row i of B starts at b + i * stride; with `transposed`, the stored matrix is n x k.
/// 0 on success.
int ks_onednn_pack(const ks_onednn_layout *layout, const uint16_t *b, int transposed, ptrdiff_t stride, void *packed);

/// A product of one shape. One thread uses it at a time.
typedef struct ks_onednn_product ks_onednn_product;

/// What a product is created for. A stride is the number of elements from one stored row to the next; a transposed
/// operand is stored with rows and columns exchanged.
typedef struct {
  ptrdiff_t m, n, k;
  ptrdiff_t a_stride, b_stride, c_stride;
  int a_transposed, b_transposed;
  /// Whether the product is added to C.
  int adding;
} ks_onednn_shape;

/// `layout` is B's, or NULL for B in rows. NULL where the library refuses.
ks_onednn_product *ks_onednn_product_create(const ks_onednn_shape *shape, const ks_onednn_layout *layout);
void ks_onednn_product_free(ks_onednn_product *product);
/// The kernel that the library chose, such as "brg:avx512_core_amx_bf16".
const char *ks_onednn_product_kernel(const ks_onednn_product *product);
/// Computes it on the calling thread alone. 0 on success.
int ks_onednn_product_run(ks_onednn_product *product, const uint16_t *a, const void *b, float *c);
