// Work on frames of pixels: enlarging, modulating, halving in time, laying patches.
#include "pieces.h"
#include "scalar.h"

typedef struct {
  tdm_type type;
  void *out;
  const void *x, *factor, *addend;
  tdm_extents to, from;  // of out, and of what is enlarged
  size_t rows, channels, size;
  tdm_activation activation;
  size_t piece;  // rows in a piece of work
} job;

/// The frame that frame t is enlarged from.
static size_t source_frame(size_t t, size_t frames, size_t out_frames) {
  if (out_frames % 2 == 0 || out_frames == 1) return t * frames / out_frames;
  return t == 0 || frames == 1 ? 0 : 1 + (t - 1) * (frames - 1) / (out_frames - 1);
}

/// The first pixel of the row that a row of all frames is enlarged from.
static size_t source_row(const job *j, size_t row) {
  size_t t = source_frame(row / j->to.height, j->from.frames, j->to.frames);
  size_t i = row % j->to.height * j->from.height / j->to.height;
  return (t * j->from.height + i) * j->from.width;
}

// ---- The loops

static void enlarge(const job *j, size_t from, size_t to) {
  size_t pixel = j->channels * tdm_size(j->type);
  for (size_t row = from; row < to; row++) {
    char *out = (char *)j->out + row * j->to.width * pixel;
    const char *x = (const char *)j->x + source_row(j, row) * pixel;
    for (size_t k = 0; k < j->to.width; k++)
      memcpy(out + k * pixel, x + k * j->from.width / j->to.width * pixel, pixel);
  }
}

TDM_INLINE void modulate_body(const job *j, size_t from, size_t to) {
  size_t channels = j->channels, width = j->to.width;
  TDM_FOR_TYPE(j->type, T, TDM_FOR_ACTIVATION(j->activation, A, {
    for (size_t row = from; row < to; row++) {
      size_t first = source_row(j, row);
      for (size_t k = 0; k < width; k++) {
        size_t at = (row * width + k) * channels;
        size_t coarse = (first + k * j->from.width / width) * channels;
        void *out = tdm_out(T, j->out, at);
        const void *x = tdm_at(T, j->x, at);
        const void *factor = tdm_at(T, j->factor, coarse), *addend = tdm_at(T, j->addend, coarse);
        TDM_LANES
        for (size_t i = 0; i < channels; i++) {
          float value = tdm_load(T, x, i) * tdm_load(T, factor, i) + tdm_load(T, addend, i);
          tdm_store(T, out, i, tdm_activation_of(A, value));
        }
      }
    }
  }))
}
TDM_DISPATCH(modulate, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void halve_body(const job *j, size_t from, size_t to) {
  size_t count = j->channels;
  TDM_FOR_TYPE(j->type, T, for (size_t row = from; row < to; row++) {
    // Of an odd number of frames the first has no other beside it.
    size_t first = j->size % 2 ? 2 * row - 1 : 2 * row;
    void *out = tdm_out(T, j->out, row * count);
    if (row == 0 && j->size % 2) {
      memcpy(out, j->x, count * tdm_size(T));
      continue;
    }
    const void *a = tdm_at(T, j->x, first * count), *b = tdm_at(T, a, count);
    TDM_LANES
    for (size_t i = 0; i < count; i++)
      tdm_store(T, out, i, 0.5f * (tdm_load(T, a, i) + tdm_load(T, b, i)));
  })
}
TDM_DISPATCH(halve, (const job *j, size_t from, size_t to), (j, from, to))

static void lay(const job *j, size_t from, size_t to) {
  size_t bytes = tdm_size(j->type), size = j->size, channels = j->channels;
  for (size_t row = from; row < to; row++)
    for (size_t k = 0; k < j->from.width; k++) {
      const char *x =
          (const char *)j->x + (row * j->from.width + k) * channels * size * size * bytes;
      for (size_t y = 0; y < size; y++)
        for (size_t z = 0; z < size; z++) {
          char *out = (char *)j->out
                      + (((row * size + y) * j->from.width + k) * size + z) * channels * bytes;
          for (size_t c = 0; c < channels; c++)
            memcpy(out + c * bytes, x + ((c * size + y) * size + z) * bytes, bytes);
        }
    }
}

// ---- Spread over the threads

TDM_PIECES(enlarge)
TDM_PIECES(modulate)
TDM_PIECES(halve)
TDM_PIECES(lay)

static void run(job j, size_t row, void (*piece)(void *, size_t), int threads) {
  if (row == 0 || j.rows == 0) return;
  j.piece = tdm_rows_a_piece(row);
  tdm_parallel_for(threads, (j.rows + j.piece - 1) / j.piece, piece, &j);
}

void tdm_upsample_nearest(
    tdm_type type, void *out, tdm_extents out_extents, const void *x, tdm_extents x_extents,
    size_t channels, int threads) {
  job j = {.type = type, .out = out, .x = x, .to = out_extents, .from = x_extents,
           .rows = out_extents.frames * out_extents.height, .channels = channels};
  run(j, out_extents.width * channels, enlarge_piece, threads);
}

void tdm_modulate_nearest(
    tdm_type type, void *out, const void *x, tdm_extents extents, const void *factor,
    const void *addend, tdm_extents coarse, size_t channels, tdm_activation activation,
    int threads) {
  job j = {.type = type, .out = out, .x = x, .factor = factor, .addend = addend, .to = extents,
           .from = coarse, .rows = extents.frames * extents.height, .channels = channels,
           .activation = activation};
  run(j, extents.width * channels, modulate_piece, threads);
}

void tdm_pair_means(
    tdm_type type, void *out, const void *x, size_t frames, size_t count, int threads) {
  job j = {.type = type, .out = out, .x = x, .rows = (frames + 1) / 2, .channels = count,
           .size = frames};
  run(j, count, halve_piece, threads);
}

void tdm_unpatchify(
    tdm_type type, void *out, const void *x, tdm_extents extents, size_t channels, size_t size,
    int threads) {
  job j = {.type = type, .out = out, .x = x, .from = extents, .channels = channels, .size = size,
           .rows = extents.frames * extents.height};
  run(j, extents.width * channels * size * size, lay_piece, threads);
}
