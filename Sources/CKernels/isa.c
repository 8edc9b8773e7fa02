// Which instruction sets this processor and kernel offer, and which of them are in use.
#include "CKernels.h"
#include "targets.h"

#include <stdatomic.h>

#if TDM_X86
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux keeps the tile registers' data area from a process until it asks for it.
static int amx_permitted(void) {
#if defined(__linux__)
  const long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return 0;
#endif
}

static int amx_offered(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const unsigned bf16 = 1u << 22, tile = 1u << 24;
  return (d & bf16) && (d & tile);
}

static tdm_isa detect(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return TDM_ISA_PLAIN;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
    return TDM_ISA_AVX2;
  if (!__builtin_cpu_supports("avx512bf16")) return TDM_ISA_AVX512;
  return amx_offered() && amx_permitted() ? TDM_ISA_AMX_BF16 : TDM_ISA_AVX512_BF16;
}

// AMD's cores start as many VDPBF16PS a cycle as float32 FMAs, each of twice the products. Intel's
// start one in two cycles beside two FMAs a cycle: half the products, so that bfloat16 pays only by
// AMX, which virtual machines may be without.
static int avx512_bf16_pays(void) { return !__builtin_cpu_is("intel"); }
#else
static tdm_isa detect(void) { return TDM_ISA_PLAIN; }
static int avx512_bf16_pays(void) { return 0; }
#endif

// Holds the set plus one, so that zero means "not yet asked"; two threads that ask at once find the
// same.
static _Atomic int detected;
static _Thread_local tdm_isa limit = TDM_ISA_AMX_BF16;

tdm_isa tdm_isa_detect(void) {
  int known = atomic_load_explicit(&detected, memory_order_relaxed);
  if (known == 0) {
    known = (int)detect() + 1;
    atomic_store_explicit(&detected, known, memory_order_relaxed);
  }
  return (tdm_isa)(known - 1);
}

tdm_isa tdm_isa_current(void) {
  tdm_isa best = tdm_isa_detect();
  return limit < best ? limit : best;
}

tdm_isa tdm_isa_limit(tdm_isa most) {
  limit = most;
  return tdm_isa_current();
}

int tdm_bf16_is_faster(void) {
  tdm_isa isa = tdm_isa_detect();
  return isa == TDM_ISA_AVX512_BF16 ? avx512_bf16_pays() : isa > TDM_ISA_AVX512_BF16;
}
