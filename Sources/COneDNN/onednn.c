#include "COneDNN.h"

#include <stdlib.h>

#if __has_include(<oneapi/dnnl/dnnl.h>)
#include <oneapi/dnnl/dnnl.h>
#define BUILT 1
#elif __has_include(<dnnl.h>)
#include <dnnl.h>
#define BUILT 1
#else
#define BUILT 0
#endif

#if !BUILT

ks_onednn_status ks_onednn_load(void) { return KS_ONEDNN_NOT_BUILT; }
const char *ks_onednn_version(void) { return ""; }
ks_onednn_layout *ks_onednn_layout_create(ptrdiff_t k, ptrdiff_t n) { return NULL; }
void ks_onednn_layout_free(ks_onednn_layout *layout) {}
size_t ks_onednn_layout_bytes(const ks_onednn_layout *layout) { return 0; }
int ks_onednn_pack(const ks_onednn_layout *layout, const uint16_t *b, int transposed, ptrdiff_t stride, void *packed) {
  return 1;
}
ks_onednn_product *ks_onednn_product_create(const ks_onednn_shape *shape, const ks_onednn_layout *layout) {
  return NULL;
}
void ks_onednn_product_free(ks_onednn_product *product) {}
const char *ks_onednn_product_kernel(const ks_onednn_product *product) { return ""; }
int ks_onednn_product_run(ks_onednn_product *product, const uint16_t *a, const void *b, float *c) { return 1; }

#else

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

#define OLD (DNNL_VERSION_MAJOR < 3)

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
#if defined(__APPLE__)
#define LIBRARY "libdnnl." TEXT_OF(DNNL_VERSION_MAJOR) ".dylib"
#else
#define LIBRARY "libdnnl.so." TEXT_OF(DNNL_VERSION_MAJOR)
#endif

// Functions that both versions have, then those of one.
#define COMMON(X)                                                                                                     \
  X(dnnl_version) X(dnnl_engine_create) X(dnnl_stream_create) X(dnnl_stream_destroy) X(dnnl_stream_wait)              \
  X(dnnl_memory_create) X(dnnl_memory_destroy) X(dnnl_memory_set_data_handle) X(dnnl_memory_desc_get_size)            \
  X(dnnl_memory_desc_equal) X(dnnl_primitive_attr_create) X(dnnl_primitive_attr_destroy)                              \
  X(dnnl_primitive_attr_set_post_ops) X(dnnl_post_ops_create) X(dnnl_post_ops_destroy) X(dnnl_post_ops_append_sum)    \
  X(dnnl_primitive_create) X(dnnl_primitive_destroy) X(dnnl_primitive_execute) X(dnnl_primitive_desc_destroy)         \
  X(dnnl_primitive_desc_query) X(dnnl_primitive_desc_query_md) X(dnnl_reorder_primitive_desc_create)                  \
  X(dnnl_set_primitive_cache_capacity)
#if OLD
#define SPECIFIC(X)                                                                                                   \
  X(dnnl_memory_desc_init_by_strides) X(dnnl_memory_desc_init_by_tag) X(dnnl_matmul_desc_init)                        \
  X(dnnl_primitive_desc_create)
typedef dnnl_memory_desc_t description;
#define REFER(d) (&(d))
#else
#define SPECIFIC(X)                                                                                                   \
  X(dnnl_memory_desc_create_with_strides) X(dnnl_memory_desc_create_with_tag) X(dnnl_memory_desc_clone)               \
  X(dnnl_memory_desc_destroy) X(dnnl_matmul_primitive_desc_create)
typedef dnnl_memory_desc_t description;
#define REFER(d) (d)
#endif

#define DECLARE(name) static __typeof__(&name) p_##name;
COMMON(DECLARE)
SPECIFIC(DECLARE)
static void (*p_omp_set_num_threads)(int);

static ks_onednn_status status = KS_ONEDNN_NO_LIBRARY;
static dnnl_engine_t engine;
static char version_text[32];

