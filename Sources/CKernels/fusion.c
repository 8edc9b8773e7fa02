// A frame averaged with its neighbours along the motion, where they show the same but for noise.
#include "scalar.h"

enum {
  BAND = 48,  // rows that are worked on at a time
  NEAR = 3,   // reach of the blur before the square, deviation 1
  FAR = 5,    // reach of the one after it, deviation 1.5
  HALO = NEAR + FAR,
  TALL = BAND + 2 * HALO,
};

static const float near_taps[NEAR + 1] = {0.39905028f, 0.24203623f, 0.05400558f, 0.00443305f};
static const float far_taps[FAR + 1] = {0.26617176f, 0.21314003f, 0.10943096f,
                                        0.03602543f, 0.00760432f, 0.00102905f};

typedef struct {
  float *out;
  const float *own;
  const float *const *others, *const *flows;
  size_t count, width, height, bands;
  float floor, slope;  // of the blurred squared difference: what noise makes of it, and how fast
                       // more than that counts less
  float *scratch;
  size_t threads;
} job;

/// Floats of scratch for a band.
static size_t band_count(size_t width) { return TALL * width * 8 + BAND * width; }

size_t tdm_fusion_scratch_count(size_t width, int threads) {
  return band_count(width) * (size_t)(threads > 1 ? threads : 1);
}

TDM_INLINE ptrdiff_t inside(ptrdiff_t i, ptrdiff_t count) {
  return i < 0 ? 0 : i < count ? i : count - 1;
}

/// A row of `other` as it lies in the own frame: cubic interpolation, a = -0.5, at twice the flow
/// between pixels of half the size.
TDM_INLINE void warp_row(
    float *out, const float *other, const float *flow, size_t width, size_t height, size_t row) {
  ptrdiff_t w = (ptrdiff_t)width, h = (ptrdiff_t)height, fw = w / 2, fh = h / 2;
  float fy = ((float)row - 0.5f) * 0.5f;
  ptrdiff_t above = (ptrdiff_t)__builtin_floorf(fy);
  float ty = fy - (float)above;
  const float *ua = flow + inside(above, fh) * fw, *ub = flow + inside(above + 1, fh) * fw;
  const float *va = ua + fw * fh, *vb = ub + fw * fh;
  TDM_LANES
  for (ptrdiff_t i = 0; i < w; i++) {
    ptrdiff_t left = inside((i - 1) >> 1, fw), right = inside(((i - 1) >> 1) + 1, fw);
    float tx = i & 1 ? 0.25f : 0.75f;
    float u = 2 * ((ua[left] * (1 - tx) + ua[right] * tx) * (1 - ty) +
                   (ub[left] * (1 - tx) + ub[right] * tx) * ty);
    float v = 2 * ((va[left] * (1 - tx) + va[right] * tx) * (1 - ty) +
                   (vb[left] * (1 - tx) + vb[right] * tx) * ty);
    float x = (float)i + u, y = (float)row + v;
    // Far outside everything is the border.
    x = x<-2 ? -2 : x>(float)(w + 1) ? (float)(w + 1) : x;
    y = y<-2 ? -2 : y>(float)(h + 1) ? (float)(h + 1) : y;
    float floor_x = __builtin_floorf(x), floor_y = __builtin_floorf(y), a = x - floor_x,
          b = y - floor_y;
    int px = (int)floor_x, py = (int)floor_y;
    float wx[4] = {
        ((-0.5f * a + 1) * a - 0.5f) * a, (1.5f * a - 2.5f) * a * a + 1,
        ((-1.5f * a + 2) * a + 0.5f) * a, (0.5f * a - 0.5f) * a * a};
    float wy[4] = {
        ((-0.5f * b + 1) * b - 0.5f) * b, (1.5f * b - 2.5f) * b * b + 1,
        ((-1.5f * b + 2) * b + 0.5f) * b, (0.5f * b - 0.5f) * b * b};
    int wm = (int)w - 1, hm = (int)h - 1;
    float red = 0, green = 0, blue = 0;
    for (int r = 0; r < 4; r++) {
      int line = py - 1 + r;
      line = (line < 0 ? 0 : line > hm ? hm : line) * (int)w;
      float row_red = 0, row_green = 0, row_blue = 0;
      for (int c = 0; c < 4; c++) {
        int at = px - 1 + c;
        at = (line + (at < 0 ? 0 : at > wm ? wm : at)) * 3;
        row_red += wx[c] * other[at];
        row_green += wx[c] * other[at + 1];
        row_blue += wx[c] * other[at + 2];
      }
      red += wy[r] * row_red;
      green += wy[r] * row_green;
      blue += wy[r] * row_blue;
    }
    out[3 * i] = red;
    out[3 * i + 1] = green;
    out[3 * i + 2] = blue;
  }
}

