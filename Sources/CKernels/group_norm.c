// Normalization over groups of channels and all pixels, with its activation: one pass for the
// statistics, one for the result.
#include <math.h>

#include "vector.h"

// The pixels are cut into at most this many chunks, whatever the number of threads, so that sums
// are always formed in the same order.
enum { CHUNKS = 64, SHORT_SUM = 64 };

typedef struct {
  tdm_type type;
  void *out;
  const void *x;
  size_t pixels, channels, groups, chunk;  // chunk: pixels in each
  float epsilon;
  const float *weight, *bias;
  tdm_activation activation;
  double *sums;     // [chunks, 2, channels]: of x - shift and of its square
  float *a, *b;     // [channels]: the result is activation(a x + b)
} job;

static size_t chunk_pixels(size_t pixels) {
  size_t chunk = (pixels + CHUNKS - 1) / CHUNKS;
  return chunk < 16 ? 16 : chunk;
}

static size_t chunk_count(size_t pixels) {
  size_t chunk = chunk_pixels(pixels);
  return (pixels + chunk - 1) / chunk;
}

// ---- Statistics

// Sums over pixels from..<to for 32 channels, in registers. Differences from the channel's first
// pixel keep the squares from drowning the variance where a channel's mean is far from zero.
TDM_INLINE void sum_wide(
    tdm_type type, const job *j, size_t from, size_t to, size_t c, double *sums) {
  size_t channels = j->channels;
  tdm_v16 shift0, shift1, a, b;
  tdm_load16(type, &shift0, j->x, c);
  tdm_load16(type, &shift1, j->x, c + TDM_LANE_COUNT);
  for (size_t p = from; p < to;) {
    // float32 for a short while, double in the long run.
    size_t end = p + SHORT_SUM < to ? p + SHORT_SUM : to;
    tdm_v16 s0 = 0, s1 = 0, q0 = 0, q1 = 0;
    for (; p < end; p++) {
      tdm_load16(type, &a, j->x, p * channels + c);
      tdm_load16(type, &b, j->x, p * channels + c + TDM_LANE_COUNT);
      a -= shift0;
      b -= shift1;
      s0 += a;
      s1 += b;
      q0 += a * a;
      q1 += b * b;
    }
    for (int i = 0; i < TDM_LANE_COUNT; i++) {
      sums[c + i] += (double)s0[i];
      sums[c + TDM_LANE_COUNT + i] += (double)s1[i];
      sums[channels + c + i] += (double)q0[i];
      sums[channels + c + TDM_LANE_COUNT + i] += (double)q1[i];
    }
  }
}

TDM_INLINE void sum_single(
    tdm_type type, const job *j, size_t from, size_t to, size_t c, double *sums) {
  float shift = tdm_load(type, j->x, c);
  double sum = 0, squares = 0;
  for (size_t p = from; p < to; p++) {
    double difference = (double)(tdm_load(type, j->x, p * j->channels + c) - shift);
    sum += difference;
    squares += difference * difference;
  }
  sums[c] = sum;
  sums[j->channels + c] = squares;
}

TDM_INLINE void statistics_body(const job *j, size_t from, size_t to, double *sums) {
  memset(sums, 0, 2 * j->channels * sizeof *sums);
  TDM_FOR_TYPE(j->type, T, {
    size_t c = 0;
    for (; c + 2 * TDM_LANE_COUNT <= j->channels; c += 2 * TDM_LANE_COUNT)
      sum_wide(T, j, from, to, c, sums);
    for (; c < j->channels; c++) sum_single(T, j, from, to, c, sums);
  })
}
TDM_DISPATCH(
    statistics, (const job *j, size_t from, size_t to, double *sums), (j, from, to, sums))

static void statistics_piece(void *context, size_t index) {
  const job *j = context;
  size_t from = index * j->chunk, to = from + j->chunk;
  statistics(j, from, to < j->pixels ? to : j->pixels, j->sums + index * 2 * j->channels);
}

// Reference: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
// sample variances, 1979: the channels' means and squares join into the group's.
static void group_coefficients(void *context, size_t group) {
  const job *j = context;
  size_t channels = j->channels, width = channels / j->groups, first = group * width;
  size_t chunks = chunk_count(j->pixels);
  double n = (double)j->pixels, mean = 0, squares = 0;
  for (size_t c = first; c < first + width; c++) {
    double sum = 0, sum_of_squares = 0;
    for (size_t k = 0; k < chunks; k++) {
      sum += j->sums[k * 2 * channels + c];
      sum_of_squares += j->sums[(k * 2 + 1) * channels + c];
    }
    double own_mean = (double)tdm_load(j->type, j->x, c) + sum / n;
    double own_squares = sum_of_squares - sum * sum / n;
    double seen = (double)(c - first), difference = own_mean - mean;
    squares += own_squares + difference * difference * n * seen / (seen + 1);
    mean += difference / (seen + 1);
  }
  double variance = squares / (n * (double)width);
  double scale = 1.0 / sqrt((variance > 0 ? variance : 0) + (double)j->epsilon);
  // A variance that is not a number must not pass for zero.
  if (variance != variance) scale = variance;
  for (size_t c = first; c < first + width; c++) {
    double a = scale * (double)j->weight[c];
    j->a[c] = (float)a;
    j->b[c] = (float)((double)j->bias[c] - mean * a);
  }
}

// ---- Result

TDM_INLINE void apply_body(const job *j, size_t from, size_t to) {
  size_t channels = j->channels;
  const float *a = j->a, *b = j->b;
  TDM_FOR_TYPE(j->type, T, TDM_FOR_ACTIVATION(j->activation, A, {
    for (size_t p = from; p < to; p++) {
      const void *x = tdm_at(T, j->x, p * channels);
      void *out = tdm_out(T, j->out, p * channels);
      TDM_LANES
      for (size_t c = 0; c < channels; c++)
        tdm_store(T, out, c, tdm_activation_of(A, tdm_load(T, x, c) * a[c] + b[c]));
    }
  }))
}
TDM_DISPATCH(apply, (const job *j, size_t from, size_t to), (j, from, to))

static void apply_piece(void *context, size_t index) {
  const job *j = context;
  size_t from = index * j->chunk, to = from + j->chunk;
  apply(j, from, to < j->pixels ? to : j->pixels);
}

size_t tdm_group_norm_scratch(size_t pixels, size_t channels) {
  return channels * (chunk_count(pixels) * 2 * sizeof(double) + 2 * sizeof(float));
}

void tdm_group_norm(
    tdm_type type, void *out, const void *x, size_t pixels, size_t channels, size_t groups,
    float epsilon, const float *weight, const float *bias, tdm_activation activation, void *scratch,
    int threads) {
  if (pixels == 0 || channels == 0 || groups == 0) return;
  size_t chunks = chunk_count(pixels);
  double *sums = scratch;
  float *a = (float *)(sums + chunks * 2 * channels);
  job j = {.type = type, .out = out, .x = x, .pixels = pixels, .channels = channels,
           .groups = groups, .chunk = chunk_pixels(pixels), .epsilon = epsilon, .weight = weight,
           .bias = bias, .activation = activation, .sums = sums, .a = a, .b = a + channels};
  // A small image is done sooner by one thread than handed out.
  if (pixels * channels < 16384) threads = 1;
  tdm_parallel_for(threads, chunks, statistics_piece, &j);
  tdm_parallel_for(1, groups, group_coefficients, &j);
  tdm_parallel_for(threads, chunks, apply_piece, &j);
}