static void load(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
#define FIND(name)                                                \
  if (!(p_##name = (__typeof__(p_##name))dlsym(library, #name))) return;
  COMMON(FIND)
  SPECIFIC(FIND)
  // Builds without OpenMP do not have it.
  p_omp_set_num_threads = (void (*)(int))dlsym(library, "omp_set_num_threads");
  // What the library keeps beside the caller's own products serves those of other threads.
  if (p_dnnl_set_primitive_cache_capacity(256) != dnnl_success) return;
  if (p_dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) return;
  const dnnl_version_t *version = p_dnnl_version();
  snprintf(version_text, sizeof version_text, "%d.%d.%d", version->major, version->minor, version->patch);
  status = KS_ONEDNN_READY;
}

ks_onednn_status ks_onednn_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return status;
}

const char *ks_onednn_version(void) {
  ks_onednn_load();
  return version_text;
}

// OpenMP's setting is each thread's own.
static void use_one_thread(void) {
  if (p_omp_set_num_threads) p_omp_set_num_threads(1);
}

/// A matrix in rows; 0 on success.
static int describe(description *d, ptrdiff_t rows, ptrdiff_t columns, dnnl_data_type_t type, int transposed,
                    ptrdiff_t stride) {
  dnnl_dims_t size = {rows, columns};
  dnnl_dims_t strides = {transposed ? 1 : stride, transposed ? stride : 1};
#if OLD
  return p_dnnl_memory_desc_init_by_strides(d, 2, size, type, strides) != dnnl_success;
#else
  return p_dnnl_memory_desc_create_with_strides(d, 2, size, type, strides) != dnnl_success;
#endif
}

/// A matrix in whatever order the library likes best; 0 on success.
static int describe_any(description *d, ptrdiff_t rows, ptrdiff_t columns) {
  dnnl_dims_t size = {rows, columns};
#if OLD
  return p_dnnl_memory_desc_init_by_tag(d, 2, size, dnnl_bf16, dnnl_format_tag_any) != dnnl_success;
#else
  return p_dnnl_memory_desc_create_with_tag(d, 2, size, dnnl_bf16, dnnl_format_tag_any) != dnnl_success;
#endif
}

static void forget(description *d) {
#if !OLD
  if (*d) p_dnnl_memory_desc_destroy(*d);
  *d = NULL;
#endif
}

static dnnl_primitive_desc_t matmul(description *a, description *b, description *c, int adding) {
  dnnl_primitive_desc_t result = NULL;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_post_ops_t sum = NULL;
  if (adding) {
    if (p_dnnl_primitive_attr_create(&attributes) != dnnl_success) return NULL;
    int failed = p_dnnl_post_ops_create(&sum) != dnnl_success ||
#if OLD
                 p_dnnl_post_ops_append_sum(sum, 1) != dnnl_success ||
#else
                 p_dnnl_post_ops_append_sum(sum, 1, 0, dnnl_data_type_undef) != dnnl_success ||
#endif
                 p_dnnl_primitive_attr_set_post_ops(attributes, sum) != dnnl_success;
    if (sum) p_dnnl_post_ops_destroy(sum);
    if (failed) {
      p_dnnl_primitive_attr_destroy(attributes);
      return NULL;
    }
  }
#if OLD
  dnnl_matmul_desc_t operation;
  if (p_dnnl_matmul_desc_init(&operation, a, b, NULL, c) != dnnl_success ||
      p_dnnl_primitive_desc_create(&result, &operation, attributes, engine, NULL) != dnnl_success)
    result = NULL;
#else
  if (p_dnnl_matmul_primitive_desc_create(&result, engine, *a, *b, NULL, *c, attributes) != dnnl_success) result = NULL;
#endif
  if (attributes) p_dnnl_primitive_attr_destroy(attributes);
  return result;
}

struct ks_onednn_layout {
  ptrdiff_t k, n;
  description packed;
};

// The rows of A for which the order of B is chosen; products of other heights take it too.
enum { TYPICAL_ROWS = 512 };

ks_onednn_layout *ks_onednn_layout_create(ptrdiff_t k, ptrdiff_t n) {
  if (ks_onednn_load() != KS_ONEDNN_READY) return NULL;
  use_one_thread();
  ks_onednn_layout *layout = calloc(1, sizeof *layout);
  if (!layout) return NULL;
  layout->k = k;
  layout->n = n;
  description a = {0}, b = {0}, c = {0};
  dnnl_primitive_desc_t product = NULL;
  int failed = describe(&a, TYPICAL_ROWS, k, dnnl_bf16, 0, k) || describe_any(&b, k, n) ||
               describe(&c, TYPICAL_ROWS, n, dnnl_f32, 0, n) || !(product = matmul(&a, &b, &c, 0));
  if (!failed) {
#if OLD
    layout->packed = *p_dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
#else
    failed = p_dnnl_memory_desc_clone(&layout->packed, p_dnnl_primitive_desc_query_md(product, dnnl_query_weights_md,
                                                                                      0)) != dnnl_success;
#endif
    p_dnnl_primitive_desc_destroy(product);
  }
  forget(&a);
  forget(&b);
  forget(&c);
  if (failed) {
    free(layout);
    return NULL;
  }
  return layout;
}

void ks_onednn_layout_free(ks_onednn_layout *layout) {
  if (!layout) return;
  forget(&layout->packed);
  free(layout);
}

size_t ks_onednn_layout_bytes(const ks_onednn_layout *layout) {
  return p_dnnl_memory_desc_get_size(REFER(layout->packed));
}

int ks_onednn_pack(const ks_onednn_layout *layout, const uint16_t *b, int transposed, ptrdiff_t stride, void *packed) {
  use_one_thread();
  description plain = {0};
  dnnl_primitive_desc_t reorder = NULL;
  dnnl_primitive_t primitive = NULL;
  dnnl_memory_t from = NULL, to = NULL;
  dnnl_stream_t stream = NULL;
  int failed = describe(&plain, layout->k, layout->n, dnnl_bf16, transposed, stride);
  failed = failed ||
           p_dnnl_reorder_primitive_desc_create(&reorder, REFER(plain), engine, REFER(layout->packed), engine, NULL) !=
               dnnl_success ||
           p_dnnl_primitive_create(&primitive, reorder) != dnnl_success ||
           p_dnnl_memory_create(&from, REFER(plain), engine, (void *)b) != dnnl_success ||
           p_dnnl_memory_create(&to, REFER(layout->packed), engine, packed) != dnnl_success ||
           p_dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success;
  if (!failed) {
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    failed = p_dnnl_primitive_execute(primitive, stream, 2, arguments) != dnnl_success ||
             p_dnnl_stream_wait(stream) != dnnl_success;
  }
  if (stream) p_dnnl_stream_destroy(stream);
  if (from) p_dnnl_memory_destroy(from);
  if (to) p_dnnl_memory_destroy(to);
  if (primitive) p_dnnl_primitive_destroy(primitive);
  if (reorder) p_dnnl_primitive_desc_destroy(reorder);
  forget(&plain);
  return failed;
}

struct ks_onednn_product {
  dnnl_primitive_t primitive;
  dnnl_stream_t stream;
  dnnl_memory_t a, b, c;
  char kernel[64];
};

ks_onednn_product *ks_onednn_product_create(const ks_onednn_shape *shape, const ks_onednn_layout *layout) {
  if (ks_onednn_load() != KS_ONEDNN_READY) return NULL;
  use_one_thread();
  ks_onednn_product *product = calloc(1, sizeof *product);
  if (!product) return NULL;
  description a = {0}, b = {0}, c = {0};
  dnnl_primitive_desc_t description_of_product = NULL;
  int failed = describe(&a, shape->m, shape->k, dnnl_bf16, shape->a_transposed, shape->a_stride) ||
               (!layout && describe(&b, shape->k, shape->n, dnnl_bf16, shape->b_transposed, shape->b_stride)) ||
               describe(&c, shape->m, shape->n, dnnl_f32, 0, shape->c_stride);
  description *right = layout ? (description *)&layout->packed : &b;
  failed = failed || !(description_of_product = matmul(&a, right, &c, shape->adding)) ||
           p_dnnl_primitive_create(&product->primitive, description_of_product) != dnnl_success ||
           p_dnnl_stream_create(&product->stream, engine, dnnl_stream_default_flags) != dnnl_success ||
           p_dnnl_memory_create(&product->a, REFER(a), engine, DNNL_MEMORY_NONE) != dnnl_success ||
           p_dnnl_memory_create(&product->b, REFER(*right), engine, DNNL_MEMORY_NONE) != dnnl_success ||
           p_dnnl_memory_create(&product->c, REFER(c), engine, DNNL_MEMORY_NONE) != dnnl_success;
  const char *kernel = NULL;
  if (!failed &&
      p_dnnl_primitive_desc_query(description_of_product, dnnl_query_impl_info_str, 0, &kernel) == dnnl_success)
    snprintf(product->kernel, sizeof product->kernel, "%s", kernel);
  if (description_of_product) p_dnnl_primitive_desc_destroy(description_of_product);
  forget(&a);
  forget(&b);
  forget(&c);
  if (failed) {
    ks_onednn_product_free(product);
    return NULL;
  }
  return product;
}

void ks_onednn_product_free(ks_onednn_product *product) {
  if (!product) return;
  if (product->a) p_dnnl_memory_destroy(product->a);
  if (product->b) p_dnnl_memory_destroy(product->b);
  if (product->c) p_dnnl_memory_destroy(product->c);
  if (product->stream) p_dnnl_stream_destroy(product->stream);
  if (product->primitive) p_dnnl_primitive_destroy(product->primitive);
  free(product);
}

const char *ks_onednn_product_kernel(const ks_onednn_product *product) { return product->kernel; }

int ks_onednn_product_run(ks_onednn_product *product, const uint16_t *a, const void *b, float *c) {
  use_one_thread();
  dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, product->a}, {DNNL_ARG_WEIGHTS, product->b}, {DNNL_ARG_DST, product->c}};
  return p_dnnl_memory_set_data_handle(product->a, (void *)a) != dnnl_success ||
         p_dnnl_memory_set_data_handle(product->b, (void *)b) != dnnl_success ||
         p_dnnl_memory_set_data_handle(product->c, c) != dnnl_success ||
         p_dnnl_primitive_execute(product->primitive, product->stream, 3, arguments) != dnnl_success ||
         p_dnnl_stream_wait(product->stream) != dnnl_success;
}

#endif
