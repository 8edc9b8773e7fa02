// Deviations counted in eighths of a level, for their quantiles.
#pragma once

#include <stddef.h>

#include "targets.h"

enum { TDM_BINS = 1024 };

TDM_INLINE size_t tdm_bin_of(float deviation) {
  float bin = 8 * deviation;
  return bin < TDM_BINS ? (size_t)bin : TDM_BINS - 1;
}

/// The deviation in the middle of a bin.
TDM_INLINE float tdm_deviation_of(size_t bin) { return ((float)bin + 0.5f) / 8; }

/// The bin that `share` of the `total` that were counted lie below or in.
TDM_INLINE size_t tdm_quantile(const size_t *histogram, size_t total, float share) {
  size_t seen = 0, bin = 0;
  while (bin < TDM_BINS - 1 && (float)(seen += histogram[bin]) < share * (float)total) bin++;
  return bin;
}

TDM_INLINE float tdm_least(float a, float b) { return a < b ? a : b; }
TDM_INLINE float tdm_most(float a, float b) { return a > b ? a : b; }
