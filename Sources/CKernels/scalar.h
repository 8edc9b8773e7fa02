// Functions of one number, free of branches, so that a loop over them becomes vector code for any
// instruction set. Relative errors are within a few units in the last place of float32. Polynomials
// are written as sums of short ones, which the processor can work on side by side.
#pragma once

#include <math.h>
#include <string.h>

#include "targets.h"

TDM_INLINE uint32_t tdm_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

TDM_INLINE float tdm_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

TDM_INLINE float tdm_from_bf16(uint16_t x) { return tdm_float((uint32_t)x << 16); }

/// Rounds to nearest, ties to even; NaN stays NaN.
TDM_INLINE uint16_t tdm_to_bf16(float x) {
  uint32_t bits = tdm_bits(x);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded);
}

TDM_INLINE float tdm_load(tdm_type type, const void *x, size_t i) {
  return type == TDM_F32 ? ((const float *)x)[i] : tdm_from_bf16(((const uint16_t *)x)[i]);
}

TDM_INLINE void tdm_store(tdm_type type, void *x, size_t i, float value) {
  if (type == TDM_F32)
    ((float *)x)[i] = value;
  else
    ((uint16_t *)x)[i] = tdm_to_bf16(value);
}

TDM_INLINE size_t tdm_size(tdm_type type) { return type == TDM_F32 ? 4 : 2; }

TDM_INLINE const void *tdm_at(tdm_type type, const void *x, size_t i) {
  return (const char *)x + i * tdm_size(type);
}

TDM_INLINE void *tdm_out(tdm_type type, void *x, size_t i) {
  return (char *)x + i * tdm_size(type);
}

/// `i`, or the nearest of the indices 0..<count.
TDM_INLINE size_t tdm_clamped(ptrdiff_t i, size_t count) {
  return i < 0 ? 0 : (size_t)i < count ? (size_t)i : count - 1;
}

/// 2 to the power x. Below the normal numbers it stays at the smallest of them.
TDM_INLINE float tdm_exp2(float x) {
  x = x < -126.0f ? -126.0f : x;
  x = x > 127.0f ? 127.0f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  float shifted = x + magic;
  float f = x - (shifted - magic);
  float p = 1.5403530393381609954e-4f;
  p = p * f + 1.3333558146428443423e-3f;
  p = p * f + 9.6181291076284771619e-3f;
  p = p * f + 5.5504108664821579953e-2f;
  p = p * f + 2.4022650695910071233e-1f;
  p = p * f + 6.9314718055994530942e-1f;
  p = p * f + 1.0f;
  return tdm_float(tdm_bits(p) + (tdm_bits(shifted) << 23));
}

/// e to the power x, for x within [-87, 88] and held to that.
TDM_INLINE float tdm_exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float magic = 12582912.0f;
  float shifted = x * 1.44269504088896341f + magic;
  float n = shifted - magic;
  // ln 2 in two parts, the first short enough for n times it to be exact.
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440054690583e-4f;
  float s = r * r;
  float p = 1.9875691500e-4f * r + 1.3981999507e-3f;
  p = p * s + (8.3334519073e-3f * r + 4.1665795894e-2f);
  p = p * s + (1.6666665459e-1f * r + 5.0000001201e-1f);
  p = p * s + r;
  p = p + 1.0f;
  return tdm_float(tdm_bits(p) + (tdm_bits(shifted) << 23));
}

TDM_INLINE float tdm_sigmoid(float x) { return 1.0f / (1.0f + tdm_exp(-x)); }

/// The standard normal distribution function, (1 + erf(x / sqrt 2)) / 2, with a small relative
/// error in its lower tail too: through erfc as in Press et al., Numerical Recipes, section 6.2.
TDM_INLINE float tdm_normal(float x) {
  float z = (x < 0 ? -x : x) * 0.707106781186547524f;
  float t = 1.0f / (1.0f + 0.5f * z);
  float s = t * t;
  float high = (0.17087277f * t - 0.82215223f) * s + (1.48851587f * t - 1.13520398f);
  float low = (0.27886807f * t - 0.18628806f) * s + (0.09678418f * t + 0.37409196f);
  float p = (high * (s * s) + low) * s + (1.00002368f * t - 1.26551223f);
  float half = 0.5f * t * tdm_exp(p - z * z);
  return x < 0 ? half : 1.0f - half;
}

/// Reference: Cephes, tanhf.
TDM_INLINE float tdm_tanh(float x) {
  float a = x < 0 ? -x : x;
  float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  float near = p * s * x + x;
  float far = 1.0f - 2.0f / (tdm_exp(2.0f * a) + 1.0f);
  return a < 0.625f ? near : (x < 0 ? -far : far);
}

TDM_INLINE float tdm_activation_of(tdm_activation activation, float x) {
  switch (activation) {
  case TDM_RELU:
    return x < 0 ? 0 : x;
  case TDM_SILU:
    return x * tdm_sigmoid(x);
  case TDM_GELU:
    return x * tdm_normal(x);
  case TDM_QUICK_GELU:
    return x * tdm_sigmoid(1.702f * x);
  case TDM_GELU_TANH:
    // (1 + tanh u) / 2 is the sigmoid of 2 u, and loses nothing where they nearly cancel.
    return x * tdm_sigmoid(1.59576912160573071f * (x + 0.044715f * x * x * x));
  default:
    return x;
  }
}
