// What stands still, averaged over many more frames than motion can be followed through: the mean of
// those before, at the same place, counts in a fused frame as much as it can be believed.
//
// The mean of n frames and the fused frame, worth w of them, differ by the noise's variance times
// 1 / n + 1 / w where nothing has changed. What they differ by beyond that is taken for the mean's
// own error b, and it then is worth 1 / (1 / n + b) frames: all of them where it is sharp and still,
// next to none where anything has moved. Differences are looked at twice: over few pixels, where
// what is small and faint shows, and over many, which tell from noise what is fainter still. What
// it is worth to the frames that follow is lessened, too, but by a more lenient judgement: what is
// measured differs from frame to frame, and each would else take a part away for good.
#include "differences.h"

enum {
  BAND = 64,  // rows that are worked on at a time
  WIDE = 15,  // reach of the blur over many pixels, deviation 5
  SQUARED = BAND + 2 * WIDE,
  TALL = SQUARED + 2 * NEAR,
};

// What a difference may be, of what noise makes of it, over few pixels and over many: in this frame,
// and for those that follow.
static const float few_chance = 2, many_chance = 1.2f;
static const float lasting_few_chance = 3, lasting_many_chance = 1.5f;

static const float wide_taps[WIDE + 1] = {
    0.07994048f, 0.07835755f, 0.07379436f, 0.06677190f,
    0.05804870f, 0.04848635f, 0.03891121f, 0.03000255f,
    0.02222644f, 0.01582012f, 0.01081877f, 0.00710844f,
    0.00448744f, 0.00272177f, 0.00158611f, 0.00088806f};

typedef struct {
  float *fused;
  const float *mean;
  float *weights, *counts;
  size_t width, height, bands;
  tdm_noise_shares shares;
  float *scratch;
  size_t threads;
} job;

/// Floats of scratch for a band.
static size_t band_count(size_t width) { return (TALL * 3 + SQUARED * 4 + 4) * width; }

size_t tdm_history_scratch_count(size_t width, int threads) {
  return band_count(width) * (size_t)(threads > 1 ? threads : 1);
}

/// Squares of differences, as variances of one frame's noise: blurred over few pixels and over many.
typedef struct {
  float *few, *many;
} squares;

/// Along a row.
TDM_INLINE void blur_squares(const squares *s, size_t row, const float *x, size_t width) {
  tdm_blur_row(s->few + row * width, x, width, 1, far_taps, FAR);
  tdm_blur_row(s->many + row * width, x, width, 1, wide_taps, WIDE);
}

/// The row `y` of a plane that begins with row `low`, blurred across the rows.
TDM_INLINE void blur_across(
    float *restrict out, const float *plane, ptrdiff_t y, ptrdiff_t low, size_t width,
    size_t height, const float *taps, int reach) {
  const float *at = plane + (size_t)(y - low) * width;
  for (size_t i = 0; i < width; i++) out[i] = taps[0] * at[i];
  for (int t = 1; t <= reach; t++) {
    const float *above = plane + (tdm_clamped(y - t, height) - (size_t)low) * width;
    const float *below = plane + (tdm_clamped(y + t, height) - (size_t)low) * width;
    for (size_t i = 0; i < width; i++) out[i] += taps[t] * (above[i] + below[i]);
  }
}

/// What squares are beyond what noise may make of them.
TDM_INLINE float beyond(float few, float few_allowed, float many, float many_allowed) {
  few -= few_allowed;
  many -= many_allowed;
  return (few > 0 ? few : 0) + (many > 0 ? many : 0);
}

