// A neighbouring frame along the motion.
#pragma once

#include "vector.h"

enum {
  WARP_BLOCK = 64,  // pixels whose places are worked out at a time
  CUBIC_TAPS = 4,
};

typedef float tdm_v4 __attribute__((ext_vector_type(4), aligned(4)));

/// Places in another frame, and how it is interpolated there: cubically, a = -0.5.
typedef struct {
  int x[WARP_BLOCK], y[WARP_BLOCK];  // of the second of the four pixels along each side
  float tx[WARP_BLOCK];              // how far behind it
  float wy[CUBIC_TAPS][WARP_BLOCK];  // what the four rows count
} tdm_places;

/// What the four pixels around a place count, `t` behind the second.
TDM_INLINE void tdm_cubic(float *out, float t) {
  out[0] = ((-0.5f * t + 1) * t - 0.5f) * t;
  out[1] = (1.5f * t - 2.5f) * t * t + 1;
  out[2] = ((-1.5f * t + 2) * t + 0.5f) * t;
  out[3] = (0.5f * t - 0.5f) * t * t;
}

/// The same for the channels of four pixels side by side.
TDM_INLINE void tdm_cubic_of_channels(tdm_v16 *out, float t) {
#define PIXELS(a, b, c, d) {a, a, a, b, b, b, c, c, c, d, d, d, 0, 0, 0, 0}
  const tdm_v16 cubes = PIXELS(-0.5f, 1.5f, -1.5f, 0.5f), squares = PIXELS(1, -2.5f, 2, -0.5f);
  const tdm_v16 slopes = PIXELS(-0.5f, 0, 0.5f, 0), own = PIXELS(0, 1, 0, 0);
#undef PIXELS
  *out = ((cubes * t + squares) * t + slopes) * t + own;
}

TDM_INLINE float tdm_squares(const float *x) {
  return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3];
}

/// The places of `count` pixels from `first` on, at twice the flow, which is bilinear between pixels
/// of half the size. `left`: how much of white noise's variance interpolation leaves.
TDM_INLINE void tdm_place(
    tdm_places *out, float *left, const float *flow, size_t width, size_t height, size_t row,
    size_t first, size_t count) {
  size_t fw = width / 2, fh = height / 2;
  float fy = ((float)row - 0.5f) * 0.5f;
  ptrdiff_t above = (ptrdiff_t)__builtin_floorf(fy);
  float ty = fy - (float)above;
  const float *ua = flow + tdm_clamped(above, fh) * fw;
  const float *ub = flow + tdm_clamped(above + 1, fh) * fw;
  const float *va = ua + fw * fh, *vb = ub + fw * fh;
  const int last = (int)fw - 1;
  const float right = (float)width + 1, bottom = (float)height + 1;
  TDM_LANES
  for (size_t n = 0; n < count; n++) {
    int i = (int)(first + n), before = (i - 1) >> 1, behind = before + 1;
    before = before < 0 ? 0 : before < last ? before : last;
    behind = behind < last ? behind : last;
    float tx = i & 1 ? 0.25f : 0.75f;
    float u = (ua[before] * (1 - ty) + ub[before] * ty) * (1 - tx);
    float v = (va[before] * (1 - ty) + vb[before] * ty) * (1 - tx);
    u += (ua[behind] * (1 - ty) + ub[behind] * ty) * tx;
    v += (va[behind] * (1 - ty) + vb[behind] * ty) * tx;
    float x = (float)i + 2 * u, y = (float)row + 2 * v;
    // Far outside everything is the border.
    x = x < -2 ? -2 : x > right ? right : x;
    y = y < -2 ? -2 : y > bottom ? bottom : y;
    float px = __builtin_floorf(x), py = __builtin_floorf(y), wx[CUBIC_TAPS], wy[CUBIC_TAPS];
    tdm_cubic(wx, x - px);
    tdm_cubic(wy, y - py);
    left[n] = tdm_squares(wx) * tdm_squares(wy);
    out->x[n] = (int)px;
    out->y[n] = (int)py;
    out->tx[n] = x - px;
    for (int r = 0; r < CUBIC_TAPS; r++) out->wy[r][n] = wy[r];
  }
}

/// A row of `other` as it lies in the own frame. `left` as above.
TDM_INLINE void tdm_warp_row(
    float *out, float *left, const float *other, const float *flow, size_t width, size_t height,
    size_t row) {
  if (width < 2 || height < 2) {
    // A side of one pixel has no half: there is no flow to be read.
    memcpy(out, other + 3 * row * width, 3 * width * sizeof(float));
    for (size_t i = 0; i < width; i++) left[i] = 1;
    return;
  }
  const int w = (int)width, h = (int)height;
  const ptrdiff_t line = 3 * (ptrdiff_t)width, end = line * h;
  for (size_t first = 0; first < width; first += WARP_BLOCK) {
    size_t count = width - first < WARP_BLOCK ? width - first : WARP_BLOCK;
    tdm_places at;
    tdm_place(&at, left + first, flow, width, height, row, first, count);
    for (size_t n = 0; n < count; n++) {
      int px = at.x[n], py = at.y[n];
      // Rows come by sixteen values at once, four more than are read.
      ptrdiff_t corner = (ptrdiff_t)(py - 1) * line + 3 * (px - 1);
      tdm_v16 sum = 0, columns;
      if (px >= 1 && py >= 1 && px + 2 < w && py + 2 < h &&
          corner + (CUBIC_TAPS - 1) * line + TDM_LANE_COUNT <= end) {
        for (int r = 0; r < CUBIC_TAPS; r++)
          sum += at.wy[r][n] * *(const tdm_v16 *)(other + corner + r * line);
      } else {
        for (int r = 0; r < CUBIC_TAPS; r++) {
          const float *from = other + tdm_clamped(py - 1 + r, height) * 3 * width;
          for (int c = 0; c < CUBIC_TAPS; c++) {
            const float *pixel = from + 3 * tdm_clamped(px - 1 + c, width);
            for (int k = 0; k < 3; k++) sum[3 * c + k] += at.wy[r][n] * pixel[k];
          }
        }
      }
      tdm_cubic_of_channels(&columns, at.tx[n]);
      sum *= columns;
      tdm_v4 pixel = __builtin_shufflevector(sum, sum, 0, 1, 2, -1) +
          __builtin_shufflevector(sum, sum, 3, 4, 5, -1) +
          (__builtin_shufflevector(sum, sum, 6, 7, 8, -1) +
           __builtin_shufflevector(sum, sum, 9, 10, 11, -1));
      memcpy(out + 3 * (first + n), &pixel, 3 * sizeof(float));
    }
  }
}
