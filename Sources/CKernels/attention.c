// Attention: packs keys and values, then goes over (head, block of queries) with the tile kernel of
// the instruction set in use.
#include "attention.h"

#include <math.h>
#include <stdatomic.h>

typedef struct {
  tdm_packing packing;
  const tdm_tile_kernel *kernel;
  void *out;
  const void *q;
  size_t queries, heads, q_stride, out_stride;
  float scale;
  int causal;
  size_t blocks;         // of keys
  size_t key_bytes;      // of one head's packed keys
  size_t value_bytes;
  char *k, *v;           // packed
  char *own;             // the threads' own scratch
  size_t own_bytes;      // of one thread
  size_t query_block;    // queries in one piece of work
  size_t pieces_a_head;
  atomic_size_t next;    // piece of work to be taken
} job;

static const tdm_tile_kernel *kernel_for(tdm_type type) {
#if TDM_X86
  tdm_isa isa = tdm_isa_current();
  if (type == TDM_BF16 && isa >= TDM_ISA_AMX_BF16) return &tdm_tile_amx_bf16;
  if (type == TDM_BF16 && isa >= TDM_ISA_AVX512_BF16) return &tdm_tile_avx512_bf16;
  if (isa >= TDM_ISA_AVX512) return &tdm_tile_avx512;
  if (isa >= TDM_ISA_AVX2) return &tdm_tile_avx2;
#endif
  return &tdm_tile_plain;
}

// ---- Scratch: packed keys, packed values, then each thread's own part

static size_t element(const tdm_tile_kernel *kernel) { return kernel->paired ? 2 : 4; }

static size_t padded_keys(const tdm_tile_kernel *kernel, size_t keys) {
  return tdm_round_up(keys, 16 * kernel->group_unit);
}

static size_t key_bytes(const tdm_tile_kernel *kernel, size_t keys, size_t d) {
  return tdm_round_up(
      padded_keys(kernel, keys) * tdm_round_up(d, kernel->depth_unit) * element(kernel), 64);
}

static size_t value_bytes(const tdm_tile_kernel *kernel, size_t keys, size_t d) {
  return padded_keys(kernel, keys) * tdm_round_up(d, 16) * element(kernel);
}

static size_t query_bytes(const tdm_tile_kernel *kernel, size_t d) {
  return tdm_round_up(TDM_QUERY_BLOCK * tdm_round_up(d, kernel->depth_unit) * element(kernel), 64);
}

static size_t own_bytes(const tdm_tile_kernel *kernel, size_t d) {
  size_t scores = kernel->rows * TDM_KEY_BLOCK, rows = 2 * TDM_QUERY_BLOCK;
  size_t out = TDM_QUERY_BLOCK * tdm_round_up(d, 16);
  return query_bytes(kernel, d) + (scores + rows + out) * sizeof(float);
}

size_t tdm_attention_scratch_for(
    const tdm_tile_kernel *kernel, size_t keys, size_t heads, size_t d, int threads) {
  return heads * (key_bytes(kernel, keys, d) + value_bytes(kernel, keys, d)) +
         (size_t)(threads > 1 ? threads : 1) * own_bytes(kernel, d);
}

size_t tdm_attention_scratch(
    tdm_type type, size_t keys, size_t heads, size_t head_dimension, int threads) {
  return tdm_attention_scratch_for(kernel_for(type), keys, heads, head_dimension, threads);
}

// ---- Packing

static void pack_piece(void *context, size_t index) {
  job *j = context;
  const tdm_packing *p = &j->packing;
  size_t head = index / j->blocks, block = index % j->blocks;
  size_t first = block * TDM_KEY_BLOCK * element(j->kernel);
  tdm_pack_keys(p, j->k + head * j->key_bytes + first * p->depth, head, block);
  tdm_pack_values(p, j->v + head * j->value_bytes + first * p->width, head, block);
}

// ---- A block of queries

TDM_INLINE void finish_body(
    tdm_type type, void *out, float *sums, const float *weights, size_t rows, size_t d,
    size_t width, int halved, size_t stride) {
  TDM_FOR_TYPE(type, T, for (size_t r = 0; r < rows; r++) {
    float inverse = 1.0f / weights[r];
    void *row = tdm_out(T, out, r * stride);
    float *sum = sums + r * width, *last = sum + width - 16;
    for (size_t i = 0; halved && i < 8; i++) last[i] += last[i + 8];
    TDM_LANES
    for (size_t i = 0; i < d; i++) tdm_store(T, row, i, sum[i] * inverse);
  })
}
TDM_DISPATCH(
    finish,
    (tdm_type type, void *out, float *sums, const float *weights, size_t rows, size_t d,
     size_t width, int halved, size_t stride),
    (type, out, sums, weights, rows, d, width, halved, stride))

