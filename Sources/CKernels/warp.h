// A neighbouring frame along the motion.
#pragma once

#include "scalar.h"

// The colours of a pixel, and the first of the next.
typedef float tdm_colours __attribute__((ext_vector_type(4), aligned(4)));

/// Cubic interpolation, a = -0.5: what the four pixels around a place count, `t` behind the second.
TDM_INLINE void tdm_cubic(float *out, float t) {
  out[0] = ((-0.5f * t + 1) * t - 0.5f) * t;
  out[1] = (1.5f * t - 2.5f) * t * t + 1;
  out[2] = ((-1.5f * t + 2) * t + 0.5f) * t;
  out[3] = (0.5f * t - 0.5f) * t * t;
}

TDM_INLINE float tdm_squares(const float *x) {
  return x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3];
}

/// A row of `other` as it lies in the own frame: at twice the flow, which is bilinear between
/// pixels of half the size. `left`: how much of white noise's variance interpolation leaves.
TDM_INLINE void tdm_warp_row(
    float *out, float *left, const float *other, const float *flow, size_t width, size_t height,
    size_t row) {
  int w = (int)width, h = (int)height;
  size_t fw = width / 2, fh = height / 2;
  if (fw == 0 || fh == 0) {
    // A side of one pixel has no half: there is no flow to be read.
    memcpy(out, other + 3 * row * width, 3 * width * sizeof(float));
    for (size_t i = 0; i < width; i++) left[i] = 1;
    return;
  }
  float fy = ((float)row - 0.5f) * 0.5f;
  ptrdiff_t above = (ptrdiff_t)__builtin_floorf(fy);
  float ty = fy - (float)above;
  const float *ua = flow + tdm_clamped(above, fh) * fw;
  const float *ub = flow + tdm_clamped(above + 1, fh) * fw;
  const float *va = ua + fw * fh, *vb = ub + fw * fh;
  for (int i = 0; i < w; i++) {
    size_t before = tdm_clamped((i - 1) >> 1, fw), behind = tdm_clamped(((i - 1) >> 1) + 1, fw);
    float tx = i & 1 ? 0.25f : 0.75f;
    float u = (ua[before] * (1 - ty) + ub[before] * ty) * (1 - tx);
    float v = (va[before] * (1 - ty) + vb[before] * ty) * (1 - tx);
    u += (ua[behind] * (1 - ty) + ub[behind] * ty) * tx;
    v += (va[behind] * (1 - ty) + vb[behind] * ty) * tx;
    float x = (float)i + 2 * u, y = (float)row + 2 * v;
    // Far outside everything is the border.
    x = x < -2 ? -2 : x > (float)(w + 1) ? (float)(w + 1) : x;
    y = y < -2 ? -2 : y > (float)(h + 1) ? (float)(h + 1) : y;
    int px = (int)__builtin_floorf(x), py = (int)__builtin_floorf(y);
    float wx[4], wy[4];
    tdm_cubic(wx, x - (float)px);
    tdm_cubic(wy, y - (float)py);
    left[i] = tdm_squares(wx) * tdm_squares(wy);
    tdm_colours sum = 0;
    // One pixel more than is read: the last of the picture has none behind it.
    if (px >= 1 && py >= 1 && px + 3 < w && py + 2 < h) {
      const float *corner = other + ((size_t)(py - 1) * width + (size_t)(px - 1)) * 3;
      for (int r = 0; r < 4; r++) {
        const float *at = corner + (size_t)r * width * 3;
        tdm_colours line = 0;
        for (int c = 0; c < 4; c++) line += wx[c] * *(const tdm_colours *)(at + 3 * c);
        sum += wy[r] * line;
      }
    } else {
      for (int r = 0; r < 4; r++) {
        tdm_colours line = 0;
        for (int c = 0; c < 4; c++) {
          size_t at = tdm_clamped(py - 1 + r, height) * width + tdm_clamped(px - 1 + c, width);
          at *= 3;
          line += wx[c] * (tdm_colours){other[at], other[at + 1], other[at + 2], 0};
        }
        sum += wy[r] * line;
      }
    }
    out[3 * i] = sum[0];
    out[3 * i + 1] = sum[1];
    out[3 * i + 2] = sum[2];
  }
}