/// A row blurred along itself; borders repeat.
TDM_INLINE void
blur_row(float *out, const float *x, size_t width, size_t channels, const float *taps, int reach) {
  ptrdiff_t w = (ptrdiff_t)width, k = (ptrdiff_t)channels;
  ptrdiff_t edge = reach < w ? reach : w;
  for (ptrdiff_t i = 0; i < w; i = i + 1 == edge && w - edge > edge ? w - edge : i + 1)
    for (ptrdiff_t c = 0; c < k; c++) {
      float sum = taps[0] * x[i * k + c];
      for (ptrdiff_t t = 1; t <= reach; t++)
        sum += taps[t] * (x[inside(i - t, w) * k + c] + x[inside(i + t, w) * k + c]);
      out[i * k + c] = sum;
    }
  for (ptrdiff_t i = edge * k; i < (w - edge) * k; i++) {
    float sum = taps[0] * x[i];
    for (ptrdiff_t t = 1; t <= reach; t++) sum += taps[t] * (x[i - t * k] + x[i + t * k]);
    out[i] = sum;
  }
}

TDM_INLINE void fuse_body(const job *j, size_t band, float *scratch) {
  ptrdiff_t h = (ptrdiff_t)j->height;
  size_t w = j->width, line = 3 * w;
  ptrdiff_t from = (ptrdiff_t)band * BAND, to = from + BAND < h ? from + BAND : h;
  ptrdiff_t top = from - HALO < 0 ? 0 : from - HALO, bottom = to + HALO < h ? to + HALO : h;
  float *warped = scratch, *blurred = warped + TALL * line, *square = blurred + TALL * line;
  float *difference = square + TALL * w, *weights = difference + TALL * w;
  memcpy(
      j->out + (size_t)from * line, j->own + (size_t)from * line,
      (size_t)(to - from) * line * sizeof(float));
  for (size_t i = 0; i < (size_t)(to - from) * w; i++) weights[i] = 1;
  for (size_t other = 0; other < j->count; other++) {
    for (ptrdiff_t row = top; row < bottom; row++) {
      float *at = warped + (size_t)(row - top) * line;
      warp_row(at, j->others[other], j->flows[other], w, j->height, (size_t)row);
      // `square` and `difference` are free until here, and as large as a row needs.
      float *gap = square;
      const float *own = j->own + (size_t)row * line;
      for (size_t i = 0; i < line; i++) gap[i] = at[i] - own[i];
      blur_row(blurred + (size_t)(row - top) * line, gap, w, 3, near_taps, NEAR);
    }
    // What is outside of the picture repeats its border; what is outside of the band is not needed.
    ptrdiff_t low = from - FAR < 0 ? 0 : from - FAR, high = to + FAR < h ? to + FAR : h;
    for (ptrdiff_t row = low; row < high; row++) {
      const float *m = blurred + (size_t)(row - top) * line;
      float *out = square + (size_t)(row - low) * w;
      const float *a[NEAR + 1], *b[NEAR + 1];
      for (ptrdiff_t t = 1; t <= NEAR; t++) {
        a[t] = blurred + (size_t)(inside(row - t, h) - top) * line;
        b[t] = blurred + (size_t)(inside(row + t, h) - top) * line;
      }
      for (size_t i = 0; i < w; i++) {
        float sum = 0;
        for (size_t c = 3 * i; c < 3 * i + 3; c++) {
          float value = near_taps[0] * m[c] + near_taps[1] * (a[1][c] + b[1][c]) +
                        near_taps[2] * (a[2][c] + b[2][c]) + near_taps[3] * (a[3][c] + b[3][c]);
          sum += value * value;
        }
        out[i] = sum * (1.0f / 3);
      }
      blur_row(difference + (size_t)(row - low) * w, out, w, 1, far_taps, FAR);
    }
    for (ptrdiff_t row = from; row < to; row++) {
      const float *rows[2 * FAR + 1];
      for (ptrdiff_t t = -FAR; t <= FAR; t++)
        rows[t + FAR] = difference + (size_t)(inside(row + t, h) - low) * w;
      const float *at = warped + (size_t)(row - top) * line;
      float *out = j->out + (size_t)row * line, *weight = weights + (size_t)(row - from) * w;
      TDM_LANES
      for (size_t i = 0; i < w; i++) {
        float d = far_taps[0] * rows[FAR][i];
        for (int t = 1; t <= FAR; t++) d += far_taps[t] * (rows[FAR - t][i] + rows[FAR + t][i]);
        float over = (d - j->floor) * j->slope;
        float own = tdm_exp(over > 0 ? -over : 0);
        weight[i] += own;
        out[3 * i] += own * at[3 * i];
        out[3 * i + 1] += own * at[3 * i + 1];
        out[3 * i + 2] += own * at[3 * i + 2];
      }
    }
  }
  for (size_t i = 0; i < (size_t)(to - from) * w; i++) {
    float *out = j->out + (size_t)from * line + 3 * i, share = 1 / weights[i];
    out[0] *= share;
    out[1] *= share;
    out[2] *= share;
  }
}
TDM_DISPATCH(fuse, (const job *j, size_t band, float *scratch), (j, band, scratch))

