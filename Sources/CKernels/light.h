// A pixel's light and colours, by which its noise is measured and its differences are judged, and by
// whose light its motion is found.
#pragma once

// Luma (BT.601), not the channels' mean: in video luma's and colours' noise differ, in strength and
// in how coarse they are, and the mean would have both.
#define TDM_RED 0.299f
#define TDM_GREEN 0.587f
#define TDM_BLUE 0.114f

/// Luma times sqrt 3, and two differences of colours, (r - b) / sqrt 2 and (r - 2 g + b) / sqrt 6: of a
/// grey picture's noise the light is as long as the three channels' vector, and there are no colours.
static inline void tdm_light_and_colours(float *out, const float *rgb) {
  // One factor each: with the sum multiplied clang's fusion.c took 18 times as long.
  const float root = 1.7320508f;
  out[0] = TDM_RED * root * rgb[0] + TDM_GREEN * root * rgb[1] + TDM_BLUE * root * rgb[2];
  out[1] = (rgb[0] - rgb[2]) * 0.70710678f;
  out[2] = (rgb[0] - 2 * rgb[1] + rgb[2]) * 0.40824829f;
}
