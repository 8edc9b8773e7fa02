// A frame averaged with its neighbours along the motion, where they show the same but for noise.
//
// Fine texture counts, too: where the motion is not found to a fraction of a pixel, or interpolation
// has blurred the neighbour, it would be averaged away, which costs more than the noise where there
// is little. Colours have a weight of their own, which does not look at the light: there is less of
// texture in them, so that they can be averaged where the light cannot.
#include "differences.h"
#include "warp.h"

enum {
  BAND = 48,  // rows that are worked on at a time
  TALL = BAND + 2 * (NEAR + FAR),
};

// Of how many levels in the light noise hides what averaging would blur: the fine difference may
// then be twice what noise makes of it, and with other noise 1 + (noise / hiding)^2 times. Noise may
// also be stronger where it is bright than where it was measured.
static const float hiding = 7;
// How fast counts less what differs by more in what is finer.
static const float fine_slope = 2;
// How much more than noise colours may differ by, where what they are of is not looked at.
static const float colours_chance = 1.5f;

// The light's weight, which looks at its colours, too, and the colours' own.
enum { LIGHT, COLOURS, WEIGHTS };

typedef struct {
  float *out;
  const float *own;
  const float *const *others, *const *flows;
  size_t count, width, height, bands;
  tdm_noise_shares shares[WEIGHTS];
  float fine_floor;  // what noise may make of what is finer
  float *weights;
  float *scratch;
  size_t threads;
} job;

/// Floats of scratch for a band.
static size_t band_count(size_t width) {
  return (TALL * (7 + 2 * WEIGHTS) + BAND * (3 + WEIGHTS) + 4) * width;
}

size_t tdm_fusion_scratch_count(size_t width, int threads) {
  return band_count(width) * (size_t)(threads > 1 ? threads : 1);
}

/// Rows that are worked on together, and what is made of them for one neighbour after the other.
/// Rows outside of the picture repeat its border.
typedef struct {
  ptrdiff_t first, last;                   // that are averaged and given
  ptrdiff_t low, high;                     // that the blur after the square reads
  ptrdiff_t top, bottom;                   // that the one before it reads
  float *warped, *blurred;                 // of [top, bottom), three channels
  float *left;                             // of [top, bottom)
  float *square[WEIGHTS], *fine[WEIGHTS];  // of [low, high)
  float *sum;                              // of [first, last): what neighbours differ by, in parts
  float *weights[WEIGHTS];                 // of [first, last), their sums
  float *row, *single;                     // one row, three channels and one
} band;

TDM_INLINE band band_at(const job *j, size_t index, float *scratch) {
  ptrdiff_t h = (ptrdiff_t)j->height;
  size_t w = j->width;
  band b = {.first = (ptrdiff_t)index * BAND};
  b.last = b.first + BAND < h ? b.first + BAND : h;
  b.low = b.first - FAR < 0 ? 0 : b.first - FAR;
  b.high = b.last + FAR < h ? b.last + FAR : h;
  b.top = b.low - NEAR < 0 ? 0 : b.low - NEAR;
  b.bottom = b.high + NEAR < h ? b.high + NEAR : h;
  b.warped = scratch;
  b.blurred = b.warped + TALL * 3 * w;
  b.left = b.blurred + TALL * 3 * w;
  float *next = b.left + TALL * w;
  for (int k = 0; k < WEIGHTS; k++, next += 2 * TALL * w) {
    b.square[k] = next;
    b.fine[k] = next + TALL * w;
  }
  b.sum = next;
  next += BAND * 3 * w;
  for (int k = 0; k < WEIGHTS; k++, next += BAND * w) b.weights[k] = next;
  b.row = next;
  b.single = b.row + 3 * w;
  return b;
}

