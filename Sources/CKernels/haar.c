// One level of the Haar transform, of images in float32: blocks of 2 x 2 pixels to four bands and
// back.
#include "pieces.h"

typedef struct {
  float *out;
  const float *x;
  size_t rows, columns, channels;  // of blocks
  const float *factors;
  size_t piece;  // rows in a piece of work
} job;

// ---- The loops

TDM_INLINE void analyze_row(
    float *out, const float *above, const float *below, size_t columns, size_t channels,
    const float *factors) {
  float low = factors[0], along_x = factors[1], along_y = factors[2], both = factors[3];
  for (size_t i = 0; i < columns; i++) {
    const float *a = above + 2 * i * channels, *b = below + 2 * i * channels;
    float *bands = out + 4 * i * channels;
    for (size_t c = 0; c < channels; c++) {
      float sum_a = a[c] + a[channels + c], sum_b = b[c] + b[channels + c];
      float difference_a = a[c] - a[channels + c], difference_b = b[c] - b[channels + c];
      bands[c] = low * (sum_a + sum_b);
      bands[channels + c] = along_x * (difference_a + difference_b);
      bands[2 * channels + c] = along_y * (sum_a - sum_b);
      bands[3 * channels + c] = both * (difference_a - difference_b);
    }
  }
}

TDM_INLINE void synthesize_row(
    float *above, float *below, const float *x, size_t columns, size_t channels,
    const float *factors) {
  float low = factors[0], along_x = factors[1], along_y = factors[2], both = factors[3];
  for (size_t i = 0; i < columns; i++) {
    float *a = above + 2 * i * channels, *b = below + 2 * i * channels;
    const float *bands = x + 4 * i * channels;
    for (size_t c = 0; c < channels; c++) {
      float l = low * bands[c], h = along_x * bands[channels + c];
      float v = along_y * bands[2 * channels + c], d = both * bands[3 * channels + c];
      a[c] = (l + v) + (h + d);
      a[channels + c] = (l + v) - (h + d);
      b[c] = (l - v) + (h - d);
      b[channels + c] = (l - v) - (h - d);
    }
  }
}

TDM_INLINE void analyze_body(const job *j, size_t from, size_t to) {
  size_t line = 2 * j->columns * j->channels;
  for (size_t row = from; row < to; row++) {
    const float *above = j->x + 2 * row * line;
    float *out = j->out + 2 * row * line;
    // Pictures have three channels, which the compiler then knows.
    if (j->channels == 3)
      analyze_row(out, above, above + line, j->columns, 3, j->factors);
    else
      analyze_row(out, above, above + line, j->columns, j->channels, j->factors);
  }
}
TDM_DISPATCH(analyze, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void synthesize_body(const job *j, size_t from, size_t to) {
  size_t line = 2 * j->columns * j->channels;
  for (size_t row = from; row < to; row++) {
    float *above = j->out + 2 * row * line;
    const float *x = j->x + 2 * row * line;
    if (j->channels == 3)
      synthesize_row(above, above + line, x, j->columns, 3, j->factors);
    else
      synthesize_row(above, above + line, x, j->columns, j->channels, j->factors);
  }
}
TDM_DISPATCH(synthesize, (const job *j, size_t from, size_t to), (j, from, to))

// ---- Spread over the threads

TDM_PIECES(analyze)
TDM_PIECES(synthesize)

static void run(job j, void (*piece)(void *, size_t), int threads) {
  size_t row = 4 * j.columns * j.channels;
  if (row == 0 || j.rows == 0) return;
  j.piece = tdm_rows_a_piece(row);
  tdm_parallel_for(threads, (j.rows + j.piece - 1) / j.piece, piece, &j);
}

void tdm_haar_analysis(
    float *out, const float *x, size_t rows, size_t columns, size_t channels,
    const float factors[4], int threads) {
  run((job){.out = out, .x = x, .rows = rows, .columns = columns, .channels = channels,
            .factors = factors},
      analyze_piece, threads);
}

void tdm_haar_synthesis(
    float *out, const float *x, size_t rows, size_t columns, size_t channels,
    const float factors[4], int threads) {
  run((job){.out = out, .x = x, .rows = rows, .columns = columns, .channels = channels,
            .factors = factors},
      synthesize_piece, threads);
}
