// What was changed in a reduced picture, carried over to the picture itself: guided filtering.
#include "scalar.h"

enum {
  REACH = 8,  // of the windows, in pixels of the reduced picture
  // Of a window: guide and target, three colours each, the guide's squares, their products.
  SUMS = 8,
  // The gain, and what is added to each colour.
  MAP = 4,
  // Floats kept for each pixel of the reduced picture: its window's map, the map averaged over
  // windows and frames, the guide's mean in its window, the mean that goes with the averaged map.
  KEPT = MAP + MAP + 3 + 3,
};

// Squared levels, summed over the colours: of less contrast than this nothing is learned, and the
// gain stays 1.
static const float least_variance = 12;

// How much of a map the frames before have, where they look alike: nine tenths, or ten frames.
static const float former_share = 0.9f;
// Squared levels, summed over the colours: by how much means may differ that look alike.
static const float likeness = 1600;

typedef struct {
  float *out;
  const float *in, *guide, *target;
  size_t width, height;                  // of the picture
  size_t reduced_width, reduced_height;
  float *map, *average;                  // [reduced_height, reduced_width, MAP]
  float *mean, *average_mean;            // [reduced_height, reduced_width, 3]
  int goes_on;                           // the averages are those of the frames before
  float *lines;                          // one for each thread, to work in
  size_t line_count, threads;
} job;

typedef void (*row_body)(const job *j, size_t row, float *scratch);

static size_t line_count(size_t width, size_t reduced_width) {
  size_t picture = 3 * width, window = SUMS * reduced_width;
  return picture > window ? picture : window;
}

size_t tdm_guided_transfer_scratch_count(
    size_t width, size_t reduced_width, size_t reduced_height, int threads) {
  return KEPT * reduced_width * reduced_height
      + line_count(width, reduced_width) * (size_t)(threads > 1 ? threads : 1);
}

/// What of sample `index` of a line reduced from `count` to `reduced_count` samples comes from
/// where.
typedef struct {
  size_t first, last;
  float first_weight, last_weight;
  float share;  // of the sum
} span;

TDM_INLINE span span_of(size_t index, size_t count, size_t reduced_count) {
  double scale = (double)count / (double)reduced_count;
  double from = (double)index * scale, to = (double)(index + 1) * scale;
  span s = {.first = (size_t)from, .last = (size_t)__builtin_ceil(to) - 1};
  if (s.last >= count) s.last = count - 1;
  s.first_weight = (float)((double)(s.first + 1) - from);
  s.last_weight = (float)(to - (double)s.last);
  if (s.first == s.last) s.first_weight = s.last_weight = (float)scale;
  s.share = (float)(1 / scale);
  return s;
}

TDM_INLINE float weight_at(const span *s, size_t index) {
  return index == s->first ? s->first_weight : index == s->last ? s->last_weight : 1;
}

TDM_INLINE void reduce_row_body(const job *j, size_t row, float *line) {
  size_t count = 3 * j->width;
  span down = span_of(row, j->height, j->reduced_height);
  memset(line, 0, count * sizeof(float));
  for (size_t y = down.first; y <= down.last; y++) {
    const float *in = j->in + y * count;
    float weight = weight_at(&down, y) * down.share;
    for (size_t i = 0; i < count; i++) line[i] += weight * in[i];
  }
  float *out = j->out + 3 * row * j->reduced_width;
  for (size_t x = 0; x < j->reduced_width; x++) {
    span across = span_of(x, j->width, j->reduced_width);
    float sum[3] = {0, 0, 0};
    for (size_t i = across.first; i <= across.last; i++) {
      float weight = weight_at(&across, i) * across.share;
      for (size_t c = 0; c < 3; c++) sum[c] += weight * line[3 * i + c];
    }
    for (size_t c = 0; c < 3; c++) out[3 * x + c] = sum[c];
  }
}
TDM_DISPATCH(reduce_row, (const job *j, size_t row, float *scratch), (j, row, scratch))

