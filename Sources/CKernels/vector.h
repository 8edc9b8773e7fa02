// Sixteen floats side by side: one, two or four registers, by instruction set. Vectors go through
// pointers into these functions, for the calling convention depends on the instruction set.
#pragma once

#include "scalar.h"

typedef float tdm_v16 __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t tdm_u16x32 __attribute__((ext_vector_type(16), aligned(4)));
typedef uint16_t tdm_u16x16 __attribute__((ext_vector_type(16), aligned(2)));

enum { TDM_LANE_COUNT = 16 };

TDM_INLINE void tdm_load16(tdm_type type, tdm_v16 *value, const void *x, size_t i) {
  if (type == TDM_F32) {
    memcpy(value, (const float *)x + i, sizeof *value);
  } else {
    tdm_u16x16 half;
    memcpy(&half, (const uint16_t *)x + i, sizeof half);
    tdm_u16x32 bits = __builtin_convertvector(half, tdm_u16x32) << 16;
    memcpy(value, &bits, sizeof bits);
  }
}

/// The sum of all lanes, always in the same order.
TDM_INLINE double tdm_sum16(const tdm_v16 *value) {
  double sum[4] = {0, 0, 0, 0};
  for (int i = 0; i < TDM_LANE_COUNT; i++) sum[i % 4] += (double)(*value)[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}
