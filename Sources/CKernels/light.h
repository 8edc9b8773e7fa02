// A pixel's light and colours, by which its noise is measured and its differences are judged.
#pragma once

/// The light (r + g + b) / sqrt 3 and two differences of colours, (r - b) / sqrt 2 and
/// (r - 2 g + b) / sqrt 6: orthonormal, so that equal noise in all channels is as large in them.
static inline void tdm_light_and_colours(float *out, const float *rgb) {
  out[0] = (rgb[0] + rgb[1] + rgb[2]) * 0.57735027f;
  out[1] = (rgb[0] - rgb[2]) * 0.70710678f;
  out[2] = (rgb[0] - 2 * rgb[1] + rgb[2]) * 0.40824829f;
}