/// The first and the last place of a window.
TDM_INLINE size_t low(size_t place) { return place < REACH ? 0 : place - REACH; }
TDM_INLINE size_t high(size_t place, size_t count) {
  return place + REACH < count ? place + REACH : count - 1;
}

/// The mean of `count` values over the window about a place of a row, from the sums of `rows` rows.
TDM_INLINE void
window_mean(float *mean, const float *sums, size_t count, size_t place, size_t width, size_t rows) {
  size_t left = low(place), right = high(place, width);
  float share = 1 / (float)(rows * (right - left + 1));
  for (size_t k = 0; k < count; k++) mean[k] = 0;
  for (size_t i = left; i <= right; i++)
    for (size_t k = 0; k < count; k++) mean[k] += sums[count * i + k];
  for (size_t k = 0; k < count; k++) mean[k] *= share;
}

/// The gain and what is added that fit the windows of a row best, each for itself.
TDM_INLINE void fit_row_body(const job *j, size_t row, float *sums) {
  size_t width = j->reduced_width, first = low(row), last = high(row, j->reduced_height);
  memset(sums, 0, SUMS * width * sizeof(float));
  for (size_t y = first; y <= last; y++) {
    const float *guide = j->guide + 3 * y * width, *target = j->target + 3 * y * width;
    for (size_t x = 0; x < width; x++) {
      float *sum = sums + SUMS * x, squares = 0, products = 0;
      for (size_t c = 0; c < 3; c++) {
        // About 0, so that little is lost where the means' products are taken off.
        float g = guide[3 * x + c] - 127.5f, t = target[3 * x + c] - 127.5f;
        sum[c] += g;
        sum[3 + c] += t;
        squares += g * g;
        products += g * t;
      }
      sum[6] += squares;
      sum[7] += products;
    }
  }
  for (size_t x = 0; x < width; x++) {
    float mean[SUMS];
    window_mean(mean, sums, SUMS, x, width, last - first + 1);
    float variance = mean[6], covariance = mean[7];
    for (size_t c = 0; c < 3; c++) {
      variance -= mean[c] * mean[c];
      covariance -= mean[c] * mean[3 + c];
    }
    float gain = (covariance + least_variance) / ((variance > 0 ? variance : 0) + least_variance);
    float *map = j->map + MAP * (row * width + x);
    map[0] = gain;
    for (size_t c = 0; c < 3; c++)
      map[1 + c] = mean[3 + c] + 127.5f - gain * (mean[c] + 127.5f);
    memcpy(j->mean + 3 * (row * width + x), mean, 3 * sizeof(float));
  }
}
TDM_DISPATCH(fit_row, (const job *j, size_t row, float *scratch), (j, row, scratch))

/// Replaces the values of before, but for a share of them. Without one they may be anything.
TDM_INLINE void replace(float *former, const float *values, size_t count, float share) {
  if (share == 0)
    memcpy(former, values, count * sizeof(float));
  else
    for (size_t k = 0; k < count; k++) former[k] = values[k] + share * (former[k] - values[k]);
}

/// The mean of the maps of all windows that a pixel lies in, and of those of the frames before as
/// far as its window looked as it does: what hides a scene stands still, or nearly, and what is
/// found of it in one frame and not in the next would flicker.
TDM_INLINE void smooth_row_body(const job *j, size_t row, float *sums) {
  size_t width = j->reduced_width, first = low(row), last = high(row, j->reduced_height);
  memset(sums, 0, MAP * width * sizeof(float));
  for (size_t y = first; y <= last; y++) {
    const float *map = j->map + MAP * y * width;
    for (size_t i = 0; i < MAP * width; i++) sums[i] += map[i];
  }
  for (size_t x = 0; x < width; x++) {
    float map[MAP], share = 0;
    window_mean(map, sums, MAP, x, width, last - first + 1);
    size_t place = row * width + x;
    const float *mean = j->mean + 3 * place;
    float *average_mean = j->average_mean + 3 * place;
    if (j->goes_on) {
      float square = 0;
      for (size_t c = 0; c < 3; c++)
        square += (mean[c] - average_mean[c]) * (mean[c] - average_mean[c]);
      float alike = likeness / (likeness + square);
      share = former_share * alike * alike;
    }
    replace(j->average + MAP * place, map, MAP, share);
    replace(average_mean, mean, 3, share);
  }
}
TDM_DISPATCH(smooth_row, (const job *j, size_t row, float *scratch), (j, row, scratch))