static void fuse_share(void *context, size_t index) {
  const job *j = context;
  size_t from = j->bands * index / j->threads, to = j->bands * (index + 1) / j->threads;
  float *scratch = j->scratch + index * band_count(j->width);
  for (size_t band = from; band < to; band++) fuse(j, band, scratch);
}

void tdm_fusion(
    float *out, const float *own, const float *const *others, const float *const *flows,
    size_t count, size_t width, size_t height, float noise, float *scratch, int threads) {
  // Of the difference of two frames' noise the first blur, of deviation 1, leaves this part of the
  // variance.
  const float pi = 3.14159265f;
  float floor = 2 * noise * noise / (4 * pi) + 1e-4f;
  job j = {out,     own,
           others,  flows,
           count,   width,
           height,  (height + BAND - 1) / BAND,
           floor,   1 / (1.5f * floor),
           scratch, threads > 1 ? (size_t)threads : 1};
  tdm_parallel_for((int)j.threads, j.threads, fuse_share, &j);
}

// ---- Noise

enum { BLOCK = 8, BINS = 1024 };

float tdm_noise_level(const float *picture, size_t width, size_t height) {
  // Blocks by the deviation of their diagonal differences, in steps of an eighth of a level.
  size_t histogram[BINS] = {0}, total = 0;
  for (size_t y = 0; y + 2 * BLOCK <= height; y += 2 * BLOCK) {
    for (size_t x = 0; x + 2 * BLOCK <= width; x += 2 * BLOCK) {
      float sum = 0, square = 0;
      for (size_t r = 0; r < BLOCK; r++) {
        const float *above = picture + 3 * ((y + 2 * r) * width + x), *below = above + 3 * width;
        for (size_t c = 0; c < BLOCK; c++, above += 6, below += 6) {
          for (size_t k = 0; k < 3; k++) {
            float d = (above[k] - above[k + 3] - below[k] + below[k + 3]) * 0.5f;
            square += d * d;
            sum += above[k] + below[k + 3];
          }
        }
      }
      // Where the picture is black or white noise is cut off.
      float mean = sum / (BLOCK * BLOCK * 6);
      if (mean < 12 || mean > 243) continue;
      float deviation = __builtin_sqrtf(square / (BLOCK * BLOCK * 3));
      histogram[deviation < BINS / 8 ? (size_t)(deviation * 8) : BINS - 1]++;
      total++;
    }
  }
  if (total == 0) return 0;
  // A quarter of all blocks are calmer: those that show little but noise.
  size_t seen = 0, bin = 0;
  while (bin < BINS && (seen += histogram[bin]) * 4 < total) bin++;
  return ((float)bin + 0.5f) / 8;
}
