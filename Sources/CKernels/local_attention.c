// Attention among neighbours: a position reads a square of positions around its own place, in each
// of several frames.
//
// A thread takes a tile of the image and goes over the frames. What it reads of a frame it packs
// once, so that it stays in the second-level cache: keys channel by channel, so that sixteen
// neighbouring queries meet their keys in one vector; values row by row, as their sums are formed.
// Softmax is the online one (Milakov and Gimelshein 2018): running largest score, running sum.
#include <math.h>

#include "local_attention_pack.h"
#include "local_attention_scores.h"

// ---- Sums of values

/// Adds to 16 n channels of `group` neighbouring sums their weighted values.
/// - rows: of displacements that lie in the image.
/// - v: the value at the first displacement of the first position.
TDM_INLINE void add_values(
    size_t group, size_t n, const job *j, float *out, const float *weights, const float *shrink,
    const float *v, size_t rows) {
  tdm_v16 sums[8][2], value;
  for (size_t g = 0; g < group; g++)
    for (size_t i = 0; i < n; i++) {
      memcpy(&value, out + g * j->breadth + i * BLOCK, sizeof value);
      sums[g][i] = value * shrink[g];
    }
  for (size_t dy = 0; dy < rows; dy++)
    for (size_t dx = 0; dx < j->side; dx++) {
      const float *weight = weights + (dy * j->side + dx) * BLOCK;
      const float *from = v + (dy * j->columns + dx) * j->breadth;
      for (size_t g = 0; g < group; g++)
        for (size_t i = 0; i < n; i++) {
          memcpy(&value, from + g * j->breadth + i * BLOCK, sizeof value);
          sums[g][i] += value * weight[g];
        }
    }
  for (size_t g = 0; g < group; g++)
    for (size_t i = 0; i < n; i++)
      memcpy(out + g * j->breadth + i * BLOCK, &sums[g][i], sizeof value);
}

/// Of sixteen neighbouring positions.
TDM_INLINE void add_values_of_block(
    size_t group, const job *j, float *out, const float *weights, const tdm_v16 *shrink,
    const float *v, size_t rows) {
  float factors[BLOCK];
  memcpy(factors, shrink, sizeof factors);
  for (size_t x = 0; x < BLOCK; x += group) {
    size_t c = 0, at = x * j->breadth;
    for (; c + 2 * BLOCK <= j->breadth; c += 2 * BLOCK)
      add_values(group, 2, j, out + at + c, weights + x, factors + x, v + at + c, rows);
    if (c < j->breadth)
      add_values(group, 1, j, out + at + c, weights + x, factors + x, v + at + c, rows);
  }
}

// ---- A tile

TDM_INLINE void start(const job *j, const room *r, const tile *t) {
  for (size_t i = 0; i < TILE_ROWS * TILE_COLUMNS; i++) r->largest[i] = -INFINITY;
  memset(r->sum, 0, TILE_ROWS * TILE_COLUMNS * sizeof(float));
  memset(r->out, 0, TILE_ROWS * TILE_COLUMNS * j->breadth * sizeof(float));
  for (size_t x = 0; x < j->key_columns; x++) {
    size_t column = t->left + x;  // and the reach further to the right than in the image
    r->beyond[x] = column >= j->reach && column < j->width + j->reach ? 0 : BEYOND;
  }
}

TDM_INLINE void finish(tdm_type type, const job *j, const room *r, const tile *t) {
  size_t columns = least(t->blocks * BLOCK, j->width - t->left), channels = j->value_channels;
  for (size_t row = 0; row < t->rows; row++)
    for (size_t x = 0; x < columns; x++) {
      size_t at = row * TILE_COLUMNS + x;
      const float *sums = r->out + at * j->breadth;
      float inverse = 1.0f / r->sum[at];
      void *out = tdm_out(type, j->out, ((t->top + row) * j->width + t->left + x) * channels);
      TDM_LANES
      for (size_t c = 0; c < channels; c++) tdm_store(type, out, c, sums[c] * inverse);
    }
}

