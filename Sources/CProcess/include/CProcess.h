// What a process does to itself that Swift has no way to: names, faults, the sandbox.
#pragma once

/// Names the calling thread; what `top -H` shows. At most 15 bytes count.
void tdm_set_thread_name(const char *name);

/// Has a fault of the program's own (a failed check, an address that is none, a library that gives up) end the process
/// with one line on stderr and this status. Where core dumps are on, the signal then ends it as it always does.
void tdm_end_on_fault(int status);
