// What a process does to itself that Swift has no way to: names, faults, its start, the sandbox.
#pragma once

/// Names the calling thread; what `top -H` shows. At most 15 bytes count.
void tdm_set_thread_name(const char *name);

/// Has a fault of the program's own (a failed check, an address that is none, a library that gives
/// up) end the process with one line on stderr and this status. Where core dumps are on, the signal
/// then ends it as it always does.
void tdm_end_on_fault(int status);

/// Gives the calling thread a stack of its own for ``tdm_end_on_fault``'s line, for where its stack
/// is what is full.
/// - Returns: what the thread has to give back before it ends; NULL where there is no memory.
void *tdm_take_fault_stack(void);
void tdm_give_back_fault_stack(void *memory);

/// Whether the kernel was asked for this program, and not for a dynamic loader that was told to run
/// it.
int tdm_was_loaded_by_kernel(void);

/// Leaves this signal to the thread that waits for it (sigwait). The program's own threads all
/// block it; where the system delivers it to a library's thread that does not, that thread blocks
/// it from then on and sends it to the process again.
void tdm_leave_signal_to_waiting(int number);

/// By Landlock: the calling thread, and threads that it makes from now on, write, make and remove
/// no file, start no program and use no TCP. What is open stays open, and files can still be read.
/// - socket_folder: where files may be removed, as a socket is at the end; NULL for nowhere.
/// - Returns: 0, or the negative number of an error: -ENOSYS or -EOPNOTSUPP where the kernel has no
///   Landlock.
int tdm_forbid_changes(const char *socket_folder);

/// By seccomp: no thread of the process opens a file, makes a connection, starts a process or a
/// program or signals another process from now on. What is open stays open; threads can still be
/// made, and connections be accepted.
/// - keeps_removing: whether files may be removed, where Landlock allows that.
/// - Returns: 0, or the negative number of an error: -ENOSYS or -EINVAL where the kernel has no
///   seccomp filters.
int tdm_forbid_openings(int keeps_removing);
