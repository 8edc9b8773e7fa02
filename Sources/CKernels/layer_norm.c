// Normalization over each row's channels: by mean and variance, or by the mean square.
#include <math.h>

#include "pieces.h"
#include "vector.h"

typedef struct {
  tdm_type type;
  void *out;
  const void *x;
  size_t rows, channels, piece;
  float epsilon;
  const float *weight, *bias;
} job;

// The mean first and the squares of the differences from it after, for sums of squares cancel where
// the mean is far from zero. The row stays in the first-level cache for all three passes.
TDM_INLINE void row_body(tdm_type type, const job *j, size_t row) {
  size_t channels = j->channels, whole = channels / (2 * TDM_LANE_COUNT) * (2 * TDM_LANE_COUNT);
  const void *x = tdm_at(type, j->x, row * channels);
  void *out = tdm_out(type, j->out, row * channels);
  const float *weight = j->weight, *bias = j->bias;

  tdm_v16 s0 = 0, s1 = 0, a, b;
  for (size_t i = 0; i < whole; i += 2 * TDM_LANE_COUNT) {
    tdm_load16(type, &a, x, i);
    tdm_load16(type, &b, x, i + TDM_LANE_COUNT);
    s0 += a;
    s1 += b;
  }
  s0 += s1;
  double sum = tdm_sum16(&s0);
  for (size_t i = whole; i < channels; i++) sum += (double)tdm_load(type, x, i);
  float mean = (float)(sum / (double)channels);

  s0 = 0, s1 = 0;
  for (size_t i = 0; i < whole; i += 2 * TDM_LANE_COUNT) {
    tdm_load16(type, &a, x, i);
    tdm_load16(type, &b, x, i + TDM_LANE_COUNT);
    a -= mean;
    b -= mean;
    s0 += a * a;
    s1 += b * b;
  }
  s0 += s1;
  double squares = tdm_sum16(&s0);
  for (size_t i = whole; i < channels; i++) {
    double difference = (double)(tdm_load(type, x, i) - mean);
    squares += difference * difference;
  }
  float scale = (float)(1.0 / sqrt(squares / (double)channels + (double)j->epsilon));

  TDM_LANES
  for (size_t i = 0; i < channels; i++)
    tdm_store(type, out, i, (tdm_load(type, x, i) - mean) * scale * weight[i] + bias[i]);
}

TDM_INLINE void mean_square_body(tdm_type type, const job *j, size_t row) {
  size_t channels = j->channels, whole = channels / TDM_LANE_COUNT * TDM_LANE_COUNT;
  const void *x = tdm_at(type, j->x, row * channels);
  void *out = tdm_out(type, j->out, row * channels);
  const float *weight = j->weight;

  tdm_v16 s = 0, a;
  for (size_t i = 0; i < whole; i += TDM_LANE_COUNT) {
    tdm_load16(type, &a, x, i);
    s += a * a;
  }
  double squares = tdm_sum16(&s);
  for (size_t i = whole; i < channels; i++) {
    double value = (double)tdm_load(type, x, i);
    squares += value * value;
  }
  float scale = (float)(1.0 / sqrt(squares / (double)channels + (double)j->epsilon));

  TDM_LANES
  for (size_t i = 0; i < channels; i++)
    tdm_store(type, out, i, tdm_load(type, x, i) * scale * weight[i]);
}

TDM_INLINE void mean_squares_body(const job *j, size_t from, size_t to) {
  TDM_FOR_TYPE(j->type, T, for (size_t row = from; row < to; row++) mean_square_body(T, j, row))
}
TDM_DISPATCH(mean_squares, (const job *j, size_t from, size_t to), (j, from, to))

TDM_INLINE void rows_body(const job *j, size_t from, size_t to) {
  TDM_FOR_TYPE(j->type, T, for (size_t row = from; row < to; row++) row_body(T, j, row))
}
TDM_DISPATCH(rows, (const job *j, size_t from, size_t to), (j, from, to))

TDM_PIECES(rows)
TDM_PIECES(mean_squares)

static void run(job j, void (*piece)(void *, size_t), int threads) {
  if (j.rows == 0 || j.channels == 0) return;
  j.piece = tdm_rows_a_piece(j.channels);
  tdm_parallel_for(threads, (j.rows + j.piece - 1) / j.piece, piece, &j);
}

void tdm_layer_norm(
    tdm_type type, void *out, const void *x, size_t rows, size_t channels, float epsilon,
    const float *weight, const float *bias, int threads) {
  run((job){.type = type, .out = out, .x = x, .rows = rows, .channels = channels,
            .epsilon = epsilon, .weight = weight, .bias = bias},
      rows_piece, threads);
}

void tdm_rms_norm(
    tdm_type type, void *out, const void *x, size_t rows, size_t channels, float epsilon,
    const float *weight, int threads) {
  run((job){.type = type, .out = out, .x = x, .rows = rows, .channels = channels,
            .epsilon = epsilon, .weight = weight},
      mean_squares_piece, threads);
}