static void attend(const job *j, char *own, size_t head, size_t first, size_t rows) {
  const tdm_packing *p = &j->packing;
  const tdm_tile_kernel *kernel = j->kernel;
  size_t unit = kernel->rows, d = p->head_dimension;
  char *q = own;
  float *scores = (float *)(own + query_bytes(kernel, d));
  float *largest = scores + unit * TDM_KEY_BLOCK, *sum = largest + TDM_QUERY_BLOCK;
  float *out = sum + TDM_QUERY_BLOCK;

  const void *from = tdm_at(p->type, j->q, first * j->q_stride + head * d);
  tdm_pack_queries(p, q, from, j->q_stride, rows, tdm_round_up(rows, unit));
  for (size_t block = 0; block < j->blocks; block++) {
    size_t key = block * TDM_KEY_BLOCK, offset = key * element(kernel);
    size_t keys = tdm_least(p->keys - key, TDM_KEY_BLOCK);
    if (j->causal && key > first + rows - 1) break;
    for (size_t r = 0; r < rows; r += unit) {
      int32_t visible[TDM_MOST_ROWS];
      for (size_t i = 0; i < unit; i++) {
        size_t seen = first + r + i + 1 > key ? first + r + i + 1 - key : 0;
        visible[i] = (int32_t)(j->causal ? tdm_least(keys, seen) : keys);
      }
      tdm_tile tile = {
          .q = q + r * p->depth * element(kernel),
          .k = j->k + head * j->key_bytes + offset * p->depth,
          .v = j->v + head * j->value_bytes + offset * p->width,
          .groups = tdm_block_groups(p->keys, block, p->group_unit),
          .depth = p->depth,
          .width = p->width,
          .visible = visible,
          .halved = p->halved,
          .scale = j->scale,
          .first = block == 0,
          .scores = scores,
          .largest = largest + r,
          .sum = sum + r,
          .out = out + r * p->width,
      };
      kernel->tile(&tile);
    }
  }
  void *to = tdm_out(p->type, j->out, first * j->out_stride + head * d);
  finish(p->type, to, out, sum, rows, d, p->width, p->halved, j->out_stride);
}

// Pieces are taken as threads come to them; which thread does a piece does not show in its result.
static void attend_share(void *context, size_t thread) {
  job *j = context;
  char *own = j->own + thread * j->own_bytes;
  if (j->kernel->begin) j->kernel->begin();
  size_t pieces = j->heads * j->pieces_a_head;
  for (;;) {
    size_t piece = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
    if (piece >= pieces) break;
    size_t first = piece % j->pieces_a_head * j->query_block;
    attend(j, own, piece / j->pieces_a_head, first, tdm_least(j->queries - first, j->query_block));
  }
  if (j->kernel->end) j->kernel->end();
}

static void run(job *j, void *scratch, int threads) {
  const tdm_tile_kernel *kernel = j->kernel;
  tdm_packing *p = &j->packing;
  size_t d = p->head_dimension, workers = (size_t)(threads > 1 ? threads : 1);
  p->depth = tdm_round_up(d, kernel->depth_unit);
  p->width = tdm_round_up(d, 16);
  p->group_unit = kernel->group_unit;
  p->paired = kernel->paired;
  p->halved = kernel->halves && d % 16 > 0 && d % 16 <= 8;
  j->blocks = (p->keys + TDM_KEY_BLOCK - 1) / TDM_KEY_BLOCK;
  j->key_bytes = key_bytes(kernel, p->keys, d);
  j->value_bytes = value_bytes(kernel, p->keys, d);
  j->own_bytes = own_bytes(kernel, d);
  j->k = scratch;
  j->v = j->k + j->heads * j->key_bytes;
  j->own = j->v + j->heads * j->value_bytes;
  // Enough pieces for the threads to share evenly; a row's arithmetic does not depend on its piece.
  size_t share = (j->heads * j->queries + 4 * workers - 1) / (4 * workers);
  j->query_block = tdm_least(tdm_round_up(share, kernel->rows), TDM_QUERY_BLOCK);
  j->pieces_a_head = (j->queries + j->query_block - 1) / j->query_block;
  // A few thousand products are done sooner by one thread than handed out.
  if (j->heads * j->queries * p->keys * d < 1 << 16) threads = 1, workers = 1;
  tdm_parallel_for(threads, j->heads * j->blocks, pack_piece, j);
  tdm_parallel_for(threads, workers, attend_share, j);
}

void tdm_attention_by(
    const tdm_tile_kernel *kernel, tdm_type type, void *out, const void *q, const void *const *k,
    const void *const *v, size_t sources, size_t queries, size_t keys, size_t heads,
    size_t head_dimension, size_t q_stride, size_t kv_stride, size_t out_stride, float scale,
    int causal, void *scratch, int threads) {
  if (queries == 0 || heads == 0 || head_dimension == 0) return;
  if (keys == 0 || sources == 0) {
    for (size_t i = 0; i < queries; i++)
      memset(tdm_out(type, out, i * out_stride), 0, heads * head_dimension * tdm_size(type));
    return;
  }
  // Zero would not keep a masked score at minus infinity; keys of zero do the same.
  float magnitude = scale == 0 ? 1.0f : fabsf(scale);
  job j = {
      .packing = {.type = type, .k = k, .v = v, .sources = sources, .keys = keys,
                  .head_dimension = head_dimension, .kv_stride = kv_stride,
                  .sign = scale < 0 ? -1.0f : scale > 0 ? 1.0f : 0.0f},
      .kernel = kernel, .out = out, .q = q, .queries = queries, .heads = heads,
      .q_stride = q_stride, .out_stride = out_stride,
      .scale = magnitude * 1.44269504088896341f, .causal = causal,
  };
  run(&j, scratch, threads);
}

void tdm_attention(
    tdm_type type, void *out, const void *q, const void *const *k, const void *const *v,
    size_t sources, size_t queries, size_t keys, size_t heads, size_t head_dimension,
    size_t q_stride, size_t kv_stride, size_t out_stride, float scale, int causal, void *scratch,
    int threads) {
  tdm_attention_by(
      kernel_for(type), type, out, q, k, v, sources, queries, keys, heads, head_dimension, q_stride,
      kv_stride, out_stride, scale, causal, scratch, threads);
}
