// One body of plain C, compiled once for each instruction set, chosen while the program runs.
#pragma once

#include "CKernels.h"

#define TDM_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define TDM_X86 1
#define TDM_AVX2 __attribute__((target("avx2,fma")))
#define TDM_AVX512 \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq"), min_vector_width(512)))
#define TDM_AVX512_BF16 \
  __attribute__(( \
      target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"), min_vector_width(512)))
#define TDM_AMX_BF16 \
  __attribute__(( \
      target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16"), \
      min_vector_width(512)))
#else
#define TDM_X86 0
#endif

// Defines `name`, which calls `name_body` (TDM_INLINE) as compiled for the instruction set in use.
#if TDM_X86
#define TDM_DISPATCH(name, parameters, arguments) \
  TDM_AVX512 static void name##_avx512 parameters { name##_body arguments; } \
  TDM_AVX2 static void name##_avx2 parameters { name##_body arguments; } \
  static void name##_plain parameters { name##_body arguments; } \
  static void name parameters { \
    tdm_isa isa = tdm_isa_current(); \
    if (isa >= TDM_ISA_AVX512) \
      name##_avx512 arguments; \
    else if (isa >= TDM_ISA_AVX2) \
      name##_avx2 arguments; \
    else \
      name##_plain arguments; \
  }
#else
#define TDM_DISPATCH(name, parameters, arguments) \
  static void name parameters { name##_body arguments; }
#endif

// Runs the statement with `constant` a compile-time constant equal to the run-time `type`, so that
// the loops inside it hold no branch.
#define TDM_FOR_TYPE(type, constant, ...) \
  switch (type) { \
  case TDM_F32: { \
    enum { constant = TDM_F32 }; \
    __VA_ARGS__; \
  } break; \
  case TDM_BF16: { \
    enum { constant = TDM_BF16 }; \
    __VA_ARGS__; \
  } break; \
  }

#define TDM_ACTIVATION_CASE_(name, constant, ...) \
  case name: { \
    enum { constant = name }; \
    __VA_ARGS__; \
  } break;

#define TDM_FOR_ACTIVATION(activation, constant, ...) \
  switch (activation) { \
    TDM_ACTIVATION_CASE_(TDM_NONE, constant, __VA_ARGS__) \
    TDM_ACTIVATION_CASE_(TDM_RELU, constant, __VA_ARGS__) \
    TDM_ACTIVATION_CASE_(TDM_SILU, constant, __VA_ARGS__) \
    TDM_ACTIVATION_CASE_(TDM_GELU, constant, __VA_ARGS__) \
    TDM_ACTIVATION_CASE_(TDM_QUICK_GELU, constant, __VA_ARGS__) \
    TDM_ACTIVATION_CASE_(TDM_GELU_TANH, constant, __VA_ARGS__) \
  }

// The iterations may run side by side although outputs may be inputs: each reads only the elements
// at the index that it writes.
#define TDM_LANES _Pragma("clang loop vectorize(assume_safety)")