/// - group: positions whose sums are formed side by side, as many as there are registers for.
TDM_INLINE void attend_tile(size_t group, const job *j, const room *r, const tile *t) {
  size_t reach = j->reach, side = j->side;
  // Packed rows that lie in the image.
  size_t from = t->top < reach ? reach - t->top : 0;
  size_t to = least(t->rows + 2 * reach, j->height + reach - t->top);
  start(j, r, t);
  TDM_FOR_TYPE(j->type, T, pack_queries(T, j, r, t))
  for (size_t source = 0; source < j->sources; source++) {
    TDM_FOR_TYPE(j->type, T, pack_source(T, j, r, t, source, from, to))
    for (size_t row = 0; row < t->rows; row++) {
      size_t above = row < from ? from : row, below = least(row + side, to);
      for (size_t block = 0; block < t->blocks; block++) {
        size_t x = block * BLOCK, at = row * TILE_COLUMNS + x;
        const float *q = r->q + (row * (TILE_COLUMNS / BLOCK) + block) * j->depth * BLOCK;
        for (size_t y = above; y < below; y++)
          score_row(
              j, r->scores + (y - above) * side * BLOCK, q,
              r->k + y * j->depth * j->key_columns + x, r->beyond + x,
              j->biases[source] + (y - row) * side);
        tdm_v16 shrink;
        soften(r->scores, (below - above) * side, r->largest + at, r->sum + at, &shrink);
        add_values_of_block(
            group, j, r->out + at * j->breadth, r->scores, &shrink,
            r->v + (above * j->columns + x) * j->breadth, below - above);
      }
    }
  }
  TDM_FOR_TYPE(j->type, T, finish(T, j, r, t))
}

#if TDM_X86
TDM_AVX512 static void attend_avx512(const job *j, const room *r, const tile *t) {
  attend_tile(8, j, r, t);
}
TDM_AVX2 static void attend_avx2(const job *j, const room *r, const tile *t) {
  attend_tile(2, j, r, t);
}
#endif
static void attend_plain(const job *j, const room *r, const tile *t) { attend_tile(1, j, r, t); }

static void attend(const job *j, const room *r, const tile *t) {
#if TDM_X86
  tdm_isa isa = tdm_isa_current();
  if (isa >= TDM_ISA_AVX512) {
    attend_avx512(j, r, t);
    return;
  }
  if (isa >= TDM_ISA_AVX2) {
    attend_avx2(j, r, t);
    return;
  }
#endif
  attend_plain(j, r, t);
}

// ---- Spread over the threads

// Tiles are taken as threads come to them; which thread does a tile does not show in its result.
static void attend_share(void *context, size_t thread) {
  job *j = context;
  room r = room_at(j, (float *)(j->own + thread * j->own_bytes));
  size_t across = (j->width + TILE_COLUMNS - 1) / TILE_COLUMNS;
  size_t tiles = across * ((j->height + TILE_ROWS - 1) / TILE_ROWS);
  for (;;) {
    size_t index = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
    if (index >= tiles) break;
    tile t = {.top = index / across * TILE_ROWS, .left = index % across * TILE_COLUMNS};
    t.rows = least(TILE_ROWS, j->height - t.top);
    t.blocks = round_up(least(TILE_COLUMNS, j->width - t.left)) / BLOCK;
    attend(j, &r, &t);
  }
}

size_t tdm_local_attention_scratch(
    size_t key_channels, size_t value_channels, size_t reach, int threads) {
  job j = {.key_channels = key_channels, .value_channels = value_channels, .reach = reach};
  measure(&j);
  return (size_t)(threads > 1 ? threads : 1) * j.own_bytes;
}

void tdm_local_attention(
    tdm_type type, void *out, const void *q, const void *const *k, const void *const *v,
    const float *const *biases, size_t sources, size_t height, size_t width, size_t key_channels,
    size_t value_channels, size_t reach, float scale, void *scratch, int threads) {
  job j = {
      .type = type, .out = out, .q = q, .k = k, .v = v, .biases = biases, .sources = sources,
      .height = height, .width = width, .key_channels = key_channels,
      .value_channels = value_channels, .reach = reach, .scale = scale * LOG2_E,
      .own = scratch,
  };
  measure(&j);
  tdm_parallel_for(threads, (size_t)(threads > 1 ? threads : 1), attend_share, &j);
}
