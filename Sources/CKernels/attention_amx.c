// The tile kernel on the processor's AMX registers.
#include "attention_softmax.h"

#if TDM_X86

#define TILE_FUNCTION TDM_AMX_BF16
#define TILE_ZERO(register) _tile_zero(register)
#define TILE_LOAD(register, address, stride) _tile_loadd(register, address, stride)
#define TILE_STORE(register, address, stride) _tile_stored(register, address, stride)
#define TILE_DOT(sums, a, b) _tile_dpbf16ps(sums, a, b)
#define TILE_SOFTEN(tile, row) tdm_soften_to_bf16(tile, row)
#include "attention_amx_tile.h"

// Intel 64 and IA-32 Architectures Software Developer's Manual, LDTILECFG.
typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_configuration;

// oneDNN sets the registers up in each of its calls and releases them, so every call here does too.
TDM_AMX_BF16 static void begin(void) {
  tile_configuration c;
  memset(&c, 0, sizeof c);
  c.palette = 1;
  for (int i = 0; i < 8; i++) c.row_bytes[i] = 64, c.rows[i] = 16;
  _tile_loadconfig(&c);
}

TDM_AMX_BF16 static void end(void) { _tile_release(); }

const tdm_tile_kernel tdm_tile_amx_bf16 = {AMX_ROWS, 32, 2, 1, 0, begin, tile, end};
#endif
