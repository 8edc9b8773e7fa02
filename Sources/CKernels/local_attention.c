// Attention among neighbours: a position reads a square of positions around its own place, in each
// of several frames.
//
// A thread takes a tile of the image and goes over the frames. What it reads of a frame it packs
// once, so that it stays in the second-level cache: keys channel by channel, so that sixteen
// neighbouring queries meet their keys in one vector; values row by row, as their sums are formed.
// Softmax is the online one (Milakov and Gimelshein 2018): running largest score, running sum.
#include <math.h>
#include <stdatomic.h>

#include "vector.h"

enum { TILE_ROWS = 8, TILE_COLUMNS = 64, BLOCK = TDM_LANE_COUNT };

/// The score of what lies beyond the borders: so low that its exponential is nothing beside any
/// other, and a number, so that no difference of two is none.
#define BEYOND -1e30f

#define LOG2_E 1.44269504088896341f

typedef struct {
  tdm_type type;
  void *out;
  const void *q, *const *k, *const *v;
  const float *const *biases;
  size_t sources, height, width, key_channels, value_channels, reach, side;
  float scale;                   // of queries: scores are powers of two
  size_t depth, breadth;         // channels of keys and of values, padded
  size_t key_columns, columns;   // of a packed row of keys, of values
  char *own;                     // the threads' own scratch
  size_t own_bytes;
  _Atomic size_t next;           // the next tile that nobody has taken
} job;

/// A thread's own scratch.
typedef struct {
  float *q;        // [TILE_ROWS, TILE_COLUMNS / 16, depth, 16]
  float *k;        // [TILE_ROWS + 2 reach, depth, key_columns]
  float *v;        // [TILE_ROWS + 2 reach, columns, breadth]
  float *beyond;   // [key_columns]: added to the scores of a packed column, 0 or BEYOND
  float *scores;   // [side, side, 16]
  float *largest;  // [TILE_ROWS, TILE_COLUMNS]
  float *sum;      // [TILE_ROWS, TILE_COLUMNS]
  float *out;      // [TILE_ROWS, TILE_COLUMNS, breadth], not yet divided by sum
  size_t count;    // of floats
} room;

typedef struct {
  size_t top, left, rows, blocks;  // blocks of 16 columns, the last of which may reach beyond
} tile;

static size_t round_up(size_t x) { return (x + BLOCK - 1) / BLOCK * BLOCK; }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static room room_at(const job *j, float *at) {
  room r;
  size_t rows = TILE_ROWS + 2 * j->reach;
  float *from = at;
  r.q = at, at += TILE_ROWS * TILE_COLUMNS * j->depth;
  r.k = at, at += rows * j->depth * j->key_columns;
  r.v = at, at += rows * j->columns * j->breadth;
  r.beyond = at, at += j->key_columns;
  r.scores = at, at += j->side * j->side * BLOCK;
  r.largest = at, at += TILE_ROWS * TILE_COLUMNS;
  r.sum = at, at += TILE_ROWS * TILE_COLUMNS;
  r.out = at, at += TILE_ROWS * TILE_COLUMNS * j->breadth;
  r.count = (size_t)(at - from);
  return r;
}

static void measure(job *j) {
  j->side = 2 * j->reach + 1;
  j->depth = round_up(j->key_channels);
  j->breadth = round_up(j->value_channels);
  j->columns = TILE_COLUMNS + 2 * j->reach;
  j->key_columns = round_up(j->columns);
  float nothing = 0;
  j->own_bytes = (room_at(j, &nothing).count * sizeof(float) + 63) / 64 * 64;
}

// ---- Packing

/// Channels c..<c + 16 of the position x of an image with `channels`; zeros for channels beyond.
TDM_INLINE void load_channels(
    tdm_type type, tdm_v16 *value, const void *x, size_t position, size_t channels, size_t c) {
  size_t at = position * channels + c;
  if (c + BLOCK <= channels) {
    tdm_load16(type, value, x, at);
    return;
  }
  *value = 0;
  for (size_t i = 0; c + i < channels; i++) (*value)[i] = tdm_load(type, x, at + i);
}