/// The neighbour along the motion, and its difference blurred along the rows.
TDM_INLINE void warp_band(const job *j, const band *b, size_t other) {
  size_t line = 3 * j->width;
  for (ptrdiff_t row = b->top; row < b->bottom; row++) {
    float *warped = b->warped + (size_t)(row - b->top) * line;
    const float *own = j->own + (size_t)row * line;
    float *left = b->left + (size_t)(row - b->top) * j->width;
    tdm_warp_row(warped, left, j->others[other], j->flows[other], j->width, j->height, (size_t)row);
    for (size_t i = 0; i < line; i++) b->row[i] = warped[i] - own[i];
    tdm_blur_row(b->blurred + (size_t)(row - b->top) * line, b->row, j->width, 3, near_taps, NEAR);
  }
}

/// The rest of the blur, the squares of what it leaves and of what it takes away, and both blurred
/// along the rows.
TDM_INLINE void square_band(const job *j, const band *b) {
  size_t w = j->width, line = 3 * w;
  for (ptrdiff_t row = b->low; row < b->high; row++) {
    const float *at[2 * NEAR + 1];
    for (ptrdiff_t t = -NEAR; t <= NEAR; t++)
      at[t + NEAR] = b->blurred + (tdm_clamped(row + t, j->height) - (size_t)b->top) * line;
    for (size_t i = 0; i < line; i++) b->row[i] = tdm_blurred(at, i, near_taps, NEAR);
    size_t index = (size_t)(row - b->low) * w;
    for (int k = 0; k < WEIGHTS; k++) {
      tdm_noise_shares shares = j->shares[k];
      TDM_LANES
      for (size_t i = 0; i < w; i++) b->single[i] = tdm_weighed(b->row + 3 * i, shares.coarse);
      tdm_blur_row(b->square[k] + index, b->single, w, 1, far_taps, FAR);
    }
    const float *warped = b->warped + (size_t)(row - b->top) * line;
    const float *own = j->own + (size_t)row * line;
    const float *left = b->left + (size_t)(row - b->top) * w;
    for (size_t i = 0; i < line; i++) b->row[i] = warped[i] - own[i] - b->row[i];
    for (int k = 0; k < WEIGHTS; k++) {
      tdm_noise_shares shares = j->shares[k];
      TDM_LANES
      for (size_t i = 0; i < w; i++)
        b->single[i] = tdm_weighed(b->row + 3 * i, shares.fine) / (1 + left[i]);
      tdm_blur_row(b->fine[k] + index, b->single, w, 1, far_taps, FAR);
    }
  }
}

/// A row of the neighbour's weights of one kind.
TDM_INLINE void weigh_row(const job *j, const band *b, int kind, ptrdiff_t row, float *weights) {
  float floor = j->shares[kind].coarse_floor * (kind == COLOURS ? colours_chance : 1);
  const float *at[2 * FAR + 1], *fine[2 * FAR + 1];
  for (ptrdiff_t t = -FAR; t <= FAR; t++) {
    size_t start = (tdm_clamped(row + t, j->height) - (size_t)b->low) * j->width;
    at[t + FAR] = b->square[kind] + start;
    fine[t + FAR] = b->fine[kind] + start;
  }
  TDM_LANES
  for (size_t i = 0; i < j->width; i++) {
    float d = tdm_blurred(at, i, far_taps, FAR), f = tdm_blurred(fine, i, far_taps, FAR);
    float over = d / floor - 1, finer = (f - j->fine_floor) * fine_slope;
    weights[i] = tdm_exp((over > 0 ? -over : 0) - (finer > 0 ? finer : 0));
  }
}

