// Work that goes row by row through channels: gating, joining and scaling.
#include "pieces.h"
#include "scalar.h"

typedef struct {
  tdm_type type;
  void *out;
  const void *x, *y, *addend;
  const void *const *sources;
  const float *factors, *shifts;  // scale: of a row's channels
  float scale;
  size_t rows, channels, other_channels;  // of x, and of y; interleave: bytes, and sources
  size_t piece;  // rows in a piece of work
} job;

// ---- The loops

TDM_INLINE void geglu_body(const job *j, size_t from, size_t to) {
  size_t channels = j->channels;
  TDM_FOR_TYPE(j->type, T, for (size_t row = from; row < to; row++) {
    void *out = tdm_out(T, j->out, row * channels);
    const void *x = tdm_at(T, j->x, 2 * row * channels);
    const void *gate = tdm_at(T, x, channels);
    TDM_LANES
    for (size_t i = 0; i < channels; i++)
      tdm_store(T, out, i, tdm_load(T, x, i) * tdm_activation_of(TDM_GELU, tdm_load(T, gate, i)));
  })
}
TDM_DISPATCH(geglu, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void concat_body(const job *j, size_t from, size_t to) {
  size_t a = j->channels, b = j->other_channels;
  float scale = j->scale;
  TDM_FOR_TYPE(j->type, T, for (size_t row = from; row < to; row++) {
    void *out = tdm_out(T, j->out, row * (a + b));
    memcpy(out, tdm_at(T, j->x, row * a), a * tdm_size(T));
    out = tdm_out(T, out, a);
    const void *y = tdm_at(T, j->y, row * b);
    if (!j->addend) {
      memcpy(out, y, b * tdm_size(T));
      continue;
    }
    const void *addend = tdm_at(T, j->addend, row * b);
    TDM_LANES
    for (size_t i = 0; i < b; i++)
      tdm_store(T, out, i, tdm_load(T, y, i) + scale * tdm_load(T, addend, i));
  })
}
TDM_DISPATCH(concat, (const job *j, size_t from, size_t to), (j, from, to))

static void interleave(const job *j, size_t from, size_t to) {
  size_t bytes = j->channels, count = j->other_channels;
  for (size_t row = from; row < to; row++) {
    char *out = (char *)j->out + row * count * bytes;
    for (size_t i = 0; i < count; i++)
      memcpy(out + i * bytes, (const char *)j->sources[i] + row * bytes, bytes);
  }
}

TDM_INLINE void scale_body(const job *j, size_t from, size_t to) {
  size_t channels = j->channels;
  float offset = j->scale;
  const float *scale = j->factors, *shift = j->shifts;
  TDM_FOR_TYPE(j->type, T, for (size_t row = from; row < to; row++) {
    void *out = tdm_out(T, j->out, row * channels);
    const void *x = tdm_at(T, j->x, row * channels);
    if (j->addend) {
      const void *addend = tdm_at(T, j->addend, row * channels);
      TDM_LANES
      for (size_t i = 0; i < channels; i++)
        tdm_store(
            T, out, i,
            tdm_load(T, addend, i) + tdm_load(T, x, i) * (offset + scale[i]) + (shift ? shift[i] : 0));
    } else {
      TDM_LANES
      for (size_t i = 0; i < channels; i++)
        tdm_store(T, out, i, tdm_load(T, x, i) * (offset + scale[i]) + (shift ? shift[i] : 0));
    }
  })
}
TDM_DISPATCH(scale, (const job *j, size_t from, size_t to), (j, from, to))

// ---- Spread over the threads

TDM_PIECES(geglu)
TDM_PIECES(concat)
TDM_PIECES(interleave)
TDM_PIECES(scale)

static void run(job j, size_t row, void (*piece)(void *, size_t), int threads) {
  if (row == 0 || j.rows == 0) return;
  j.piece = tdm_rows_a_piece(row);
  tdm_parallel_for(threads, (j.rows + j.piece - 1) / j.piece, piece, &j);
}

void tdm_geglu(
    tdm_type type, void *out, const void *x, size_t rows, size_t channels, int threads) {
  job j = {.type = type, .out = out, .x = x, .rows = rows, .channels = channels};
  run(j, channels, geglu_piece, threads);
}

void tdm_concat(
    tdm_type type, void *out, const void *a, size_t a_channels, const void *b, size_t b_channels,
    const void *b_addend, float scale, size_t rows, int threads) {
  job j = {.type = type, .out = out, .x = a, .y = b, .addend = b_addend, .scale = scale,
           .rows = rows, .channels = a_channels, .other_channels = b_channels};
  run(j, a_channels + b_channels, concat_piece, threads);
}

void tdm_interleave(
    void *out, const void *const *sources, size_t count, size_t row_bytes, size_t rows,
    int threads) {
  job j = {.out = out, .sources = sources, .rows = rows, .channels = row_bytes,
           .other_channels = count};
  run(j, count * row_bytes, interleave_piece, threads);
}

void tdm_scale_rows(
    tdm_type type, void *out, const void *x, const void *addend, float offset, const float *scale,
    const float *shift, size_t rows, size_t channels, int threads) {
  job j = {.type = type, .out = out, .x = x, .addend = addend, .factors = scale, .shifts = shift,
           .scale = offset, .rows = rows, .channels = channels};
  run(j, channels, scale_piece, threads);
}
