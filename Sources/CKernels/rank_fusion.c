// A frame of rain without most of it: of each pixel, along the motion, the second darkest.
//
// Drops are brighter than what is behind them and new in every frame, so that of some frames two or more
// show what is behind. The darkest shows it, too, but also each frame's noise and motion's errors; the
// second darkest is near the middle of those that are free of rain.
#include "light.h"
#include "warp.h"

// Levels of luma by which the darkest two may differ and be believed to show the same.
static const float believed = 16;

typedef struct {
  float *out;
  const float *own;
  const float *const *others, *const *flows;
  size_t count, width, height;
  float *scratch;
  size_t threads;
} job;

// Of a row: a neighbour's along the motion, what of its noise is left there, the darkest pixels, and the
// luma of the darkest and of the second darkest.
enum { SCRATCH_ROWS = 3 + 1 + 3 + 1 + 1 };

TDM_INLINE float luma(const float *rgb) {
  return TDM_RED * rgb[0] + TDM_GREEN * rgb[1] + TDM_BLUE * rgb[2];
}

/// Takes a row into the darkest and the second darkest.
TDM_INLINE void rank_row(
    float *first, float *first_luma, float *second, float *second_luma, const float *row, size_t width) {
  TDM_LANES
  for (size_t i = 0; i < width; i++) {
    float found = luma(row + 3 * i), least = first_luma[i], next = second_luma[i];
    int is_first = found < least, is_second = found < next;
    first_luma[i] = is_first ? found : least;
    second_luma[i] = is_first ? least : is_second ? found : next;
    for (size_t k = 0; k < 3; k++) {
      float darkest = first[3 * i + k], value = row[3 * i + k];
      first[3 * i + k] = is_first ? value : darkest;
      second[3 * i + k] = is_first ? darkest : is_second ? value : second[3 * i + k];
    }
  }
}

TDM_INLINE void rows_body(const job *j, size_t from, size_t to, float *scratch) {
  size_t w = j->width, line = 3 * w;
  float *warped = scratch, *left = warped + line, *first = left + w;
  float *first_luma = first + line, *second_luma = first_luma + w;
  for (size_t row = from; row < to; row++) {
    const float *own = j->own + row * line;
    float *second = j->out + row * line;
    memcpy(second, own, line * sizeof(float));
    memcpy(first, own, line * sizeof(float));
    for (size_t i = 0; i < w; i++) {
      first_luma[i] = luma(own + 3 * i);
      second_luma[i] = INFINITY;
    }
    for (size_t other = 0; other < j->count; other++) {
      tdm_warp_row(warped, left, j->others[other], j->flows[other], w, j->height, row);
      rank_row(first, first_luma, second, second_luma, warped, w);
    }
    TDM_LANES
    for (size_t i = 0; i < w; i++) {
      float apart = (second_luma[i] - first_luma[i]) / believed - 1;
      float share = tdm_exp(apart > 0 ? -apart : 0);
      for (size_t k = 0; k < 3; k++)
        second[3 * i + k] = own[3 * i + k] + share * (second[3 * i + k] - own[3 * i + k]);
    }
  }
}
TDM_DISPATCH(rows, (const job *j, size_t from, size_t to, float *scratch), (j, from, to, scratch))

static void rows_share(void *context, size_t index) {
  const job *j = context;
  size_t from = j->height * index / j->threads, to = j->height * (index + 1) / j->threads;
  rows(j, from, to, j->scratch + index * SCRATCH_ROWS * j->width);
}

size_t tdm_rank_fusion_scratch_count(size_t width, int threads) {
  return SCRATCH_ROWS * width * (size_t)(threads > 1 ? threads : 1);
}

void tdm_rank_fusion(
    float *out, const float *own, const float *const *others, const float *const *flows, size_t count, size_t width, size_t height,
    float *scratch, int threads) {
  if (count < 2) {  // of two frames none can be told to be free of rain
    memcpy(out, own, 3 * width * height * sizeof(float));
    return;
  }
  job j = {
      .out = out, .own = own, .others = others, .flows = flows, .count = count, .width = width, .height = height, .scratch = scratch,
      .threads = threads > 1 ? (size_t)threads : 1};
  tdm_parallel_for((int)j.threads, j.threads, rows_share, &j);
}
