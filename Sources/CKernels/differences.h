// What is left of two pictures' difference, held against what noise makes of it: that of what is
// coarse, blurred, shows what has changed, and is nearly free of noise; that of what is finer shows
// where fine texture would be averaged away.
#pragma once

#include "light.h"
#include "scalar.h"

enum {
  NEAR = 3,  // reach of the blur before the square, deviation 1
  FAR = 5,   // reach of the one after it, deviation 1.5
};

static const float near_taps[NEAR + 1] = {0.39905028f, 0.24203623f, 0.05400558f, 0.00443305f};
static const float far_taps[FAR + 1] = {0.26617176f, 0.21314003f, 0.10943096f,
                                        0.03602543f, 0.00760432f, 0.00102905f};

// Of the light's noise: colours are taken to have no less, because they are rounded all the same.
static const float least_colour = 0.3f;
// The share of white noise's variance that the first blur, of deviation 1, takes away.
static const float fine_share = 0.7612f;

/// By what squares of differences in light and colours count.
typedef struct {
  float coarse[3];     // of what is blurred
  float coarse_floor;  // what the noise of two pictures makes of their sum
  float fine[3];       // of what the blur takes: a picture's noise makes 1 of their sum
} tdm_noise_shares;

/// The variance that the first blur leaves of the difference of two frames' noise.
static inline float tdm_blurred_variance(float noise) {
  const float pi = 3.14159265f;
  return 2 * noise * noise / (4 * pi) + 1e-4f;
}

/// The noise that a colour is taken to have.
static inline float tdm_taken(const float *noise, int k) {
  float least = least_colour * noise[0];
  return noise[k] > least ? noise[k] : least;
}

/// Of light and colours, or, where 1 is the first that counts, of colours alone.
static inline tdm_noise_shares tdm_shares_of(const tdm_noise *noise, int first) {
  tdm_noise_shares shares = {.coarse_floor = 0};
  float parts = (float)(3 - first);
  float mean = 0;  // of the fine noise's variances, each as a share of what it is taken to be
  for (int k = first; k < 3; k++) {
    shares.coarse[k] = 1 / (parts * tdm_blurred_variance(tdm_taken(noise->coarse, k)));
    shares.coarse_floor += tdm_blurred_variance(noise->coarse[k]) * shares.coarse[k];
    float taken = tdm_taken(noise->fine, k);
    shares.fine[k] = 1 / (parts * fine_share * (taken * taken + 1e-4f));
    mean += (noise->fine[k] * noise->fine[k] + 1e-4f) / (parts * (taken * taken + 1e-4f));
  }
  for (int k = 0; k < 3; k++) shares.fine[k] /= mean;
  return shares;
}

/// The squares of a difference in light and in colours, by their shares.
TDM_INLINE float tdm_weighed(const float *difference, const float *shares) {
  float d[3];
  tdm_light_and_colours(d, difference);
  return d[0] * d[0] * shares[0] + d[1] * d[1] * shares[1] + d[2] * d[2] * shares[2];
}

/// A row blurred along itself; borders repeat.
TDM_INLINE void tdm_blur_row(
    float *out, const float *x, size_t width, size_t channels, const float *taps, int reach) {
  ptrdiff_t w = (ptrdiff_t)width, k = (ptrdiff_t)channels;
  ptrdiff_t edge = reach < w ? reach : w;
  for (ptrdiff_t i = 0; i < w; i = i + 1 == edge && w - edge > edge ? w - edge : i + 1)
    for (ptrdiff_t c = 0; c < k; c++) {
      float sum = taps[0] * x[i * k + c];
      for (ptrdiff_t t = 1; t <= reach; t++) {
        const float *before = x + tdm_clamped(i - t, width) * channels;
        const float *behind = x + tdm_clamped(i + t, width) * channels;
        sum += taps[t] * (before[c] + behind[c]);
      }
      out[i * k + c] = sum;
    }
  for (ptrdiff_t i = edge * k; i < (w - edge) * k; i++) {
    float sum = taps[0] * x[i];
    for (ptrdiff_t t = 1; t <= reach; t++) sum += taps[t] * (x[i - t * k] + x[i + t * k]);
    out[i] = sum;
  }
}

/// A value blurred across 2 * reach + 1 rows, whose middle is at[reach].
TDM_INLINE float tdm_blurred(const float *const *at, size_t i, const float *taps, int reach) {
  float sum = taps[0] * at[reach][i];
  for (int t = 1; t <= reach; t++) sum += taps[t] * (at[reach - t][i] + at[reach + t][i]);
  return sum;
}
