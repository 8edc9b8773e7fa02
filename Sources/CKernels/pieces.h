// Rows of work, cut into pieces that the threads share.
#pragma once

#include "targets.h"

// Elements in one piece of work, about: whole rows, so that small tensors stay on the caller's
// thread.
enum { TDM_PIECE = 16384 };

/// How many rows of so many elements, 1 or more, are a piece.
TDM_INLINE size_t tdm_rows_a_piece(size_t row) { return (TDM_PIECE + row - 1) / row; }

// Defines `name_piece`, which has `name` do one piece of a job: of its `rows` rows, `piece` in
// each.
#define TDM_PIECES(name) \
  static void name##_piece(void *context, size_t index) { \
    const job *j = context; \
    size_t from = index * j->piece, to = from + j->piece; \
    name(j, from, to < j->rows ? to : j->rows); \
  }