/// A place between two samples of a line of `reduced_count`, as sample `index` of one of `count`
/// sees it; the line's ends are repeated.
typedef struct {
  size_t before, behind;
  float share;  // of the one behind
} place;

TDM_INLINE place place_of(size_t index, size_t count, size_t reduced_count) {
  float at = ((float)index + 0.5f) * (float)reduced_count / (float)count - 0.5f;
  if (at < 0) at = 0;
  size_t before = (size_t)at;
  if (before > reduced_count - 1) before = reduced_count - 1;
  return (place){
      .before = before, .behind = before + 1 < reduced_count ? before + 1 : before,
      .share = at - (float)before};
}

TDM_INLINE void map_row_body(const job *j, size_t row, float *line) {
  size_t width = j->reduced_width;
  place down = place_of(row, j->height, j->reduced_height);
  const float *above = j->average + MAP * down.before * width;
  const float *below = j->average + MAP * down.behind * width;
  for (size_t i = 0; i < MAP * width; i++) line[i] = above[i] + down.share * (below[i] - above[i]);
  float *out = j->out + 3 * row * j->width;
  for (size_t x = 0; x < j->width; x++) {
    place across = place_of(x, j->width, width);
    const float *left = line + MAP * across.before, *right = line + MAP * across.behind;
    float map[MAP];
    for (size_t k = 0; k < MAP; k++) map[k] = left[k] + across.share * (right[k] - left[k]);
    for (size_t c = 0; c < 3; c++) out[3 * x + c] = map[0] * out[3 * x + c] + map[1 + c];
  }
}
TDM_DISPATCH(map_row, (const job *j, size_t row, float *scratch), (j, row, scratch))

typedef struct {
  const job *job;
  row_body body;
  size_t rows;
} loop;

static void share_of_rows(void *context, size_t index) {
  const loop *l = context;
  const job *j = l->job;
  size_t from = l->rows * index / j->threads, to = l->rows * (index + 1) / j->threads;
  for (size_t row = from; row < to; row++) l->body(j, row, j->lines + index * j->line_count);
}

static void for_rows(const job *j, size_t rows, row_body body) {
  loop l = {.job = j, .body = body, .rows = rows};
  tdm_parallel_for((int)j->threads, j->threads, share_of_rows, &l);
}

void tdm_area_reduction(
    float *out, size_t reduced_width, size_t reduced_height, const float *in, size_t width,
    size_t height, float *scratch, int threads) {
  job j = {
      .out = out, .in = in, .width = width, .height = height, .reduced_width = reduced_width,
      .reduced_height = reduced_height, .lines = scratch,
      .line_count = line_count(width, reduced_width), .threads = threads > 1 ? (size_t)threads : 1};
  for_rows(&j, reduced_height, reduce_row);
}

void tdm_guided_transfer(
    float *picture, size_t width, size_t height, const float *guide, const float *target,
    size_t reduced_width, size_t reduced_height, int goes_on, float *scratch, int threads) {
  size_t count = reduced_width * reduced_height;
  job j = {
      .out = picture, .guide = guide, .target = target, .width = width, .height = height,
      .reduced_width = reduced_width, .reduced_height = reduced_height, .goes_on = goes_on,
      .lines = scratch, .line_count = line_count(width, reduced_width),
      .threads = threads > 1 ? (size_t)threads : 1};
  // Behind the lines, which a reduction works in, too.
  j.map = scratch + j.threads * j.line_count;
  j.average = j.map + MAP * count;
  j.mean = j.average + MAP * count;
  j.average_mean = j.mean + 3 * count;
  for_rows(&j, reduced_height, fit_row);
  for_rows(&j, reduced_height, smooth_row);
  for_rows(&j, height, map_row);
}
