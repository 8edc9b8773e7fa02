#include <sys/auxv.h>

#include "CProcess.h"

// The kernel tells a program where its loader lies. A loader that runs as a program has none.
int tdm_was_loaded_by_kernel(void) { return getauxval(AT_BASE) != 0; }