// Four interleavings of the first half of the vectors with the second exchange rows and columns.
TDM_INLINE void transpose(tdm_v16 *x) {
  tdm_v16 y[BLOCK];
  for (int round = 0; round < 2; round++) {
    _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCK / 2; i++) {
      y[2 * i] = __builtin_shufflevector(
          x[i], x[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      y[2 * i + 1] = __builtin_shufflevector(
          x[i], x[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCK / 2; i++) {
      x[2 * i] = __builtin_shufflevector(
          y[i], y[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      x[2 * i + 1] = __builtin_shufflevector(
          y[i], y[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
  }
}

/// Sixteen positions of row y from column x on, which may lie outside the image, channel by channel:
/// out [depth, stride].
TDM_INLINE void pack_columns(
    tdm_type type, float *out, size_t stride, const void *image, const job *j, size_t y,
    ptrdiff_t x, float scale) {
  for (size_t c = 0; c < j->depth; c += BLOCK) {
    tdm_v16 lines[BLOCK];
    _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCK; i++) {
      ptrdiff_t column = x + i;
      if (column >= 0 && column < (ptrdiff_t)j->width)
        load_channels(
            type, lines + i, image, y * j->width + (size_t)column, j->key_channels, c);
      else
        lines[i] = 0;
    }
    transpose(lines);
    _Pragma("clang loop unroll(full)") for (int i = 0; i < BLOCK; i++) {
      lines[i] *= scale;
      memcpy(out + (c + (size_t)i) * stride, lines + i, sizeof *lines);
    }
  }
}

TDM_INLINE void pack_queries(tdm_type type, const job *j, const room *r, const tile *t) {
  for (size_t row = 0; row < t->rows; row++)
    for (size_t block = 0; block < t->blocks; block++) {
      float *out = r->q + (row * (TILE_COLUMNS / BLOCK) + block) * j->depth * BLOCK;
      pack_columns(
          type, out, BLOCK, j->q, j, t->top + row, (ptrdiff_t)(t->left + block * BLOCK), j->scale);
    }
}

/// Rows from..<to of a frame, counted in the tile's packed rows.
TDM_INLINE void pack_source(
    tdm_type type, const job *j, const room *r, const tile *t, size_t source, size_t from,
    size_t to) {
  ptrdiff_t left = (ptrdiff_t)t->left - (ptrdiff_t)j->reach;
  size_t columns = t->blocks * BLOCK + 2 * j->reach;
  for (size_t row = from; row < to; row++) {
    size_t y = t->top + row - j->reach;
    for (size_t x = 0; x < columns; x += BLOCK)
      pack_columns(
          type, r->k + row * j->depth * j->key_columns + x, j->key_columns, j->k[source], j, y,
          left + (ptrdiff_t)x, 1);
    float *out = r->v + row * j->columns * j->breadth;
    for (size_t x = 0; x < columns; x++) {
      ptrdiff_t column = left + (ptrdiff_t)x;
      int inside = column >= 0 && column < (ptrdiff_t)j->width;
      for (size_t c = 0; c < j->breadth; c += BLOCK) {
        tdm_v16 value = 0;
        if (inside)
          load_channels(
              type, &value, j->v[source], y * j->width + (size_t)column, j->value_channels, c);
        memcpy(out + x * j->breadth + c, &value, sizeof value);
      }
    }
  }
}

// ---- Scores

/// The scores of sixteen queries with the keys at `n` neighbouring displacements.
TDM_INLINE void score_run(
    size_t n, const job *j, float *scores, const float *q, const float *k, const float *beyond,
    const float *bias) {
  tdm_v16 sums[7], query, key;
  for (size_t i = 0; i < n; i++) {
    memcpy(&key, beyond + i, sizeof key);
    sums[i] = key + bias[i] * LOG2_E;
  }
  for (size_t c = 0; c < j->key_channels; c++) {
    memcpy(&query, q + c * BLOCK, sizeof query);
    for (size_t i = 0; i < n; i++) {
      memcpy(&key, k + c * j->key_columns + i, sizeof key);
      sums[i] += query * key;
    }
  }
  for (size_t i = 0; i < n; i++) memcpy(scores + i * BLOCK, sums + i, sizeof key);
}

/// The scores of sixteen queries with a row of keys, in runs that fit in registers.
TDM_INLINE void score_row(
    const job *j, float *scores, const float *q, const float *k, const float *beyond,
    const float *bias) {
  size_t i = 0;
  for (; i + 7 <= j->side; i += 7)
    score_run(7, j, scores + i * BLOCK, q, k + i, beyond + i, bias + i);
  for (; i + 3 <= j->side; i += 3)
    score_run(3, j, scores + i * BLOCK, q, k + i, beyond + i, bias + i);
  for (; i < j->side; i++) score_run(1, j, scores + i * BLOCK, q, k + i, beyond + i, bias + i);
}

/// tdm_exp2 of numbers that are not above zero.
TDM_INLINE void exp2_lanes(tdm_v16 *value) {
  tdm_v16 x = *value, low = -126.0f, magic = 12582912.0f;
  x = x < low ? low : x;
  tdm_v16 shifted = x + magic;
  tdm_v16 f = x - (shifted - magic);
  tdm_v16 p = 1.5403530393381609954e-4f;
  p = p * f + 1.3333558146428443423e-3f;
  p = p * f + 9.6181291076284771619e-3f;
  p = p * f + 5.5504108664821579953e-2f;
  p = p * f + 2.4022650695910071233e-1f;
  p = p * f + 6.9314718055994530942e-1f;
  p = p * f + 1.0f;
  tdm_u16x32 bits, exponent;
  memcpy(&bits, &p, sizeof bits);
  memcpy(&exponent, &shifted, sizeof exponent);
  bits += exponent << 23;
  memcpy(value, &bits, sizeof bits);
}

/// Turns `count` scores of each of sixteen queries into exponentials relative to the largest so far;
/// `shrink` is what earlier ones have to be multiplied by.
TDM_INLINE void soften(
    float *scores, size_t count, float *largest, float *sum, tdm_v16 *shrink) {
  tdm_v16 top, total, x;
  memcpy(&top, largest, sizeof top);
  memcpy(&total, sum, sizeof total);
  *shrink = top;
  for (size_t i = 0; i < count; i++) {
    memcpy(&x, scores + i * BLOCK, sizeof x);
    top = x > top ? x : top;
  }
  *shrink -= top;
  exp2_lanes(shrink);
  total *= *shrink;
  for (size_t i = 0; i < count; i++) {
    memcpy(&x, scores + i * BLOCK, sizeof x);
    x -= top;
    exp2_lanes(&x);
    total += x;
    memcpy(scores + i * BLOCK, &x, sizeof x);
  }
  memcpy(largest, &top, sizeof top);
  memcpy(sum, &total, sizeof total);
}

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