/// Adds what the neighbour differs by, by its weights: luma, and what red and blue are beyond it.
TDM_INLINE void add_band(const job *j, const band *b) {
  size_t w = j->width;
  float *light = b->row, *colours = b->row + w;
  for (ptrdiff_t row = b->first; row < b->last; row++) {
    weigh_row(j, b, LIGHT, row, light);
    weigh_row(j, b, COLOURS, row, colours);
    const float *warped = b->warped + (size_t)(row - b->top) * 3 * w;
    const float *own = j->own + (size_t)row * 3 * w;
    size_t index = (size_t)(row - b->first) * w;
    float *sum = b->sum + 3 * index;
    float *lights = b->weights[LIGHT] + index, *coloured = b->weights[COLOURS] + index;
    TDM_LANES
    for (size_t i = 0; i < w; i++) {
      float red = warped[3 * i] - own[3 * i], green = warped[3 * i + 1] - own[3 * i + 1];
      float blue = warped[3 * i + 2] - own[3 * i + 2];
      float luma = TDM_RED * red + TDM_GREEN * green + TDM_BLUE * blue;
      lights[i] += light[i];
      coloured[i] += colours[i];
      sum[3 * i] += light[i] * luma;
      sum[3 * i + 1] += colours[i] * (red - luma);
      sum[3 * i + 2] += colours[i] * (blue - luma);
    }
  }
}

/// Makes the sums what the average changes, in red, green and blue.
TDM_INLINE void average_band(const job *j, const band *b) {
  size_t count = (size_t)(b->last - b->first) * j->width;
  if (j->weights)
    memcpy(
        j->weights + (size_t)b->first * j->width, b->weights[LIGHT], count * sizeof(float));
  TDM_LANES
  for (size_t i = 0; i < count; i++) {
    float share = 1 / b->weights[COLOURS][i];
    float luma = b->sum[3 * i] / b->weights[LIGHT][i];
    float red = b->sum[3 * i + 1] * share, blue = b->sum[3 * i + 2] * share;
    b->sum[3 * i] = luma + red;
    b->sum[3 * i + 1] = luma - (TDM_RED * red + TDM_BLUE * blue) / TDM_GREEN;
    b->sum[3 * i + 2] = luma + blue;
  }
}

TDM_INLINE void fuse_body(const job *j, size_t index, float *scratch) {
  band b = band_at(j, index, scratch);
  size_t line = 3 * j->width, count = (size_t)(b.last - b.first) * j->width;
  memset(b.sum, 0, 3 * count * sizeof(float));
  for (int k = 0; k < WEIGHTS; k++)
    for (size_t i = 0; i < count; i++) b.weights[k][i] = 1;
  for (size_t other = 0; other < j->count; other++) {
    warp_band(j, &b, other);
    square_band(j, &b);
    add_band(j, &b);
  }
  average_band(j, &b);
  float *out = j->out + (size_t)b.first * line;
  const float *own = j->own + (size_t)b.first * line;
  for (size_t i = 0; i < 3 * count; i++) out[i] = own[i] + b.sum[i];
}
TDM_DISPATCH(fuse, (const job *j, size_t index, float *scratch), (j, index, scratch))

static void fuse_share(void *context, size_t index) {
  const job *j = context;
  size_t from = j->bands * index / j->threads, to = j->bands * (index + 1) / j->threads;
  float *scratch = j->scratch + index * band_count(j->width);
  for (size_t i = from; i < to; i++) fuse(j, i, scratch);
}

void tdm_fusion(
    float *out, const float *own, const float *const *others, const float *const *flows,
    size_t count, size_t width, size_t height, const tdm_noise *noise, float *weights,
    float *scratch, int threads) {
  job j = {
      .out = out, .own = own, .others = others, .flows = flows, .count = count, .width = width,
      .height = height, .bands = (height + BAND - 1) / BAND,
      .shares = {[LIGHT] = tdm_shares_of(noise, 0), [COLOURS] = tdm_shares_of(noise, 1)},
      .fine_floor = 1 + noise->fine[0] * noise->fine[0] / (hiding * hiding),
      .weights = weights, .scratch = scratch, .threads = threads > 1 ? (size_t)threads : 1};
  tdm_parallel_for((int)j.threads, j.threads, fuse_share, &j);
}