TDM_INLINE void believe_body(const job *j, size_t index, float *scratch) {
  size_t w = j->width, line = 3 * w;
  ptrdiff_t h = (ptrdiff_t)j->height, from = (ptrdiff_t)index * BAND;
  ptrdiff_t to = from + BAND < h ? from + BAND : h;
  // What the blurs after the square read, and what the one before it reads.
  ptrdiff_t low = from - WIDE < 0 ? 0 : from - WIDE, high = to + WIDE < h ? to + WIDE : h;
  ptrdiff_t top = low - NEAR < 0 ? 0 : low - NEAR, bottom = high + NEAR < h ? high + NEAR : h;
  size_t plane = SQUARED * w;
  float *blurred = scratch, *planes = blurred + TALL * line;
  // Of what is coarse, and of what is finer.
  squares coarse = {planes, planes + plane}, fine = {planes + 2 * plane, planes + 3 * plane};
  float *row = planes + 4 * plane, *single = row + line;
  for (ptrdiff_t y = top; y < bottom; y++) {
    const float *fused = j->fused + (size_t)y * line, *mean = j->mean + (size_t)y * line;
    for (size_t i = 0; i < line; i++) row[i] = mean[i] - fused[i];
    tdm_blur_row(blurred + (size_t)(y - top) * line, row, w, 3, near_taps, NEAR);
  }
  float unit = 2 / j->shares.coarse_floor;
  for (ptrdiff_t y = low; y < high; y++) {
    const float *at[2 * NEAR + 1];
    for (ptrdiff_t t = -NEAR; t <= NEAR; t++)
      at[t + NEAR] = blurred + (tdm_clamped(y + t, j->height) - (size_t)top) * line;
    for (size_t i = 0; i < line; i++) row[i] = tdm_blurred(at, i, near_taps, NEAR);
    for (size_t i = 0; i < w; i++) single[i] = tdm_weighed(row + 3 * i, j->shares.coarse) * unit;
    blur_squares(&coarse, (size_t)(y - low), single, w);
    const float *fused = j->fused + (size_t)y * line, *mean = j->mean + (size_t)y * line;
    for (size_t i = 0; i < line; i++) row[i] = mean[i] - fused[i] - row[i];
    for (size_t i = 0; i < w; i++) single[i] = tdm_weighed(row + 3 * i, j->shares.fine);
    blur_squares(&fine, (size_t)(y - low), single, w);
  }
  for (ptrdiff_t y = from; y < to; y++) {
    float *few = row, *many = row + w, *few_fine = row + 2 * w, *many_fine = single;
    blur_across(few, coarse.few, y, low, w, j->height, far_taps, FAR);
    blur_across(many, coarse.many, y, low, w, j->height, wide_taps, WIDE);
    blur_across(few_fine, fine.few, y, low, w, j->height, far_taps, FAR);
    blur_across(many_fine, fine.many, y, low, w, j->height, wide_taps, WIDE);
    float *weights = j->weights + (size_t)y * w, *counts = j->counts + (size_t)y * w;
    TDM_LANES
    for (size_t i = 0; i < w; i++) {
      float own = 1 / (counts[i] > 1e-6f ? counts[i] : 1e-6f), noise = own + 1 / weights[i];
      float a = few_chance * noise, b = many_chance * noise;
      float now = 1 / (own + beyond(few[i], a, many[i], b) + beyond(few_fine[i], a, many_fine[i], b));
      weights[i] = now / (weights[i] + now);
      a = lasting_few_chance * noise;
      b = lasting_many_chance * noise;
      counts[i] = 1 / (own + beyond(few[i], a, many[i], b) + beyond(few_fine[i], a, many_fine[i], b));
    }
  }
}
TDM_DISPATCH(believe, (const job *j, size_t index, float *scratch), (j, index, scratch))

static void believe_share(void *context, size_t index) {
  const job *j = context;
  size_t from = j->bands * index / j->threads, to = j->bands * (index + 1) / j->threads;
  float *scratch = j->scratch + index * band_count(j->width);
  for (size_t i = from; i < to; i++) believe(j, i, scratch);
}

static void blend_band(void *context, size_t index) {
  const job *j = context;
  size_t from = index * BAND, to = from + BAND < j->height ? from + BAND : j->height;
  for (size_t i = from * j->width; i < to * j->width; i++)
    for (size_t c = 3 * i; c < 3 * i + 3; c++)
      j->fused[c] += j->weights[i] * (j->mean[c] - j->fused[c]);
}

void tdm_history_blend(
    float *fused, float *weights, const float *mean, float *counts, size_t width,
    size_t height, const tdm_noise *noise, float *scratch, int threads) {
  job j = {
      .fused = fused, .weights = weights, .mean = mean, .counts = counts, .width = width,
      .height = height, .bands = (height + BAND - 1) / BAND, .shares = tdm_shares_of(noise, 0),
      .scratch = scratch, .threads = threads > 1 ? (size_t)threads : 1};
  tdm_parallel_for((int)j.threads, j.threads, believe_share, &j);
  // Behind all of it: what is judged reads the fused frame around it.
  tdm_parallel_for(threads, j.bands, blend_band, &j);
}

typedef struct {
  float *mean, *counts;
  const float *picture;
  size_t pixels, parts;
  float most;
} taking;

static void take_part(void *context, size_t index) {
  const taking *t = context;
  size_t from = t->pixels * index / t->parts, to = t->pixels * (index + 1) / t->parts;
  for (size_t i = from; i < to; i++) {
    float count = t->counts[i] + 1, share = 1 / count;
    for (size_t c = 3 * i; c < 3 * i + 3; c++)
      t->mean[c] += share * (t->picture[c] - t->mean[c]);
    t->counts[i] = count < t->most ? count : t->most;
  }
}

void tdm_history_take(
    float *mean, float *counts, const float *picture, size_t pixels, float most, int threads) {
  taking t = {mean, counts, picture, pixels, threads > 1 ? (size_t)threads : 1, most};
  tdm_parallel_for(threads, t.parts, take_part, &t);
}
