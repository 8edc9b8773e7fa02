// What a run of local attention is about, and the layout of a thread's scratch. Internal to
// local_attention.c and the headers it is made of.
#pragma once

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

TDM_INLINE size_t round_up(size_t x) { return (x + BLOCK - 1) / BLOCK * BLOCK; }

TDM_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

TDM_INLINE room room_at(const job *j, float *at) {
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

TDM_INLINE void measure(job *j) {
  j->side = 2 * j->reach + 1;
  j->depth = round_up(j->key_channels);
  j->breadth = round_up(j->value_channels);
  j->columns = TILE_COLUMNS + 2 * j->reach;
  j->key_columns = round_up(j->columns);
  float nothing = 0;
  j->own_bytes = (room_at(j, &nothing).count * sizeof(float) + 63) / 64 * 64;
}
