// Counts allocations of the calling thread, for tests of code that is to make none.
//
// malloc and its kin are replaced in the whole test program by functions that hand on to glibc's
// and count where they were asked to. oneDNN's execution function is wrapped as well, so that what
// the library allocates for its own bookkeeping can be told from what its caller does.
#pragma once

typedef struct {
  // Allocations, reallocations included.
  long own;
  // Those made inside of dnnl_primitive_execute.
  long onednn;
} tdm_allocations;

// Whether allocations can be counted: not beside a sanitizer, which has its own malloc.
int tdm_can_count_allocations(void);

// Begins to count this thread's allocations, from 0.
void tdm_begin_counting_allocations(void);

// Ends it and gives the counts.
tdm_allocations tdm_end_counting_allocations(void);
