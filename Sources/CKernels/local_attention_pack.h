// Local attention: what a thread reads of a frame, packed for its tile.
#pragma once

#include "local_attention.h"

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
